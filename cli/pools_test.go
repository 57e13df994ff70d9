package cli

import (
	"strings"
	"testing"
)

func TestPoolVerbsAskAsDrpcliDoes(t *testing.T) {
	const none = `"pool/all-machines":false`
	for _, c := range []struct{ args, want string }{
		{"active", "GET pools-active"},
		{"status workers", "GET pools/workers/status"},
		{"manage allocate workers", `POST pools/workers/allocateMachines {` + none + `,"pool/count":1,"pool/minimum":1,"pool/wait-timeout":"","pool/workflow":""}`},
		{"manage add workers --all-machines --source-pool spare -f", `POST pools/workers/addMachines?force=true&source-pool=spare {"pool/all-machines":true,"pool/count":0,"pool/minimum":0,"pool/wait-timeout":"","pool/workflow":""}`},
		{"manage remove workers --machine-list Name:a,Name:b", `POST pools/workers/removeMachines {` + none + `,"pool/count":0,"pool/minimum":0,"pool/machine-list":["Name:a","Name:b"],"pool/wait-timeout":"","pool/workflow":""}`},
		{"manage release workers --count 3 --minimum 2 Arch=amd64 Name re ^w --wait-timeout 30m --new-workflow wf --add-profiles a,b --remove-profiles c --remove-parameters d,e --add-parameters {\"x\":1}",
			`POST pools/workers/releaseMachines {` + none + `,"pool/count":3,"pool/minimum":2,"pool/filter":["Arch=amd64","Name=Re(^w)"],"pool/wait-timeout":"30m","pool/workflow":"wf",` +
				`"pool/add-profiles":["a","b"],"pool/remove-profiles":["c"],"pool/add-parameters":{"x":1},"pool/remove-parameters":["d","e"]}`},
	} {
		s := newServer(t, map[string]string{"GET pools-active": "[]", "GET pools/workers/status": "{}", "POST pools/workers/allocateMachines": "[]",
			"POST pools/workers/addMachines": "[]", "POST pools/workers/removeMachines": "[]", "POST pools/workers/releaseMachines": "[]"})
		r := s.call(t, append([]string{"pools"}, strings.Fields(c.args)...)...)
		want(t, c.args+": status", r.status, 0)
		want(t, c.args, strings.Join(s.requests(), "\n"), c.want)
	}
	s := newServer(t, map[string]string{"POST machines/Name:m1/releaseToPool": "[]"})
	want(t, "releaseToPool", s.call(t, "machines", "releaseToPool", "Name:m1"), result{"[]\n", "", 0})
	for args, text := range map[string]string{
		"status":                                "Must provide a pool",
		"active now":                            "Does not take parameters",
		"manage add":                            "Must specify a pool id",
		"manage add x --count 1 --all-machines": "Must choose count or all-machines, but not both",
		"manage add x --count 1 --machine-list y": "machine-list must not be specified with count or all-machines",
		"manage add x --count 1 --minimum 2":      "count must be greater than minimum",
		"manage add x --add-parameters 5":         "add-parameters is not a valid JSON or YAML string or file",
		"status gone":                             "Failed to get pool status for gone: GET: x/y: Not Found",
		"manage add x nonsense":                   "nonsense is no filter",
	} {
		r := s.call(t, append([]string{"pools"}, strings.Fields(args)...)...)
		if r.status != 1 || !strings.HasPrefix(r.err, "Error: "+text) {
			t.Errorf("%s: got %d %s, want %s", args, r.status, r.err, text)
		}
	}
}
