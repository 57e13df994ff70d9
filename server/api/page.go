package api

import (
	"embed"
	"net/http"
	"path"
	"reflect"

	"drp/models"

	"github.com/gin-gonic/gin"
)

//go:embed page
var page embed.FS

// document serves the description of all routes of g, which is made once.
func (a *API) document(g *gin.Engine) {
	var raw []byte
	g.GET("/swagger.json", func(c *gin.Context) { c.Data(http.StatusOK, "application/json", raw) })
	g.GET("/swagger-ui", a.pagePart)
	g.GET("/swagger-ui/:key", a.pagePart)
	raw, _ = models.Marshal(describe(a.Version, g.Routes())) // texts only
}

var mediaTypes = map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}

// pagePart serves the page that shows the description. It loads nothing from elsewhere.
func (a *API) pagePart(c *gin.Context) {
	name := c.Param("key")
	if name == "" {
		name = "index.html"
	}
	raw, err := page.ReadFile("page/" + path.Base(name))
	if err != nil {
		a.fail(c, models.Problem(models.NotFound, "", c.Request.URL.Path, "No route"))
		return
	}
	c.Header("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Data(http.StatusOK, mediaTypes[path.Ext(name)], raw)
}

// elem is the struct behind an object.
func elem(o models.Object) any { return reflect.ValueOf(o).Elem().Interface() }

// listOf is a list of values like v.
func listOf(v any) any {
	return reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(v)), 0, 0).Interface()
}
