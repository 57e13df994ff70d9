package cli

import (
	"strings"
	"testing"

	packs "drp/content"
)

func TestShippedPacksAreInstalledByName(t *testing.T) {
	for _, name := range packs.Names() {
		s := newServer(t, map[string]string{"GET contents": `[{"meta":{"Name":"BasicStore"}}]`, "POST contents": `201 {"meta":{"Name":"` + name + `"}}`})
		want(t, name, s.call(t, "contents", "install", name).status, 0)
		asked := s.requests()
		want(t, "requests", len(asked), 2)
		if !strings.HasPrefix(asked[1], "POST contents") || !strings.Contains(asked[1], `"Name":"`+name+`"`) || !strings.Contains(asked[1], `"sections":{"`) {
			t.Errorf("sent: %.200s", asked[1])
		}
		want(t, "list", strings.Contains(call{}.drp(t, "contents", "shipped", "-F", "text").out, name), true)
	}
	r := call{}.drp(t, "contents", "install", "gone")
	want(t, "unknown", r, result{"", "Error: install: no pack \"gone\" is shipped with drp; drp contents shipped lists those that are\n", 1})
}
