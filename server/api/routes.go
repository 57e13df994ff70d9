package api

import (
	"net/http"
	"runtime/debug"

	"drp/models"
	"drp/server/workflow"

	"github.com/gin-gonic/gin"
)

func stack() string { return string(debug.Stack()) }

const (
	packLimit = 64 << 20 // a content pack, in bytes
	logLimit  = 64 << 20 // one append to a job's log, in bytes
	// eventLimit is that of a posted event, in bytes: as large as an object, of which events tell.
	eventLimit = 1 << 20
)

// Handler is the API. Every route of it stands on this page.
func (a *API) Handler() http.Handler { return a.Router() }

// Router is Handler with its routes open to inspection.
func (a *API) Router() *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.ContextWithFallback = false
	g.RedirectTrailingSlash = false
	g.HandleMethodNotAllowed = false
	gauges := map[routeKey]gauge{}
	g.Use(a.measured(gauges), a.logged, a.sized)
	g.NoRoute(a.elsewhere(g))
	v3 := g.Group("/api/v3")

	for _, k := range models.Kinds {
		if k.Internal {
			continue
		}
		of, one := "/"+k.Name, "/"+k.Name+"/:id"
		if k.Name == "params" { // their names hold slashes
			one = "/params/*id"
		}
		if k.Name == "preferences" { // shown as one map at /prefs
			continue
		}
		v3.GET(of, a.open(a.list(k)))
		v3.HEAD(of, a.open(a.count(k)))
		v3.GET(one, a.open(a.get(k)))
		v3.HEAD(one, a.open(a.get(k)))
		if k.Given {
			v3.GET(one+"/history", a.open(a.historyOf(k)))
			v3.GET("/meta"+one, a.open(a.getMeta(k)))
			continue
		}
		if k.Name == "jobs" {
			v3.POST(of, a.open(wide(a.nextJob)))
		} else {
			v3.POST(of, a.open(once(a.create(k))))
		}
		v3.PUT(one, a.open(once(a.put(k))))
		v3.PATCH(one, a.open(once(a.patch(k))))
		v3.DELETE(one, a.open(once(a.remove(k))))

		metaOf := "/meta" + one
		v3.GET(metaOf, a.open(a.getMeta(k)))
		v3.PATCH(metaOf, a.open(once(a.patchMeta(k))))

		if k.Name == "params" {
			continue
		}
		v3.GET(one+"/history", a.open(a.historyOf(k)))
		actions := one + "/actions"
		if k.Name == "jobs" {
			actions = one + "/plugin_actions"
		}
		v3.GET(actions, a.open(wide(a.actions(k))))
		v3.GET(actions+"/:action", a.open(wide(a.action(k))))
		v3.POST(actions+"/:action", a.open(wide(a.runAction(k))))

		if _, ok := k.New().(models.ParamHolder); ok {
			v3.GET(one+"/params", a.open(a.getParams(k)))
			v3.POST(one+"/params", a.open(once(a.setParams(k))))
			v3.PUT(one+"/params", a.open(once(a.setParams(k))))
			v3.PATCH(one+"/params", a.open(once(a.patchParams(k))))
			v3.GET(one+"/params/*key", a.open(a.getParam(k)))
			v3.POST(one+"/params/*key", a.open(once(a.setParam(k))))
			v3.PUT(one+"/params/*key", a.open(once(a.setParam(k))))
			v3.DELETE(one+"/params/*key", a.open(once(a.removeParam(k))))
			v3.GET(one+"/pubkey", a.open(a.pubkey(k)))
		}
	}

	a.customRoutes(v3)

	v3.POST("/plugin_providers/:id", a.limited(a.largest(), wide(a.uploadProvider)))
	v3.DELETE("/plugin_providers/:id", a.open(wide(a.removeProvider)))
	v3.GET("/plugin_providers/:id/binary", a.open(wide(a.providerProgram)))

	v3.GET("/machines/:id/token", a.open(a.machineToken))
	v3.POST("/machines/:id/preview", a.open(wide(a.preview)))
	v3.POST("/machines/:id/releaseToPool", a.open(wide(once(a.releaseToPool))))
	v3.GET("/pools-active", a.open(wide(a.activePools)))
	v3.GET("/pools/:id/status", a.open(wide(a.poolStatus)))
	for _, verb := range workflow.PoolVerbs() {
		v3.POST("/pools/:id/"+verb, a.open(wide(once(a.movePool(verb)))))
	}
	v3.POST("/whoami", a.open(wide(a.whoami)))
	v3.GET("/users/:id/token", a.open(a.userToken))
	v3.DELETE("/users/:id/token", a.open(a.endToken))
	v3.PUT("/users/:id/password", a.open(a.setPassword))

	v3.DELETE("/jobs", a.open(wide(a.purgeJobs)))
	v3.GET("/jobs/:id/actions", a.open(wide(a.jobActions)))
	v3.GET("/jobs/:id/log", a.open(wide(a.jobLog)))
	v3.HEAD("/jobs/:id/log", a.open(wide(a.jobLog)))
	v3.PUT("/jobs/:id/log", a.limited(logLimit, wide(a.appendJobLog)))

	v3.GET("/contents", a.open(a.listContents))
	v3.POST("/contents", a.limited(packLimit, wide(a.createContent)))
	v3.GET("/contents/:id", a.open(a.getContent))
	v3.PUT("/contents/:id", a.limited(packLimit, wide(a.putContent)))
	v3.DELETE("/contents/:id", a.open(a.removeContent))

	v3.GET("/interfaces", a.open(a.listInterfaces))
	v3.HEAD("/interfaces", a.open(a.countInterfaces))
	v3.GET("/interfaces/:id", a.open(wide(a.getInterface)))
	v3.HEAD("/interfaces/:id", a.open(wide(a.getInterface)))

	a.blobRoutes(v3)
	v3.GET("/prefs", a.open(a.getPrefs))
	v3.POST("/prefs", a.open(a.setPrefs))

	v3.GET("/history", a.open(wide(a.history)))
	v3.POST("/undo", a.open(wide(once(a.undo))))

	v3.GET("/info", a.open(wide(a.info)))
	v3.GET("/objects", a.open(wide(a.objectTypes)))
	v3.GET("/indexes", a.open(wide(a.indexes)))
	v3.GET("/indexes/:type", a.open(wide(a.indexesOf)))
	v3.GET("/indexes/:type/*key", a.open(wide(a.index)))
	v3.POST("/events", a.limited(eventLimit, a.postEvent))
	v3.POST("/wait", a.open(a.wait))
	v3.GET("/waits", a.open(wide(a.listWaits)))
	v3.GET("/ws", a.socket)
	v3.GET("/ws/:endpoint", a.socket)

	v3.GET("/logs", a.open(wide(a.lines)))
	v3.GET("/system/actions", a.open(wide(a.systemActions)))
	v3.GET("/system/actions/:action", a.open(wide(a.systemAction)))
	v3.POST("/system/actions/:action", a.open(wide(a.runSystemAction)))
	v3.POST("/system/upgrade", a.open(wide(a.alone("upgrade", noUpgrade))))
	v3.POST("/system/active", a.open(wide(a.activate)))
	v3.POST("/system/passive", a.open(wide(a.alone("passive", standsAlone))))
	v3.GET("/system/consensus/:key", a.open(wide(a.consensus)))
	v3.POST("/system/consensus/enroll", a.open(wide(a.alone("replicate", standsAlone))))
	v3.POST("/system/consensus/failOverSafe", a.open(wide(a.alone("replicate", standsAlone))))
	v3.DELETE("/system/consensus/node/:key", a.open(wide(a.alone("replicate", standsAlone))))
	v3.GET("/drp_debug/index", a.open(wide(a.tables)))
	v3.GET("/drp_debug/index/:type", a.open(wide(a.tables)))
	v3.GET("/debug/*key", a.open(wide(a.profile)))

	g.GET("/healthz", a.public(a.healthz))
	g.HEAD("/healthz", a.public(a.healthz))
	g.GET("/readyz", a.public(a.readyz))
	g.HEAD("/readyz", a.public(a.readyz))
	g.GET("/metrics", a.showMetrics())
	g.GET("/debug/pprof/*key", a.open(wide(a.profile)))
	a.webRoutes(g)
	a.document(g)
	a.gauges(g.Routes(), gauges)
	return g
}

// customRoutes are those of the kinds that plugin providers define. Which there are is looked up
// with each request, since providers come and go.
func (a *API) customRoutes(v3 *gin.RouterGroup) {
	const of, one = "/:kind", "/:kind/:id"
	v3.GET(of, a.open(a.custom(a.list)))
	v3.HEAD(of, a.open(a.custom(a.count)))
	v3.POST(of, a.open(once(a.custom(a.create))))
	v3.GET(one, a.open(a.custom(a.get)))
	v3.HEAD(one, a.open(a.custom(a.get)))
	v3.PUT(one, a.open(once(a.custom(a.put))))
	v3.PATCH(one, a.open(once(a.custom(a.patch))))
	v3.DELETE(one, a.open(once(a.custom(a.remove))))
	v3.GET("/meta"+one, a.open(a.custom(a.getMeta)))
	v3.PATCH("/meta"+one, a.open(once(a.custom(a.patchMeta))))
	v3.GET(one+"/history", a.open(a.custom(a.historyOf)))
	v3.GET(one+"/actions", a.open(wide(a.custom(a.actions))))
	v3.GET(one+"/actions/:action", a.open(wide(a.custom(a.action))))
	v3.POST(one+"/actions/:action", a.open(wide(a.custom(a.runAction))))
	v3.GET(one+"/params", a.open(a.custom(a.getParams)))
	v3.POST(one+"/params", a.open(once(a.custom(a.setParams))))
	v3.PUT(one+"/params", a.open(once(a.custom(a.setParams))))
	v3.PATCH(one+"/params", a.open(once(a.custom(a.patchParams))))
	v3.GET(one+"/params/*key", a.open(a.custom(a.getParam)))
	v3.POST(one+"/params/*key", a.open(once(a.custom(a.setParam))))
	v3.PUT(one+"/params/*key", a.open(once(a.custom(a.setParam))))
	v3.DELETE(one+"/params/*key", a.open(once(a.custom(a.removeParam))))
	v3.GET(one+"/pubkey", a.open(a.custom(a.pubkey)))
}
