package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// Meter returns what counts the requests of a route, given its method and pattern; the pattern
// of requests that no route matches is "". Begin is called when a request comes, end when it is
// answered; a negative time says that the client chose how long it took.
type Meter func(method, pattern string) (begin func(), end func(status int, took time.Duration))

type gauge struct {
	begin func()
	end   func(status int, took time.Duration)
}

// unknownMethod stands for methods that HTTP does not know, of which there is no end.
const unknownMethod = "unknown"

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodConnect, http.MethodOptions, http.MethodTrace, unknownMethod,
}

type routeKey struct{ method, pattern string }

// measured counts requests by their route, and notes its pattern for those around the handler.
// What counts is made before the first request, so that counting costs each of them next to
// nothing.
func (a *API) measured(gauges map[routeKey]gauge) gin.HandlerFunc {
	return func(c *gin.Context) {
		g, ok := gauges[routeKey{c.Request.Method, c.FullPath()}]
		if !ok { // no route, and a method nobody knows
			g = gauges[routeKey{unknownMethod, ""}]
		}
		c.Request.Pattern = c.FullPath()
		g.begin()
		start := a.Now()
		defer func() {
			took := a.Now().Sub(start)
			if c.Writer.Status() == http.StatusSwitchingProtocols || strings.Contains(c.GetHeader("Prefer"), "wait") {
				took = -1
			}
			g.end(c.Writer.Status(), took)
		}()
		c.Next()
	}
}

// gauges fills in what counts the requests of each route, and those of none.
func (a *API) gauges(routes gin.RoutesInfo, into map[routeKey]gauge) {
	add := func(method, pattern string) {
		begin, end := a.Meter(method, pattern)
		into[routeKey{method, pattern}] = gauge{begin, end}
	}
	for _, r := range routes {
		add(r.Method, r.Path)
	}
	for _, m := range methods {
		add(m, "")
	}
}
