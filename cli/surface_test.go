package cli

import (
	"reflect"
	"strings"
	"testing"

	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What drpcli v4.8 can be called with, for every kind of object. K is the kind, and ID a key.
var commonCalls = []string{
	"K", "K list", "K list Key=ID", "K list Key Eq ID", "K list Key=Re(a.*) Available=true", "K list sort Key limit 2 offset 1", "K list --limit 2 --offset 1",
	"K list -F table -J Key,Available -H -j 20", "K count", "K count Key=ID", "K indexes", "K show ID", "K show Key:ID", "K show ID -F yaml", "K show ID --wait 1s --etag e",
	"K exists ID", "K exists ID --wait 1s --etag e", "K etag ID",
}

// madeCalls are for kinds that callers make, too.
var madeCalls = []string{
	"K create {}", "K create -", "K create ID -f", "K update ID {}", "K update ID - -f", "K update ID {} -r {}", "K patch ID []",
}

var storedCalls = []string{
	"K destroy ID", "K wait ID Available true", "K wait ID Available true 10",
	"K meta ID", "K meta get ID key k", "K meta set ID key k to v", "K meta add ID key k val v", "K meta remove ID key k",
	"K PLUGIN_actions ID", "K PLUGIN_actions ID --plugin p", "K action ID a", "K action ID a --plugin p",
	"K runaction ID a", "K runaction ID a {}", "K runaction ID a -", "K runaction ID a p 1 q 2 --plugin p",
}

var paramCalls = []string{
	"K list --slim Params,Meta --params a,b --decode", "K show ID --slim Params --params a --decode",
	"K params ID", "K params ID --aggregate --decode", "K params ID --origins", "K params ID {}", "K params ID {} -r {}",
	"K get ID param p", "K get ID param p --aggregate --compose --decode", "K get ID param p --origins", "K set ID param p to 1", "K set ID param p to - -r 1",
	"K add ID param p to 1", "K remove ID param p", "K remove ID param p -r 1", "K uploadiso ID",
}

var profileCalls = []string{"K addprofile ID p", "K addprofile ID p q -r {}", "K removeprofile ID p q"}

// ownCalls are those of one kind, or of none. A call of many words may stand on several lines.
var ownCalls = `
bootenvs install file.yml
bootenvs install file.yml isos --skip-download
bootenvs uploadiso b --arch amd64
bootenvs purgeLocalInstall b amd64 arm64 --reexplodeIsos

catalog show -c catalog.json
catalog show --catalog https://repo.example.com
catalog items
catalog item show i
catalog item download i --version tip --arch arm64 --os linux
catalog item download i to f
catalog item install i --version stable --replace-writable
catalog item install i --replaceWritable
catalog updateLocal --version stable --tip --concurrency 3
catalog create --pkg-version stable

certs csr root cn
certs csr root cn host1 host2

contents list
contents show c
contents exists c
contents create {} --replace-writable
contents update c {} --replaceWritable
contents upload - --replaceWritable
contents destroy c
contents bundle f.yaml
contents bundle f.json Name=a Version=v1
contents unbundle f.yaml
contents bundlize f.yaml Name=a profiles:b tasks:Name=c --delete --reload
contents convert f.yaml
contents document f.yaml
contents document-md f.yaml

events watch
events watch machines.*.* jobs.create.*
events post {}

extended -l racks list
extended --ldata racks show r1
extended list -l racks
extended create {} -l racks

files list
files list folder
files upload f
files upload f as g --explode
files download f
files download f to g
files show f
files get f to -
files exists f
files static f
files destroy f
files certs get c k
files certs set c k
isos list
isos upload f as g
isos download f to g
isos get f
isos exists f
isos destroy f

info get
info status

jobs create {}
jobs create Name:m
jobs actions j
jobs actions j --for-os linux
jobs log j
jobs log j -
jobs log j text
jobs purge
jobs cancel j --why x
jobs retry j
jobs log j --follow

logs get
logs watch
waits list

machines workflow m w
machines workflow m w -f
machines stage m s
machines bootenv m b -r {}
machines run m
machines pause m
machines addtask m t u -r {}
machines removetask m t u
machines inserttask m t
machines inserttask m t 2
machines tasks add m t u
machines tasks add m at 0 t u
machines tasks del m t u
machines jobs create m
machines jobs current m
machines jobs state m to failed
machines inspect jobs m
machines inspect jobs m 0 --full
machines inspect tasks m t
machines inspect tasks m t 1 -A
machines currentlog m
machines deletejobs m
machines token m --ttl 1h
machines whoami
machines releaseToPool m
machines processjobs
machines processjobs m --oneshot --exit-on-failure --context c --stateDir /tmp --skip-power --skip-runnable
machines processjobs m --state-dir /tmp

objects list

plugin_providers upload p
plugin_providers upload p from f --replace-writable
plugin_providers upload p from f --replaceWritable
plugin_providers download p
plugin_providers download p to f
plugin_providers destroy p

pools active
pools status p
pools manage add p
pools manage add p Name=a --source-pool q --count 2 --minimum 1
pools manage remove p --all-machines
pools manage allocate p Name=a --machine-list a,b --wait-timeout 30m --new-workflow w
pools manage release p --add-profiles a --remove-profiles b --add-parameters {} --remove-parameters c

prefs list
prefs set {}
prefs set -
prefs set a b c d

stages bootenv s b
stages addtask s t u
stages removetask s t

subnets range s 10.0.0.1 10.0.0.2
subnets subnet s 10.0.0.0/24
subnets strategy s MAC
subnets pickers s hint,nextFree
subnets nextserver s 10.0.0.1
subnets leasetimes s 60 7200
subnets set s option 6 to 8.8.8.8
subnets get s option 6

support bundle
support bundle --since yesterday --dr-user dr-provision --drp-basedir /var/lib/dr-provision --extra-dirs job-logs

system actions
system actions --plugin p
system action a
system runaction a
system runaction a {}
system runaction a p 1 q 2
system upgrade f.zip
system active
system passive
system certs get c k
system certs set c k
system ha id
system ha leader
system ha active
system ha peers
system ha state
system ha dump
system ha introduction
system ha enroll {}
system ha failOverSafe
system ha failOverSafe 30s
system ha remove id

templates upload f as t
templates preview f m

tasks preview t m --os any --decode
stages preview s m
bootenvs preview b m

users password u p
users passwordhash p
users token u
users token u ttl 600 scope machines action get specific *

agent install
agent remove
agent start
agent stop
agent restart
agent status
autocomplete f
debug profile f --seconds 2
debug index f --prefix machines
fingerprint
gohai
proxy socket
version

version -E https://10.0.0.1:8092 -U u -P p -T t -d -x -X -N -H -F table -J Name -j 10 -f -r {} -t debug -Z word -u other -C 0=32;1=33 -c f -D http://p:3128 -g
version --endpoint e --username u --password p --token t --debug --no-token --exit-early --no-color --no-header --format json --print-fields a
version --truncate-length 3 --force --ref {} --trace debug --trace-token w --url-proxy o --colors 0=32 --catalog c --download-proxy p
version --noToken --traceToken w --exitEarly
`

// lackingCalls need what is no part of drp; drp says so in one sentence.
var lackingCalls = `
system signurl https://repo.example.com/pack.json
bootenvs fromAppleNBI dir
net phys
net compile plan to systemd at dir --phys f --bindMac=false
net generate systemd for u at dir --bind-mac=false
net autogen a b --bindMac
`

func TestEveryCallOfDrpcliIsAPossibleCall(t *testing.T) {
	calls := strings.Split(ownCalls+lackingCalls, "\n")
	for _, k := range models.Kinds {
		if k.Internal || k.Name == "preferences" {
			continue
		}
		mine := commonCalls
		switch {
		case k.Given:
		case k.Name == "leases":
			mine = append(mine[:len(mine):len(mine)], storedCalls...)
		default:
			mine = append(append(mine[:len(mine):len(mine)], madeCalls...), storedCalls...)
		}
		if _, ok := k.New().(models.ParamHolder); ok {
			mine = append(mine, paramCalls...)
		}
		if _, ok := k.New().(models.ProfileHolder); ok {
			mine = append(mine, profileCalls...)
		}
		plugin := ""
		if k.Name == "jobs" {
			plugin = "plugin_"
		}
		for _, c := range mine {
			calls = append(calls, strings.NewReplacer("K ", k.Name+" ", "ID", "x", "PLUGIN_", plugin).Replace(c+" "))
		}
	}
	for _, c := range append(append(append(commonCalls, madeCalls...), storedCalls...), paramCalls...) {
		calls = append(calls, strings.NewReplacer("K", "extended -l racks", "ID", "x", "PLUGIN_", "").Replace(c))
	}
	root := tree("drpcli")
	for _, line := range calls {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		c, rest, err := root.Find(words)
		if err == nil {
			err = c.ParseFlags(rest)
		}
		if err == nil {
			err = c.ValidateArgs(c.Flags().Args())
		}
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		c.Flags().Visit(func(f *pflag.Flag) {
			f.Changed = false
			if err := f.Value.Set(f.DefValue); err != nil {
				t.Fatal(err)
			}
		})
		if n := len(words); c.HasSubCommands() && len(c.Flags().Args()) > 0 && c.Name() != "meta" {
			t.Errorf("%s: %s takes %v for no command of its own (%d words)", line, c.CommandPath(), c.Flags().Args(), n)
		}
	}
}

func TestFiltersAreWrittenAsDrpcliTakesThem(t *testing.T) {
	s := newServer(t, map[string]string{"GET machines": `[]`})
	for words, asked := range map[string]string{
		"Name=a": "Name=a", "Name Eq a": "Name=Eq%28a%29", "Name Ne a reverse": "Name=Ne%28a%29&reverse=true", "sort Name reverse limit 2 offset 1": "limit=2&offset=1&reverse=true&sort=Name",
		"reverse true Name=a": "Name=a&reverse=true", "reverse=true": "reverse=true", "decode": "decode=true", "slim Meta params a,b": "params=a%2Cb&slim=Meta", "reverse false": "reverse=false",
		"Name In a,b": "Name=In%28a%2Cb%29", "Name re ^a": "Name=Re%28%5Ea%29", "Name Eq a Name Ne b": "Name=Eq%28a%29&Name=Ne%28b%29",
		"Name Between a c": "Name=Between%28a%2Cc%29", "Name Except a c Runnable=true": "Name=Except%28a%2Cc%29&Runnable=true", "Name Between a,c": "Name=Between%28a%2Cc%29",
	} {
		r := s.call(t, append([]string{"machines", "list"}, strings.Fields(words)...)...)
		want(t, words+": "+r.err, s.requests(), []string{"GET machines?" + asked})
	}
}

func TestWhatDrpLacksIsSaidInASentence(t *testing.T) {
	for _, line := range strings.Split(strings.TrimSpace(lackingCalls), "\n") {
		s := newServer(t, nil)
		r := s.call(t, strings.Fields(line)...)
		if r.status != 1 || r.out != "" || strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, "Error: ") || !strings.HasSuffix(r.err, ".\n") {
			t.Errorf("%s: %v", line, r)
		}
		want(t, line+": requests", len(s.requests()), 0)
	}
}

func TestHelpHasTheRightArticles(t *testing.T) {
	walk(tree("drp"), func(c *cobra.Command) {
		for _, word := range []string{"endpoint", "extended", "interface"} {
			if text := " " + c.Short + " " + c.Long; strings.Contains(text, " a "+word) || strings.Contains(text, " A "+word) {
				t.Errorf("%s: a %s", c.CommandPath(), word)
			}
		}
	})
}

func TestEveryKindHasColumnsAndASample(t *testing.T) {
	a := &app{}
	for _, k := range a.kinds() {
		if columns[k.name] == nil {
			t.Errorf("%s has no columns", k.name)
		}
		fields := reflect.TypeOf(k.info.New()).Elem()
		for _, c := range columns[k.name] {
			head, _, _ := strings.Cut(c, ".")
			if _, ok := fields.FieldByName(head); !ok {
				t.Errorf("%s has no field %s for a column", k.name, c)
			}
		}
		if samples[k.name] == "" {
			t.Errorf("%s has no sample", k.name)
		}
		if k.single+"s" != k.name || strings.HasSuffix(k.single, "s") {
			t.Errorf("one of the %s is called %s", k.name, k.single)
		}
	}
}

func TestWordsCompleteAtEveryPlace(t *testing.T) {
	s := newServer(t, map[string]string{
		"GET machines": `[{"Uuid":"u1"},{"Uuid":"u2"}]`, "GET workflows": `[{"Name":"w1"},{"Name":"x"}]`, "GET profiles": `[{"Name":"p1"}]`,
		"GET tasks": `[{"Name":"t1"},{"Name":"t2"}]`, "GET params": `[{"Name":"n/tp"}]`, "GET contents": `[{"meta":{"Name":"c1"}}]`, "GET pools": `[{"Id":"o1"}]`,
		"GET files": `["f1","f2"]`, "GET plugin_providers": `[{"Name":"pp"}]`, "GET subnets": `[{"Name":"lan"}]`, "GET racks": `[{"Id":"r1"}]`, "GET stages": `[{"Name":"s1"}]`,
	})
	for call, offered := range map[string]string{
		"machines show": "u1\nu2\n", "machines jobs current": "u1\nu2\n", "machines inspect jobs": "u1\nu2\n", "machines tasks add": "u1\nu2\n",
		"machines tasks add u1": "t1\nt2\n", "machines tasks del u1 t1": "t1\nt2\n", "machines inspect tasks u1": "t1\nt2\n", "machines workflow u1": "w1\nx\n",
		"machines stage u1": "s1\n", "machines addprofile u1 p1": "p1\n", "machines meta get": "u1\nu2\n", "machines meta set u1": "key\n", "machines meta set u1 key k": "to\n",
		"machines get u1": "param\n", "machines get u1 param": "n/tp\n", "profiles set p1 param": "n/tp\n", "profiles set p1 param n/tp": "to\n",
		"contents show": "c1\n", "pools status": "o1\n", "pools manage add": "o1\n", "files download": "f1\nf2\n", "files download f1": "to\n",
		"plugin_providers download": "pp\n", "subnets range": "lan\n", "extended -l racks show": "r1\n", "stages addtask s1": "t1\nt2\n",
	} {
		r := s.call(t, append(append([]string{"__complete"}, strings.Fields(call)...), "")...)
		got, _, _ := strings.Cut(r.out, ":")
		want(t, call, got, offered)
	}
}
