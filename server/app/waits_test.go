package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"drp/models"
)

// waitsOf is what GET /waits shows.
func (c client) waitsOf() (list []models.Waiting) {
	c.t.Helper()
	c.must("GET", "/waits", nil, &list)
	return list
}

func TestWhoWaitsForWhat(t *testing.T) {
	a, admin, _ := start(t, config(t))
	admin.must("POST", "/profiles", `{"Name":"pp"}`, nil)
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1","Profiles":["pp"]}`, &m)
	var token models.UserToken
	admin.must("GET", "/machines/"+m.Uuid+"/token", nil, &token)
	answers := make(chan models.Outcome)
	go func() {
		body := `{"For":{"Kind":"machines","Key":"` + m.Uuid + `","Path":"/Params/my~1members","AtLeast":3,"Aggregate":true}}`
		answers <- client{t, admin.url, token.Token}.wait(body)
	}()
	waiters(a, 1)

	list := admin.waitsOf()
	if len(list) != 1 || list[0].Machine != m.Uuid || list[0].Who != "machine:"+m.Uuid || list[0].Wait.For.Key != m.Uuid || list[0].Since.IsZero() {
		t.Fatalf("one waits: %+v", list)
	}
	if !strings.Contains(list[0].Reason, "machines/"+m.Uuid) || !strings.Contains(list[0].Reason, "3") {
		t.Errorf("what is missing: %q", list[0].Reason)
	}
	for scope, sees := range map[string]int{"profiles": 0, "machines": 1} {
		admin.must("POST", "/roles", fmt.Sprintf(`{"Name":"r-%s","Claims":[{"scope":%q,"action":"get","specific":"*"}]}`, scope, scope), nil)
		admin.must("POST", "/users", fmt.Sprintf(`{"Name":"u-%s","Roles":["r-%s"]}`, scope, scope), nil)
		var u models.UserToken
		admin.must("GET", "/users/u-"+scope+"/token", nil, &u)
		if got := (client{t, admin.url, u.Token}).waitsOf(); len(got) != sees {
			t.Errorf("who may see %s alone sees %d waits, want %d", scope, len(got), sees)
		}
	}
	members, _ := json.Marshal([]string{"a", "b", "c"})
	admin.must("POST", "/profiles/pp/params/my/members", string(members), nil)
	if o := <-answers; o.Result != "holds" {
		t.Errorf("the wait ends with %+v", o)
	}
	if left := admin.waitsOf(); len(left) != 0 {
		t.Errorf("nobody waits any more: %+v", left)
	}
}
