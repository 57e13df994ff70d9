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
	admin.must("POST", "/profiles", `{"Name":"other"}`, nil)
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1","Profiles":["pp"]}`, &m)
	var token models.UserToken
	admin.must("GET", "/machines/"+m.Uuid+"/token", nil, &token)
	answers := make(chan models.Outcome)
	go func() {
		answers <- client{t, admin.url, token.Token}.wait(`{"For":{"Kind":"profiles","Key":"pp","Path":"/Params/my~1members","AtLeast":3}}`)
	}()
	waiters(a, 1)

	list := admin.waitsOf()
	if len(list) != 1 || list[0].Machine != m.Uuid || list[0].Who != "machine:"+m.Uuid || list[0].Wait.For.Key != "pp" || list[0].Since.IsZero() {
		t.Fatalf("one waits: %+v", list)
	}
	if !strings.Contains(list[0].Reason, "profiles/pp: ") || !strings.Contains(list[0].Reason, "3") {
		t.Errorf("what is missing: %q", list[0].Reason)
	}
	for specific, sees := range map[string]int{"other": 0, "pp": 1} {
		claims := fmt.Sprintf(`[{"scope":"profiles","action":"get","specific":%q},{"scope":"machines","action":"get","specific":"*"}]`, specific)
		admin.must("POST", "/roles", fmt.Sprintf(`{"Name":"r-%s","Claims":%s}`, specific, claims), nil)
		admin.must("POST", "/users", fmt.Sprintf(`{"Name":"u-%s","Roles":["r-%s"]}`, specific, specific), nil)
		var u models.UserToken
		admin.must("GET", "/users/u-"+specific+"/token", nil, &u)
		if got := (client{t, admin.url, u.Token}).waitsOf(); len(got) != sees {
			t.Errorf("who may see %s alone sees %d waits, want %d", specific, len(got), sees)
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
