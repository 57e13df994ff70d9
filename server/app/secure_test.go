package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"drp/models"
	"drp/server/keyring"
	"drp/server/objects"

	"github.com/coder/websocket"
	"golang.org/x/crypto/nacl/box"
)

// serveEnv makes the test binary a server that is killed: it stores secrets in the folder it names
// and changes its keys meanwhile.
const serveEnv = "DRP_TEST_SECRETS"

func TestMain(m *testing.M) {
	if root := os.Getenv(serveEnv); root != "" {
		keepSecrets(root, os.Getenv(serveEnv+"_RUN"))
	}
	if len(os.Args) > 2 && os.Args[1] == "-provider" {
		provide(os.Args[2:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	secretText  = "open-sesame-4711"  // is to be found nowhere
	visibleText = "plain-to-see-0815" // is to be found everywhere, or the search is no good
)

// sealed is a value as a client that has nothing of ours seals it.
func sealed(t *testing.T, c client, holder, value string) string {
	t.Helper()
	var public []byte
	c.must("GET", holder+"/pubkey", nil, &public)
	ours, secret, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var nonce [24]byte
	rand.Read(nonce[:])
	text, err := json.Marshal(map[string][]byte{"Key": ours[:], "Nonce": nonce[:],
		"Payload": box.Seal(nil, []byte(value), &nonce, (*[32]byte)(public), secret)})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// opened is a value as it must be sealed, in clear.
func opened(t *testing.T, c client, path string) string {
	t.Helper()
	if got := c.do("GET", path, nil); !models.IsSecureData(got.body) {
		t.Errorf("%s: got %d %s, want SecureData", path, got.status, got.body)
	}
	got := c.do("GET", path+"?decode=true", nil)
	if got.status != http.StatusOK {
		t.Errorf("%s: decode: %d %s", path, got.status, got.body)
	}
	return string(got.body)
}

// secretHolders makes an object of each kind that carries params, the visible text in one of them,
// and returns their paths.
func secretHolders(t *testing.T, c client) []string {
	t.Helper()
	var paths []string
	for _, k := range models.Kinds {
		if _, ok := k.New().(models.ParamHolder); !ok || k.Internal {
			continue
		}
		body := fmt.Sprintf(`{"Name":"one","Id":"one","Uuid":"11111111-1111-4111-8111-111111111111","Provider":"none","Params":{"ss":%q,"free":%q}}`, secretText, visibleText)
		var made map[string]any
		c.must("POST", "/"+k.Name, body, &made)
		paths = append(paths, fmt.Sprintf("/%s/%s", k.Name, made[k.KeyField]))
	}
	return paths
}

// TestASecretIsNowhereInClear writes a secret on every road in, reads on every road out but those
// that decode, and looks for it in all of what was read and in every file.
func TestASecretIsNowhereInClear(t *testing.T) {
	cfg := config(t)
	cfg.LogLevel = "debug"
	logFile := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(logFile)
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = f
	a, admin, stop := start(t, cfg)
	os.Stderr = stderr
	var seen bytes.Buffer
	socket, _, err := websocket.Dial(t.Context(), "wss"+strings.TrimPrefix(admin.url, "https")+"/api/v3/ws?token="+admin.token,
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	socket.SetReadLimit(-1)
	if err := socket.Write(t.Context(), websocket.MessageText, []byte("register *.*.*")); err != nil {
		t.Fatal(err)
	}
	do := func(method, path, body string) {
		t.Helper()
		got := admin.do(method, path, body)
		seen.Write(got.body)
		if got.status >= 500 {
			t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
		}
	}

	admin.must("POST", "/params", `{"Name":"ss","Secure":true,"Schema":{"type":"string"}}`, nil)
	holders := secretHolders(t, admin)
	secret, visible := fmt.Sprintf("%q", secretText), fmt.Sprintf("%q", visibleText)
	for _, p := range holders {
		for _, value := range []string{secret, sealed(t, admin, p, secret)} {
			do("POST", p+"/params/ss", value)
			do("PUT", p+"/params/ss", value)
			do("DELETE", p+"/params/ss", "")
			do("POST", p+"/params", `{"ss":`+value+`,"free":`+visible+`}`)
			do("DELETE", p+"/params/ss", "")
			do("PATCH", p+"/params", `[{"op":"add","path":"/ss","value":`+value+`}]`)
			do("DELETE", p+"/params/ss", "")
			do("PATCH", p, `[{"op":"add","path":"/Params/ss","value":`+value+`}]`)
			do("DELETE", p+"/params/ss", "")
			do("PATCH", p, `[{"op":"add","path":"/params","value":{"ss":`+value+`}}]`)
			do("PATCH", p, `[{"op":"replace","path":"/Params","value":{"free":`+visible+`,"ss":`+value+`}}]`)
		}
		var whole map[string]any
		admin.must("GET", p+"?decode=true", nil, &whole)
		text, _ := json.Marshal(whole)
		do("PUT", p, string(text))
		// And what is refused.
		do("POST", p+"/params/ss", "["+secret+"]")
		do("POST", p+"/params/ss", `{"Key":`+secret+`,"Nonce":`+secret+`,"Payload":`+secret+`}`)
		do("PATCH", p+"/params", `[{"op":"test","path":"/ss","value":`+secret+`}]`)
		do("PATCH", p, `[{"op":"test","path":"/Params","value":{"ss":`+secret+`}}]`)
		do("PATCH", p, `[{"op":"add","path":"/Params/ss","value":`+secret+`},{"op":"test","path":"/Name","value":"other"}]`)
		if got := opened(t, admin, p+"/params/ss"); got != secret {
			t.Errorf("%s: got %s", p, got)
		}
	}
	pack := `{"meta":{"Name":"pack","Version":"v1.0.0"},"sections":{"profiles":{"packed":{"Name":"packed","Params":{"ss":` + secret + `,"free":` + visible + `}}}}}`
	do("POST", "/contents", pack)
	do("PUT", "/contents/pack", pack)
	do("PUT", "/contents/pack", strings.Replace(pack, secret, "["+secret+"]", 1))
	if got := opened(t, admin, "/profiles/packed/params/ss"); got != secret {
		t.Errorf("in a pack: got %s", got)
	}
	rev := a.objects.View().Rev
	do("DELETE", "/profiles/one", "")
	do("POST", "/undo", fmt.Sprintf(`{"Rev":%d}`, rev+1))
	if got := opened(t, admin, "/profiles/one/params/ss"); got != secret {
		t.Errorf("after an undo: got %s", got)
	}

	var reader models.UserToken // who may read all but secrets
	admin.must("POST", "/roles", `{"Name":"reader","Claims":[{"scope":"*","action":"list,get","specific":"*"}]}`, nil)
	admin.must("POST", "/users", `{"Name":"ann","Roles":["reader"]}`, nil)
	admin.must("GET", "/users/ann/token", nil, &reader)
	ann := client{t, admin.url, reader.Token}
	for _, p := range append(holders, "/profiles/packed") {
		kind := "/" + strings.Split(p, "/")[1]
		for _, path := range []string{
			p, p + "?aggregate=true", p + "/params", p + "/params?aggregate=true", p + "/params/ss", p + "/params/ss?aggregate=true", p + "/params/ss?compose=true",
			p + "/params?origins=true", p + "/params/ss?origins=true",
			kind, kind + "?aggregate=true", kind + "?params=ss", kind + "?ss=" + secretText, p + "/history?limit=1000", p + fmt.Sprint("?at=", rev), kind + fmt.Sprint("?at=", rev),
		} {
			do("GET", path, "")
		}
		for _, path := range []string{p + "?decode=true", kind + "?decode=true", p + "/params?decode=true", p + "/params/ss?decode=true&aggregate=true", p + "/pubkey"} {
			if got := ann.do("GET", path, nil); got.status != http.StatusForbidden {
				t.Errorf("%s: who may not: got %d %s", path, got.status, got.body)
			}
		}
		do("POST", "/wait", fmt.Sprintf(`{"For":{"Kind":%q,"Key":%q,"Filter":"ss=Re(.)"},"Timeout":"1ms"}`, kind[1:], strings.Split(p, "/")[2]))
	}
	for _, path := range []string{"/contents/pack", "/contents/BackingStore"} {
		if got := ann.do("GET", path, nil); got.status != http.StatusOK || !bytes.Contains(got.body, []byte(visibleText)) {
			t.Errorf("%s: got %d", path, got.status)
		} else {
			seen.Write(got.body)
		}
		if got := admin.do("GET", path, nil); !bytes.Contains(got.body, []byte(secretText)) {
			t.Errorf("%s is not in clear for who may see it", path)
		}
	}
	do("GET", "/logs", "")
	do("GET", "/history?limit=10000", "")
	do("GET", "/history?kind=key_pairs", "")
	for _, path := range []string{"/key_pairs", "/key_pairs/profiles%2Fone", "/secure_names", "/history?kind=key_pairs&key=profiles/one"} {
		if got := admin.do("GET", path, nil); got.status != http.StatusNotFound && string(got.body) != "[]" {
			t.Errorf("%s: got %d %s", path, got.status, got.body)
		}
	}

	admin.must("POST", "/profiles", `{"Name":"the-end"}`, nil)
	for {
		_, message, err := socket.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(message)
		if bytes.Contains(message, []byte("the-end")) {
			break
		}
	}
	for m, err := range a.replay(t.Context(), 0, a.objects.View().Rev) {
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(m.Event.Object)
		seen.Write(m.Event.Original)
	}
	for _, of := range []string{`"Type":"key_pairs"`, `"Kind":"key_pairs"`, `"Type":"secure_names"`, `"Kind":"secure_names"`, `"Private"`} {
		if bytes.Contains(seen.Bytes(), []byte(of)) {
			t.Errorf("key pairs are told of: %s", of)
		}
	}
	nowhere(t, cfg.BaseRoot) // with the log of the database at work
	stop()
	nowhere(t, cfg.BaseRoot)
	logged, err := os.ReadFile(logFile)
	if err != nil || len(logged) < 1000 {
		t.Errorf("the log has %d bytes, %v", len(logged), err)
	}
	for name, text := range map[string][]byte{"an answer or event": seen.Bytes(), "the log": logged} {
		if i := bytes.Index(text, []byte(secretText)); i >= 0 {
			t.Errorf("%s holds the secret: …%s…", name, text[max(0, i-300):min(len(text), i+100)])
		}
	}
	if !bytes.Contains(seen.Bytes(), []byte(visibleText)) {
		t.Error("the answers do not hold what they must")
	}
}

// nowhere searches all files of a folder.
func nowhere(t *testing.T, root string) {
	t.Helper()
	found := false
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(p)
		if bytes.Contains(text, []byte(secretText)) {
			t.Errorf("%s holds the secret", p)
		}
		found = found || bytes.Contains(text, []byte(visibleText))
		return err
	})
	if err != nil || !found {
		t.Errorf("search: %v; what is not secret was found: %v", err, found)
	}
}

// TestSecretsAreForThoseWithTheClaim: each of the two claims allows its own half, and what is missing
// is named as the URL names the object.
func TestSecretsAreForThoseWithTheClaim(t *testing.T) {
	_, admin, _ := start(t, config(t))
	admin.must("POST", "/params", `{"Name":"ss","Secure":true}`, nil)
	holders := secretHolders(t, admin)
	token := func(name, actions string) client {
		admin.must("POST", "/roles", fmt.Sprintf(`{"Name":%q,"Claims":[{"scope":"*","action":%q,"specific":"*"}]}`, name, actions), nil)
		admin.must("POST", "/users", fmt.Sprintf(`{"Name":%q,"Roles":[%q]}`, name, name), nil)
		var u models.UserToken
		admin.must("GET", "/users/"+name+"/token", nil, &u)
		return client{t, admin.url, u.Token}
	}
	setter, getter := token("setter", "list,get,update,updateSecure"), token("getter", "list,get,getSecure")
	refused := func(c client, path, want string) {
		t.Helper()
		got := c.do("GET", path, nil)
		var e models.Error
		if err := json.Unmarshal(got.body, &e); err != nil || got.status != http.StatusForbidden || e.Type != "AUTH" ||
			strings.Join(e.Messages, "|") != "Cannot access /api/v3"+path+"|Requires: "+want {
			t.Errorf("%s: got %d %s, want %q", path, got.status, got.body, want)
		}
	}
	for _, p := range holders {
		kind := strings.Split(p, "/")[1]
		id := strings.Split(p, "/")[2]
		if k, _ := models.KindOf(kind); k.KeyField == "Name" || len(k.Unique) > 0 && k.Unique[0] == "Name" {
			p, id = "/"+kind+"/Name:one", "Name:one"
		}
		refused(setter, p+"/params/ss?decode=true", kind+" getSecure "+id)
		refused(setter, p+"?decode=true", kind+" getSecure "+id)
		refused(setter, "/"+kind+"?decode=true", kind+" getSecure ")
		refused(getter, p+"/pubkey", kind+" updateSecure "+id)
		setter.must("POST", p+"/params/ss", sealed(t, setter, p, `{"a":1}`), nil)
		for path, want := range map[string]string{
			p + "/params/ss?decode=true":                `{"a":1}`,
			p + "/params/ss?decode=true&aggregate=true": `{"a":1}`,
			p + "/params?decode=true":                   `{"free":"` + visibleText + `","ss":{"a":1}}`,
			p + "?decode=true":                          `"ss":{"a":1}`,
			"/" + kind + "?decode=true":                 `"ss":{"a":1}`,
		} {
			if got := getter.do("GET", path, nil); got.status != http.StatusOK || !strings.Contains(string(got.body), want) {
				t.Errorf("%s: got %d %s, want %s", path, got.status, got.body, want)
			}
		}
	}
}

// TestTemplatesSeeSecretsInClear: a script that needs a password is rendered with it.
func TestTemplatesSeeSecretsInClear(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for _, o := range [][2]string{
		{"params", `{"Name":"ss","Secure":true}`},
		{"params", `{"Name":"map","Secure":true,"Schema":{"type":"object"}}`},
		{"profiles", `{"Name":"pp","Params":{"ss":"` + secretText + `","map":{"b":"{{.Machine.Name}}"}}}`},
		{"tasks", `{"Name":"tk","Templates":[{"Name":"t","Contents":"{{.Param \"ss\"}} {{.ParamExists \"ss\"}} {{.ParamAsJSON \"ss\"}} {{(.ParamExpand \"map\").b}} {{(.ComposeParam \"map\").a}}"}]}`},
		{"stages", `{"Name":"st","Tasks":["tk"]}`},
		{"workflows", `{"Name":"wf","Stages":["st"]}`},
	} {
		admin.must("POST", "/"+o[0], o[1], nil)
	}
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"mm","Workflow":"wf","Profiles":["pp"],"Params":{"map":{"a":"own"}}}`, &m)
	admin.must("DELETE", "/machines/"+m.Uuid+"/params/map", nil, nil)
	var j models.Job
	var actions []models.JobAction
	admin.must("POST", "/jobs", map[string]any{"Machine": m.Uuid}, &j)
	admin.must("POST", "/machines/"+m.Uuid+"/params/map", `{"a":"own","b":"{{.Machine.Name}}"}`, nil)
	admin.must("GET", "/jobs/"+j.Uuid+"/actions", nil, &actions)
	if want := secretText + ` true "` + secretText + `" mm own`; len(actions) != 1 || actions[0].Content != want {
		t.Errorf("got %+v, want %q", actions, want)
	}
}

// TestWhatTurnsSecureIsToldNoMore: the events of the change itself, and everything that tells of the
// time before.
func TestWhatTurnsSecureIsToldNoMore(t *testing.T) {
	a, admin, _ := start(t, config(t))
	pack := `{"meta":{"Name":"pack","Version":"v1.0.0"},"sections":{"params":{"tt":{"Name":"tt","Secure":%v,"Schema":{"type":"string"}}},"profiles":{"packed":{"Name":"packed","Params":{"tt":"` + secretText + `"}}}}}`
	admin.must("POST", "/contents", fmt.Sprintf(pack, false), nil)
	admin.must("POST", "/profiles", `{"Name":"bob","Params":{"tt":"`+secretText+`"}}`, nil)
	before := a.objects.View().Rev
	var live bytes.Buffer
	a.objects.Follow(func(c *objects.Commit) {
		for _, m := range messages(a.objects.View(), c) {
			live.Write(m.Event.Object)
			live.Write(m.Event.Original)
		}
	})
	admin.must("PUT", "/contents/pack", fmt.Sprintf(pack, true), nil)
	for _, p := range []string{"/profiles/bob", "/profiles/packed"} {
		if got := opened(t, admin, p+"/params/tt"); got != `"`+secretText+`"` {
			t.Errorf("%s: got %s", p, got)
		}
		for _, path := range []string{p, p + fmt.Sprint("?at=", before), "/profiles" + fmt.Sprint("?at=", before), p + "/history", "/history?limit=1000"} {
			if got := admin.do("GET", path, nil); got.status != http.StatusOK || bytes.Contains(got.body, []byte(secretText)) {
				t.Errorf("%s: got %d %s", path, got.status, got.body)
			}
		}
	}
	for m, err := range a.replay(t.Context(), 0, a.objects.View().Rev) {
		if err != nil {
			t.Fatal(err)
		}
		live.Write(m.Event.Object)
		live.Write(m.Event.Original)
	}
	if live.Len() == 0 || bytes.Contains(live.Bytes(), []byte(secretText)) {
		t.Errorf("events: %s", live.Bytes())
	}
	admin.must("DELETE", "/profiles/bob", nil, nil)
	admin.must("DELETE", "/contents/pack", nil, nil)
	if n := a.objects.View().Len("key_pairs"); n != 0 {
		t.Errorf("%d key pairs are left", n)
	}
}

// TestAServerWithoutItsKeyDoesNotStart, says which file it wants, and leaves the data as it is.
func TestAServerWithoutItsKeyDoesNotStart(t *testing.T) {
	cfg := config(t)
	_, admin, stop := start(t, cfg)
	admin.must("POST", "/params", `{"Name":"ss","Secure":true}`, nil)
	admin.must("POST", "/profiles", `{"Name":"pp","Params":{"ss":1}}`, nil)
	stop()
	file, kept := cfg.KeyFile(), filepath.Join(t.TempDir(), "kept")
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("the key file: %v, %v", st, err)
	}
	if err := os.Rename(file, kept); err != nil {
		t.Fatal(err)
	}
	fails := func(cfg Config, want string) {
		t.Helper()
		a, err := New(t.Context(), cfg)
		if err == nil {
			a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), cfg.KeyFile()) {
			t.Errorf("got %v, want %q and the name of the file", err, want)
		}
	}
	fails(cfg, "is missing")
	if _, err := os.Stat(file); err == nil {
		t.Error("a new key was made beside data of another")
	}
	other := cfg
	other.SecretKey = filepath.Join(t.TempDir(), "other")
	if _, err := keyring.Rotate(other.SecretKey); err != nil {
		t.Fatal(err)
	}
	fails(other, "is not the file of this data")
	if err := os.WriteFile(file, []byte("rubbish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails(cfg, "line 1")
	os.Remove(file)
	cfg.SecretKey = kept // what stands anywhere else does as well
	_, admin, _ = start(t, cfg)
	if got := opened(t, admin, "/profiles/pp/params/ss"); got != "1" {
		t.Errorf("with the right key: got %s", got)
	}
}

// keepSecrets is a server at work: it tells on its output what it has stored.
func keepSecrets(root, run string) {
	a, err := New(context.Background(), Config{BaseRoot: root, LogLevel: "error", LogFormat: "text"})
	if err != nil {
		panic(err)
	}
	go a.Run(context.Background())
	ctx := objects.WithActor(context.Background(), objects.System)
	if _, err := a.objects.Create(ctx, &models.Param{Name: "ss", Secure: true}, false); err != nil && models.ClassOf(err) != models.Conflict {
		panic(err)
	}
	var mu sync.Mutex
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("p%s-%d-%d", run, w, i)
				o := &models.Profile{Name: name, Params: models.Params{"ss": json.RawMessage(`"` + name + `"`)}}
				if _, err := a.objects.Create(ctx, o, false); err != nil {
					panic(err)
				}
				mu.Lock()
				fmt.Println(name)
				mu.Unlock()
			}
		}()
	}
	for {
		if _, err := keyring.Rotate(a.cfg.KeyFile()); err != nil {
			panic(err)
		}
		a.Reload(a.cfg)
	}
}

// TestAServerKilledWhileItsKeysChangeKeepsEverySecret it has acknowledged.
func TestAServerKilledWhileItsKeysChangeKeepsEverySecret(t *testing.T) {
	cfg := config(t)
	var names []string
	for run := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), serveEnv+"="+cfg.BaseRoot, fmt.Sprintf("%s_RUN=%d", serveEnv, run))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 40 && lines.Scan(); n++ {
			names = append(names, lines.Text())
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	if len(names) < 120 {
		t.Fatalf("%d secrets were stored, want 120", len(names))
	}
	a, admin, _ := start(t, cfg)
	for _, name := range names {
		if got := opened(t, admin, "/profiles/"+name+"/params/ss"); got != `"`+name+`"` {
			t.Errorf("%s opens to %s", name, got)
		}
	}
	if _, err := a.secrets.vault.Rewrap(t.Context()); err != nil {
		t.Error(err)
	}
	for p := range objects.All[*models.KeyPair](a.objects.View()) {
		if p.Seal != a.secrets.ring.Newest() {
			t.Errorf("%s is sealed with an older key", p.Name)
		}
	}
}
