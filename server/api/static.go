package api

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// serveStatic answers with what the file ports have, and tells whether they have it.
func (a *API) serveStatic(c *gin.Context) bool {
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		return false
	}
	c.Status(http.StatusOK) // it was 404: there is no route
	before := map[string]bool{}
	for name := range c.Writer.Header() {
		before[name] = true
	}
	w := &found{ResponseWriter: c.Writer}
	a.Static.ServeHTTP(w, c.Request)
	if w.missing {
		for name := range c.Writer.Header() {
			if !before[name] {
				c.Writer.Header().Del(name)
			}
		}
	}
	return !w.missing
}

// found is an answer unless that is that there is none.
type found struct {
	gin.ResponseWriter
	missing bool
}

func (f *found) WriteHeader(code int) {
	if f.missing = code == http.StatusNotFound; !f.missing {
		f.ResponseWriter.WriteHeader(code)
	}
}

func (f *found) Write(p []byte) (int, error) {
	if f.missing {
		return len(p), nil
	}
	return f.ResponseWriter.Write(p)
}

func (f *found) WriteString(s string) (int, error) { return f.Write([]byte(s)) }
