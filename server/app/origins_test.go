package app

import (
	"strings"
	"testing"

	"drp/models"
)

// TestOriginsOfParams over HTTP: for all params and for one, with defaults, and of a profile.
func TestOriginsOfParams(t *testing.T) {
	_, admin, _ := start(t, config(t))
	ann := origins(t, admin)
	const (
		fallback = `{"Value":"none","Kind":"params","Key":"lead","Via":[]}`
		global   = `{"Value":"g","Kind":"profiles","Key":"global","Via":[]}`
		staged   = `{"Value":"s","Kind":"profiles","Key":"inner","Via":["stages/st","profiles/outer"]}`
		own      = `"Value":"m","Kind":"machines","Key":"` + originsMachine + `","Via":[]`
	)
	for _, c := range []struct {
		who        client
		path, want string
	}{
		{admin, "/machines/Name:m1/params/lead?origins=true", `{` + own + `,"Overrides":[` + staged + `,` + global + `,` + fallback + `]}`},
		{admin, "/machines/Name:m1/params?aggregate=true&origins=true&params=lead", `{"lead":{` + own + `,"Overrides":[` + staged + `,` + global + `,` + fallback + `]}}`},
		{admin, "/machines/Name:m1/params/nowhere?origins=true", `null`},
		{admin, "/machines/Name:m1/params/only?origins=true", `{"Value":1,"Kind":"params","Key":"only","Via":[],"Overrides":[]}`},
		{admin, "/profiles/outer/params/lead?origins=true", `{"Value":"s","Kind":"profiles","Key":"inner","Via":[],"Overrides":[` + fallback + `]}`},
		{ann, "/machines/Name:m1/params/lead?origins=true", `{` + own + `,"Overrides":[` + global + `]}`}, // sees one profile
	} {
		if got := c.who.do("GET", c.path, nil); got.status != 200 || strings.TrimSpace(string(got.body)) != c.want {
			t.Errorf("%s: got %d %s, want %s", c.path, got.status, got.body, c.want)
		}
	}
}

// TestOriginsKeepSecrets: sealed without decode, and overridden ones are for those who may see them
// where they are.
func TestOriginsKeepSecrets(t *testing.T) {
	_, admin, _ := start(t, config(t))
	ann := origins(t, admin)
	const path = "/machines/Name:m1/params/secret?origins=true"
	for _, c := range []struct {
		who        client
		path       string
		own, other bool
	}{
		{admin, path, false, false}, {ann, path, false, false}, {admin, path + "&decode=true", true, true}, {ann, path + "&decode=true", true, false},
	} {
		got := c.who.do("GET", c.path, nil)
		if got.status != 200 || strings.Contains(string(got.body), "own-secret") != c.own || strings.Contains(string(got.body), "other-secret") != c.other {
			t.Errorf("%s: got %d %s", c.path, got.status, got.body)
		}
	}
	if got := ann.do("GET", "/profiles/global/params?origins=true&decode=true", nil); got.status != 403 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

const originsMachine = "11111111-1111-4111-8111-111111111111"

// origins makes a machine that has the param lead on four levels, and a user who may see the machine
// with its secrets and the profile global.
func origins(t *testing.T, admin client) client {
	for _, o := range [][2]string{
		{"params", `{"Name":"lead","Schema":{"type":"string","default":"none"}}`}, {"params", `{"Name":"only","Schema":{"default":1}}`}, {"params", `{"Name":"secret","Secure":true}`},
		{"profiles", `{"Name":"inner","Params":{"lead":"s"}}`}, {"profiles", `{"Name":"outer","Profiles":["inner"]}`},
		{"stages", `{"Name":"st","Profiles":["outer"]}`},
		{"machines", `{"Name":"m1","Uuid":"` + originsMachine + `","Stage":"st","Params":{"lead":"m","secret":"own-secret"}}`},
		{"roles", `{"Name":"ann","Claims":[{"scope":"machines","action":"get,getSecure","specific":"*"},{"scope":"profiles","action":"get","specific":"global"}]}`},
		{"users", `{"Name":"ann","Roles":["ann"]}`},
	} {
		admin.must("POST", "/"+o[0], o[1], nil)
	}
	admin.must("PATCH", "/profiles/global/params", `[{"op":"add","path":"/lead","value":"g"},{"op":"add","path":"/secret","value":"other-secret"}]`, nil)
	var u models.UserToken
	admin.must("GET", "/users/ann/token", nil, &u)
	return client{t, admin.url, u.Token}
}
