package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"drp/models"
	"drp/server/auth"
)

// TestAPreviewTellsNoSecretAndChangesNothing: with tokens that see more and more of what it needs.
func TestAPreviewTellsNoSecretAndChangesNothing(t *testing.T) {
	a, admin, _ := start(t, config(t))
	admin.must("POST", "/params", `{"Name":"the/secret","Secure":true,"Schema":{"type":"string"}}`, nil)
	admin.must("POST", "/params", `{"Name":"the/secrets","Secure":true,"Schema":{"type":"array","items":{"type":"string"}}}`, nil)
	admin.must("POST", "/profiles", `{"Name":"pp","Params":{"the/secrets":["`+secretText+`"]}}`, nil)
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1","Profiles":["pp"],"Params":{"the/secret":"`+secretText+`","word":"`+visibleText+`"}}`, &m)
	task, err := json.Marshal(models.Task{Name: "tt", Templates: []models.TemplateInfo{
		{Name: "a", Contents: `{{.Param "word"}} {{.Param "the/secret"}} {{.ParamAsJSON "the/secret"}} {{.ParamExpand "the/secret"}} {{.ComposeParam "the/secrets"}} {{.Machine.Params}}`},
		{Name: "b", Contents: `{{.GenerateToken}} {{.GenerateProfileToken "pp" 60}}`},
	}})
	if err != nil {
		t.Fatal(err)
	}
	admin.must("POST", "/tasks", string(task), nil)
	rev := a.objects.View().Rev
	ask := `{"Kind":"tasks","Key":"tt"}`
	path := "/machines/Name:m1/preview"
	holder := func(scopes, actions string) client {
		text, err := a.auth.UserToken(auth.System(), auth.BootstrapUser, auth.Request{Scope: scopes, Action: actions, Specific: "*"})
		if err != nil {
			t.Fatal(err)
		}
		return client{t, admin.url, text}
	}
	for _, c := range []struct {
		says   string
		as     client
		path   string
		body   string
		status int
		secret bool
	}{
		{"all rights", admin, path, ask, 200, false},
		{"all rights, and asked for", admin, path + "?decode=true", ask, 200, true},
		{"machine and task", holder("machines,tasks", "get"), path, ask, 200, false},
		{"machine and task, asked for in vain", holder("machines,tasks", "get"), path + "?decode=true", ask, 403, false},
		{"with the claim", holder("machines,tasks", "get,getSecure"), path + "?decode=true", ask, 200, true},
		{"no machine", holder("tasks", "get"), path, ask, 404, false},
		{"no task", holder("machines", "get"), path, ask, 404, false},
		{"no such task", admin, path, `{"Kind":"tasks","Key":"none"}`, 404, false},
		{"no such kind", admin, path, `{"Kind":"users","Key":"rocketskates"}`, 400, false},
		{"nothing", admin, path, `{}`, 400, false},
		{"no body", admin, path, ``, 400, false},
		{"misspelt", admin, path, `{"Kind":"tasks","Keys":"tt"}`, 400, false},
		{"a key of nothing", admin, path, `{"Key":"tt","Templates":[]}`, 400, false},
	} {
		got := c.as.do("POST", c.path, c.body)
		if got.status != c.status || strings.Contains(string(got.body), secretText) != c.secret {
			t.Errorf("%s: %d %s", c.says, got.status, got.body)
		}
		if c.status != http.StatusOK {
			continue
		}
		var list []models.Previewed
		if err := json.Unmarshal(got.body, &list); err != nil || len(list) != 2 || list[0].Error != nil || list[1].Error != nil {
			t.Fatalf("%s: %v %s", c.says, err, got.body)
		}
		if !strings.Contains(list[0].Content, visibleText) || !c.secret && !strings.Contains(list[0].Content, visibleText+` (hidden) "(hidden)" (hidden) (hidden) `) {
			t.Errorf("%s: %s", c.says, list[0].Content)
		}
		if want := "(token of machine " + m.Uuid + ") (token of profile pp)"; list[1].Content != want {
			t.Errorf("%s: %s", c.says, list[1].Content)
		}
	}
	if now := a.objects.View().Rev; now != rev {
		t.Errorf("revision %d became %d", rev, now)
	}
	admin.must("POST", "/templates", `{"ID":"shared","Contents":"line\n{{.None}}"}`, nil)
	admin.must("POST", "/tasks", `{"Name":"bad","Templates":[{"Name":"a","ID":"shared"}]}`, nil)
	for actions, source := range map[string]string{"machines,tasks": "", "machines,tasks,templates": "line\n{{.None}}"} {
		var list []models.Previewed
		holder(actions, "get").must("POST", path, `{"Kind":"tasks","Key":"bad"}`, &list)
		if e := list[0].Error; e == nil || e.Kind != "templates" || e.Key != "shared" || e.Line != 2 || e.Source != source {
			t.Errorf("%s: %+v", actions, e)
		}
	}
}
