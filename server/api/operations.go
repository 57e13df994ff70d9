package api

import (
	"net/http"
	"strings"

	"drp/models"
)

// pathParams are the parts of paths that stand for something.
var pathParams = map[string]string{
	"id": "key of the object, or INDEX:VALUE of a unique index", "key": "name", "action": "name of the action", "type": "a kind, such as machines",
	"kind": "a kind that a plugin provider defines", "endpoint": "id of this server", "path": "path of the file",
}

var (
	yes     = true
	boolean = &schema{Type: "boolean"}
	integer = &schema{Type: "integer"}
)

// queryParams are the names that queries may have.
var queryParams = map[string]parameter{
	"filter": {Description: "filters, all of which must hold: FIELD=VALUE or FIELD=Op(VALUE) with Eq, Ne, Lt, Lte, Gt, Gte, Between, Except, In, Nin or Re; " +
		"instead of a field the name of a param, or Meta.KEY", Style: "form", Explode: &yes, Schema: &schema{Type: "object", AdditionalProperties: &schema{Type: "string"}}},
	"limit":   {Description: "at most this many", Schema: integer},
	"offset":  {Description: "leave out this many at the start", Schema: integer},
	"sort":    {Description: "order by this index, param or Meta.KEY instead of the key"},
	"reverse": {Description: "last first", Schema: boolean},
	"slim":    {Description: "leave these empty: Params, Meta or both, separated by a comma"},
	"params":  {Description: "only these params, separated by commas"},
	"decode":  {Description: "show secure params in the clear; needs the claim getSecure", Schema: boolean},
	"at":      {Description: "as it was at a revision, a time, or some time ago: 17, 2026-11-21T15:00:00Z, 1h"},
	"force":   {Description: "relax checks, such as that of a stage change with pending tasks", Schema: boolean},

	"aggregate": {Description: "the values that are in force, of profiles, stage and defaults too", Schema: boolean},
	"origins":   {Description: "where the values in force come from and what they override", Schema: boolean},
	"compose":   {Description: "merge maps and join lists of all sources", Schema: boolean},
	"plugin":    {Description: "only of this plugin"},
	"ttl":       {Description: "how long the token is good: seconds, or a number with a unit such as 1h, 30d, 3y"},
	"scope":     {Description: "narrow the token to this scope"},
	"action":    {Description: "narrow the token to these actions"},
	"specific":  {Description: "narrow the token to these objects"},
	"roles":     {Description: "only these roles, separated by commas"},
	"os":        {Description: "only templates for this operating system"},
	"path":      {Description: "the folder"},
	"all":       {Description: "with all folders below", Schema: boolean},
	"explode":   {Description: "unpack what was uploaded", Schema: boolean},
	"who":       {Description: "only changes by this user, machine or profile"},
	"job":       {Description: "only changes made for this job"},
	"since":     {Description: "only changes after a revision, a time, or some time ago"},
	"from":      {Description: "only changes from a revision or time on"},
	"to":        {Description: "only changes up to a revision or time"},
	"oldest":    {Description: "the oldest first", Schema: boolean},
	"kind":      {Description: "only changes of this kind"},
	"key":       {Description: "only changes of the object of this key"},
	"token":     {Description: "a token, for browsers, which cannot set headers here"},
	"seconds":   {Description: "how long to measure", Schema: integer},

	"replaceWritable": {Description: "objects of the pack take the place of writable ones with the same keys", Schema: boolean},
	"machine":         {Description: "only jobs of this machine"},
	"late":            {Description: "wait also after the end of the job, since the tail of its log may come then", Schema: boolean},
	"dryrun":          {Description: "only count", Schema: boolean},
	"jobsToKeep":      {Description: "how many jobs of each machine stay", Schema: integer},
	"source-pool":     {Description: "take machines from this pool"},
	"reexplodeIsos":   {Description: "unpack the images again", Schema: boolean},
	"waitFor":         {Description: "how long to wait"},

	"failedJobsPurgedAfter":   {Description: "failed jobs go after this time"},
	"completeJobsPurgedAfter": {Description: "finished jobs go after this time"},
}

var (
	listQuery   = []string{"filter", "limit", "offset", "sort", "reverse", "slim", "params", "decode", "at"}
	showQuery   = []string{"slim", "params", "decode", "aggregate", "at"}
	pastQuery   = []string{"who", "job", "since", "from", "to", "oldest", "limit"}
	paramsQuery = []string{"aggregate", "origins", "decode", "params"}
)

// ofKind are the routes that every kind has, by what follows the kind.
func ofKind(k *models.KindInfo, o any) map[string]route {
	list := listOf(o)
	return map[string]route{
		"GET ":    {summary: "List " + k.Name, more: "HEAD counts them in X-DRP-LIST-FILTER-COUNT.", out: list, query: listQuery},
		"POST ":   {summary: "Create one of " + k.Name, more: "What is left out gets its default.", in: input{o}, out: o, status: http.StatusCreated, query: []string{"force"}},
		"GET /id": {summary: "Show one of " + k.Name, more: "With If-None-Match and Prefer: wait=30s the answer comes when the object changes, or 304 after that time. HEAD tells whether it exists.", out: o, query: showQuery},
		"PUT /id": {summary: "Replace one of " + k.Name, in: input{o}, out: o, query: []string{"force"}},
		"PATCH /id": {summary: "Change one of " + k.Name, more: "The patch is atomic; of several that test the same value one wins, the others get 409.",
			in: patchOf{}, out: o, query: []string{"force"}},
		"DELETE /id":              {summary: "Delete one of " + k.Name, more: "The answer is the object as it was.", out: o, query: []string{"force"}},
		"GET /meta":               {summary: "Show the Meta of one of " + k.Name, out: map[string]string{}},
		"PATCH /meta":             {summary: "Change the Meta of one of " + k.Name, in: patchOf{}, out: map[string]string{}},
		"GET /id/history":         {summary: "Tell who changed one of " + k.Name, out: []models.HistoryEntry{}, query: pastQuery},
		"GET /id/actions":         {summary: "List the actions that plugins offer for one of " + k.Name, out: []models.AvailableAction{}, query: []string{"plugin"}},
		"GET /id/actions/action":  {summary: "Show one action", out: models.AvailableAction{}, query: []string{"plugin"}},
		"POST /id/actions/action": {summary: "Run an action", more: "The body has the params of the action, the answer is the plugin's.", in: map[string]any{}, out: anyJSON{}, query: []string{"plugin"}},
		"GET /id/params":          {summary: "Show the params of one of " + k.Name, more: "With origins=true, instead of each value: Value, the Kind and Key of the object it comes from (params: the default), Via, how that comes into it, and Overrides.", out: models.Params{}, query: paramsQuery},
		"POST /id/params":         {summary: "Replace all params of one of " + k.Name, in: models.Params{}, out: models.Params{}},
		"PUT /id/params":          {summary: "Replace all params of one of " + k.Name, in: models.Params{}, out: models.Params{}},
		"PATCH /id/params":        {summary: "Change params of one of " + k.Name, more: "A slash in the name of a param is ~1 in a path.", in: patchOf{}, out: models.Params{}},
		"GET /id/params/key":      {summary: "Show one param", more: "null if it is not set. With origins=true Value, Kind, Key, Via and Overrides.", out: anyJSON{}, query: []string{"aggregate", "origins", "decode", "compose"}},
		"POST /id/params/key":     {summary: "Set one param", in: anyJSON{}, out: anyJSON{}},
		"PUT /id/params/key":      {summary: "Set one param", in: anyJSON{}, out: anyJSON{}},
		"DELETE /id/params/key":   {summary: "Remove one param", more: "The answer is the value it had.", out: anyJSON{}},
		"GET /id/pubkey":          {summary: "Show the key that secure params are sealed with", more: "Base64 of 32 bytes.", out: ""},
	}
}

// singles are the routes beside those of the kinds.
var singles = map[string]route{
	"GET /machines/:id/token": {summary: "Make a token for a machine", out: models.UserToken{}, query: []string{"ttl"}},
	"POST /machines/:id/preview": {summary: "Render what a machine would get", more: "The templates of a task, stage or boot environment, or those in the body. Nothing changes; where tokens would be " +
		"there are words about them. Each template tells its own error, with its line.", in: models.Preview{}, out: []models.Previewed{}, query: []string{"decode"}},
	"GET /users/:id/token": {summary: "Make a token for a user", more: "It allows no more than who asks for it may do.", out: models.UserToken{},
		query: []string{"ttl", "scope", "action", "specific", "roles"}},
	"DELETE /users/:id/token": {summary: "End the token that the request carries", more: "For good, with the event streams it has opened. Other tokens of the user live on.", status: http.StatusNoContent},
	"PUT /users/:id/password": {summary: "Change the password of a user", more: "All tokens of the user end.", in: struct{ Password string }{}, out: models.User{}},

	"POST /jobs": {summary: "Make the next job of a machine", more: "201 and the new job; 202 and the present one that is incomplete; 204 if there is nothing to do; 409 while one is running.",
		in: input{models.Job{}}, out: models.Job{}, status: http.StatusCreated},
	"DELETE /jobs": {summary: "Delete old jobs", more: "Without a query the preferences say which.", out: models.Purged{},
		query: []string{"machine", "dryrun", "jobsToKeep", "failedJobsPurgedAfter", "completeJobsPurgedAfter"}},
	"GET /jobs/:id/actions": {summary: "Render the scripts of a job", out: []models.JobAction{}, query: []string{"os"}},
	"GET /jobs/:id/log": {summary: "Read the log of a job", more: "With Range: bytes=N- the part after N bytes (206). With Prefer: wait=30s as well the answer comes when there is more, " +
		"or is 204 after that time or when the job has ended; X-DRP-JOB-STATE tells how it stands.", out: blob{}, query: []string{"late"}},
	"PUT /jobs/:id/log": {summary: "Append to the log of a job", in: blob{}, status: http.StatusNoContent},

	"GET /contents":        {summary: "List the content packs", out: []models.ContentSummary{}},
	"POST /contents":       {summary: "Load a content pack", in: input{models.Content{}}, out: models.ContentSummary{}, status: http.StatusCreated, query: []string{"replaceWritable"}},
	"GET /contents/:id":    {summary: "Show a content pack with its objects", out: models.Content{}},
	"PUT /contents/:id":    {summary: "Replace a content pack", more: "If it cannot be loaded, all stays as it was.", in: input{models.Content{}}, out: models.ContentSummary{}, query: []string{"replaceWritable"}},
	"DELETE /contents/:id": {summary: "Remove a content pack", status: http.StatusNoContent},

	"GET /prefs":  {summary: "Show the preferences of the server", out: map[string]string{}},
	"POST /prefs": {summary: "Change preferences", more: "All of them or none. The answer has all preferences.", in: map[string]string{}, out: map[string]string{}, status: http.StatusCreated},

	"GET /files":         {summary: "List the files of a folder", more: "Folders end in a slash.", out: []string{}, query: []string{"path", "all"}},
	"GET /files/*key":    {summary: "Download a file", more: "With ranges, and If-None-Match; the ETag is the SHA-256.", out: anything{}},
	"POST /files/*key":   {summary: "Upload a file", more: "It appears as a whole or not at all. multipart/form-data with a part file will do as well.", in: blob{}, out: blobInfo{}, status: http.StatusCreated, query: []string{"explode"}},
	"DELETE /files/*key": {summary: "Delete a file, or an empty folder", status: http.StatusNoContent},
	"GET /isos":          {summary: "List the ISO images", out: []string{}, query: []string{"path", "all"}},
	"GET /isos/*key":     {summary: "Download an ISO image", out: anything{}},
	"POST /isos/*key":    {summary: "Upload an ISO image", more: "Boot environments that need it become available once it is unpacked.", in: blob{}, out: blobInfo{}, status: http.StatusCreated},
	"DELETE /isos/*key":  {summary: "Delete an ISO image", status: http.StatusNoContent},

	"GET /history": {summary: "Tell who changed what", out: []models.HistoryEntry{}, query: append([]string{"kind", "key"}, pastQuery...)},
	"POST /undo":   {summary: "Take changes back", more: "409 names the later change that stands against it.", in: models.Undo{}, out: models.Undone{}},

	"GET /info":               {summary: "Show what the server says of itself", out: models.Info{}},
	"GET /objects":            {summary: "List the kinds of objects", out: []string{}},
	"GET /indexes":            {summary: "List what objects can be found by, by kind", out: map[string]map[string]models.Index{}},
	"GET /indexes/:type":      {summary: "List what objects of a kind can be found by", out: map[string]models.Index{}},
	"GET /indexes/:type/*key": {summary: "Show one index", out: models.Index{}},
	"POST /events":            {summary: "Send an event to all who watch", in: input{models.Event{}}, status: http.StatusNoContent},
	"POST /whoami":            {summary: "Find out which machine a host is", more: "Result names the machine that resembles it most, and has a token of it; it is empty when none does.", in: models.Whoami{}, out: models.Whoami{}},
	"POST /wait":              {summary: "Wait until something is true", in: models.Wait{}, out: models.Outcome{}},
	"GET /waits":              {summary: "List who waits, for what, and what is missing", more: "At POST /wait, or by a long poll (GET with If-None-Match and Prefer: wait), which is shown as a wait for any change Since. Waits for what the caller may see. Events of type waits tell when somebody begins (create) or ends (delete) to wait.", out: []models.Waiting{}},
	"GET /ws":                 {summary: "Watch events", more: "A websocket: send register TYPE.ACTION.KEY.", out: upgrade{}, status: http.StatusSwitchingProtocols, query: []string{"token"}},
	"GET /ws/:endpoint":       {summary: "Watch the events of the server of this id", out: upgrade{}, status: http.StatusSwitchingProtocols, query: []string{"token"}},

	"GET /pools/:id/status":            {summary: "List the machines of a pool by their status", more: "A pool needs no object of its own.", out: map[string][]models.PoolResult{}},
	"GET /pools-active":                {summary: "List the pools that have machines", out: []string{}},
	"POST /pools/:id/addMachines":      {summary: "Take machines into a pool", in: models.PoolRequest{}, out: []models.PoolResult{}, query: []string{"force", "source-pool"}},
	"POST /pools/:id/removeMachines":   {summary: "Take machines out of a pool", in: models.PoolRequest{}, out: []models.PoolResult{}, query: []string{"force"}},
	"POST /pools/:id/allocateMachines": {summary: "Take machines of a pool into use", more: "Nobody else gets the same ones.", in: models.PoolRequest{}, out: []models.PoolResult{}, query: []string{"force"}},
	"POST /pools/:id/releaseMachines":  {summary: "Give machines of a pool back", in: models.PoolRequest{}, out: []models.PoolResult{}, query: []string{"force"}},
	"POST /machines/:id/releaseToPool": {summary: "Give a machine back to its pool", out: []models.PoolResult{}},
	"DELETE /bootenvs/:id/purgeLocal":  {summary: "Remove what was unpacked for a boot environment", more: "The body is a list of architectures; without one all.", in: []string{}, status: http.StatusNoContent, query: []string{"reexplodeIsos"}},

	"GET /interfaces":     {summary: "List the network interfaces of the server's host", out: []models.Interface{}, query: listQuery},
	"GET /interfaces/:id": {summary: "Show one network interface", out: models.Interface{}},

	"GET /logs":            {summary: "Read the newest lines of the server's log", out: []models.LogLine{}},
	"POST /system/upgrade": {summary: "Refused: this server does not replace itself", status: http.StatusConflict},
	"GET /system/cert":     {summary: "Show the certificate of the API and its key", more: "Both are PEM in base64. Needs the claim system cert.", out: certificate{}},
	"POST /system/cert":    {summary: "Replace the certificate of the API and its key", more: "At once and for good; they must fit each other.", in: certificate{}, out: struct{}{}},
	"GET /static/cert":     {summary: "Show the certificate of the file port and its key", more: "Both are PEM in base64. Needs the claim system cert.", out: certificate{}},
	"POST /static/cert":    {summary: "Replace the certificate of the file port and its key", more: "At once and for good; they must fit each other.", in: certificate{}, out: struct{}{}},

	"GET /system/actions":          {summary: "List the actions that plugins offer for the server as a whole", out: []models.AvailableAction{}, query: []string{"plugin"}},
	"GET /system/actions/:action":  {summary: "Show one action", out: models.AvailableAction{}, query: []string{"plugin"}},
	"POST /system/actions/:action": {summary: "Run an action", more: "The body has the params of the action, the answer is the plugin's.", in: map[string]any{}, out: anyJSON{}, query: []string{"plugin"}},

	"POST /plugin_providers/:id": {summary: "Upload the program of a plugin provider", more: "It runs with the rights of the server, so only those may upload one who may do everything. " +
		"multipart/form-data with a part file will do as well.", in: blob{}, out: models.PluginProviderUpload{}, status: http.StatusCreated, query: []string{"replaceWritable"}},
	"DELETE /plugin_providers/:id":     {summary: "Remove a plugin provider with its program, content and files", more: "Objects of the kinds it defines stay, out of sight, until it returns.", out: models.PluginProvider{}},
	"GET /plugin_providers/:id/binary": {summary: "Download the program of a plugin provider", out: anything{}},

	"POST /system/active":                {summary: "Make this server the one that works", more: "One that stands alone is.", out: models.ClusterState{}},
	"POST /system/passive":               {summary: "Refused: this server stands alone", status: http.StatusConflict},
	"GET /system/consensus/:key":         {summary: "Tell about the servers that stand together", more: "id, leader, active, peers, state, fullstate or introduction.", out: anyJSON{}},
	"POST /system/consensus/enroll":      {summary: "Refused: this server stands alone", status: http.StatusConflict},
	"DELETE /system/consensus/node/:key": {summary: "Refused: this server stands alone", status: http.StatusConflict},
	"GET /drp_debug/index":               {summary: "Count the objects of every kind", out: map[string]any{}},
	"GET /drp_debug/index/:type":         {summary: "Count the objects of a kind", out: map[string]any{}},
	"GET /debug/*key":                    {summary: "Profile the server", out: anything{}, query: []string{"seconds"}},

	"POST /system/consensus/failOverSafe": {summary: "Refused: this server stands alone", status: http.StatusConflict, query: []string{"waitFor"}},
}

// outside are the routes that do not lie below /api/v3.
var outside = map[string]route{
	"GET /healthz":          {summary: "Tell that the server is alive", out: map[string]string{}, open: true},
	"GET /readyz":           {summary: "Tell whether the server can do its work", more: "503 and the reasons if not.", out: map[string]string{}, open: true},
	"GET /metrics":          {summary: "Read the metrics", more: "In the text format of Prometheus.", out: text{}},
	"GET /debug/pprof/*key": {summary: "Profile the server", out: anything{}, query: []string{"seconds"}},
	"GET /swagger.json":     {summary: "Read this document", out: map[string]any{}, open: true},
	"GET /swagger-ui":       {summary: "Read this document as a page", out: anything{}, open: true},
	"GET /swagger-ui/:key":  {summary: "A part of that page", out: anything{}, open: true},
	"GET /":                 {summary: "Go to the web UI", status: http.StatusFound, open: true},
	"GET /ui":               {summary: "Go to the web UI", status: http.StatusFound, open: true},
	"GET /ui/*key":          {summary: "A file of the web UI", more: "Without a name its page.", out: anything{}, open: true},
}

// routeOf finds the description of a route.
func routeOf(method, path string) (route, bool) {
	rest, inside := strings.CutPrefix(path, "/api/v3")
	if !inside {
		r, ok := outside[method+" "+path]
		return r, ok
	}
	if r, ok := singles[method+" "+rest]; ok {
		return r, true
	}
	prefix := ""
	if below, ok := strings.CutPrefix(rest, "/meta"); ok {
		prefix, rest = "/meta", below
	}
	name, below, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	k, known := models.KindOf(name)
	var o any = models.Custom{}
	switch {
	case name == ":kind":
		k = &models.KindInfo{Name: "the objects of the kind"}
	case known:
		o = elem(k.New())
	default:
		return route{}, false
	}
	suffix := ""
	if below != "" {
		suffix = "/" + strings.NewReplacer(":", "", "*", "", "plugin_actions", "actions").Replace(below)
	}
	if prefix != "" {
		suffix = "/meta"
	}
	r, ok := ofKind(k, o)[method+" "+suffix]
	return r, ok
}

// blobInfo is what an upload answers with.
type blobInfo struct {
	Path string
	Size int64
}
