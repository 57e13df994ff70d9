package params

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"drp/models"
	"drp/models/patch"
	"drp/server/keyring"
	"drp/server/objects"

	"golang.org/x/crypto/nacl/box"
)

// newKeys are the keys of a server.
func newKeys(t *testing.T) *keyring.Ring {
	t.Helper()
	r, err := keyring.Open(filepath.Join(t.TempDir(), keyring.FileName))
	if err == nil {
		err = r.Create()
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func set(s *objects.Service, kind, key, name, value string) error {
	_, err := Set(ctx, s, kind, key, name, json.RawMessage(value))
	return err
}

// vaultOf is a service with its vault, and the secure param "ss" of type string.
func vaultOf(t *testing.T) (*objects.Service, *Vault) {
	s, v := serviceWith(t, newKeys(t))
	create(t, s, &models.Param{Name: "ss", Secure: true, Schema: json.RawMessage(`{"type":"string"}`)})
	return s, v
}

const marker = "open-sesame-4711"

// sealFor is what an independent client sends: a box for the object's public key.
func sealFor(t *testing.T, s *objects.Service, v *Vault, kind, key, value string) string {
	t.Helper()
	e, ok := s.View().Get(kind, key)
	if !ok {
		t.Fatalf("%s/%s is not there", kind, key)
	}
	public, err := v.PublicKey(ctx, e.Object.(models.ParamHolder))
	if err != nil {
		t.Fatal(err)
	}
	return boxed(t, public, value)
}

func boxed(t *testing.T, public []byte, value string) string {
	t.Helper()
	ours, secret, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var nonce [24]byte
	rand.Read(nonce[:])
	raw, err := models.Marshal(map[string][]byte{
		"Key": ours[:], "Nonce": nonce[:], "Payload": box.Seal(nil, []byte(value), &nonce, (*[32]byte)(public), secret),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// values are those of a param as everybody and as the privileged see it.
func values(t *testing.T, s *objects.Service, v *Vault, kind, key, name string) (shown, clear string) {
	t.Helper()
	e, ok := s.View().Get(kind, key)
	if !ok {
		t.Fatalf("%s/%s is not there", kind, key)
	}
	h := e.Object.(models.ParamHolder)
	a, _ := OwnValue(s.View(), h, name)
	b, _ := OwnValue(v.Reader(s.View()), h, name)
	return string(a), string(b)
}

// holders are an object of each kind that carries params.
func holders(t *testing.T) []models.ParamHolder {
	t.Helper()
	var list []models.ParamHolder
	for _, k := range models.Kinds {
		if o, ok := k.New().(models.ParamHolder); ok {
			body := `{"Name":"one","Id":"one","Provider":"none","Uuid":"11111111-1111-4111-8111-111111111111","Params":{"free":1}}`
			if err := json.Unmarshal([]byte(body), o); err != nil {
				t.Fatal(err)
			}
			o.Normalize()
			list = append(list, o)
		}
	}
	return list
}

// TestEveryWayInSealsASecureValue goes through all kinds that carry params and all ways to write
// them, with plain values and with sealed ones.
func TestEveryWayInSealsASecureValue(t *testing.T) {
	s, v := vaultOf(t)
	for _, o := range holders(t) {
		kind, key := o.Kind(), o.Key()
		plain := models.Clone(o)
		(*plain.ParamMap())["ss"] = json.RawMessage(`"` + marker + `"`)
		create(t, s, plain)
		ways := map[string]func(value string) error{
			"create": func(string) error { return nil },
			"set":    func(value string) error { return set(s, kind, key, "ss", value) },
			"patch": func(value string) error {
				_, err := Patch(ctx, s, kind, key, ops(t, `[{"op":"add","path":"/ss","value":`+value+`}]`))
				return err
			},
			"replace": func(value string) error {
				_, err := Replace(ctx, s, kind, key, raw(map[string]string{"ss": value}))
				return err
			},
			"patch the object": func(value string) error {
				_, err := s.Patch(ctx, kind, key, ops(t, `[{"op":"add","path":"/Params/ss","value":`+value+`}]`), false)
				return err
			},
			"put the object": func(value string) error {
				n := models.Clone(o)
				(*n.ParamMap())["ss"] = json.RawMessage(value)
				body, _ := models.Marshal(n)
				_, err := s.Replace(ctx, kind, key, body, false)
				return err
			},
		}
		for way, write := range ways {
			for _, sealed := range []bool{false, true} {
				t.Run(fmt.Sprint(kind, " ", way, " sealed ", sealed), func(t *testing.T) {
					value := `"` + marker + `"`
					if sealed {
						value = sealFor(t, s, v, kind, key, value)
					}
					if err := write(value); err != nil {
						t.Fatal(err)
					}
					shown, clear := values(t, s, v, kind, key, "ss")
					if !models.IsSecureData(json.RawMessage(shown)) || clear != `"`+marker+`"` {
						t.Errorf("got %s, which opens to %s", shown, clear)
					}
				})
			}
		}
		// The pair goes with the object, and only then.
		name := models.KeyPairName(kind, key)
		if _, ok := s.View().Get("key_pairs", name); !ok {
			t.Errorf("%s has no key pair", name)
		}
		if _, err := s.Delete(ctx, kind, key); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.View().Get("key_pairs", name); ok {
			t.Errorf("%s is gone, and its key pair is not", name)
		}
	}
}

// TestTheSameValueIsNotSealedAgain: who puts back what he was shown in clear changes nothing.
func TestTheSameValueIsNotSealedAgain(t *testing.T) {
	s, _ := vaultOf(t)
	create(t, s, profile("pp", map[string]string{"ss": `"x"`}))
	rev := s.View().Rev
	if err := set(s, "profiles", "pp", "ss", ` "x"`); err != nil || s.View().Rev != rev {
		t.Errorf("got %v and revision %d, want %d", err, s.View().Rev, rev)
	}
}

// TestNobodyLearnsByWritingThatAGuessIsRight: for who may write a secret and not see it, a right guess
// changes what is stored like a wrong one.
func TestNobodyLearnsByWritingThatAGuessIsRight(t *testing.T) {
	s, v := vaultOf(t)
	create(t, s, profile("pp", map[string]string{"ss": `"x"`}))
	blind := objects.WithActor(ctx, s.Actor("user:blind", models.Claims{{Scope: "profiles", Action: "get,update,updateSecure", Specific: "*"}}, nil))
	for _, guess := range []string{`"wrong"`, `"x"`, `"x"`} {
		was, _ := values(t, s, v, "profiles", "pp", "ss")
		if _, err := Set(blind, s, "profiles", "pp", "ss", json.RawMessage(guess)); err != nil {
			t.Fatal(err)
		}
		if is, clear := values(t, s, v, "profiles", "pp", "ss"); is == was || clear != guess {
			t.Errorf("guess %s: it is %s now, sealed as before: %v", guess, clear, is == was)
		}
	}
}

// TestBadSecretsAreRefusedWithoutRepeatingThem: what is wrong is told, what it is is not.
func TestBadSecretsAreRefusedWithoutRepeatingThem(t *testing.T) {
	s, v := vaultOf(t)
	create(t, s, profile("pp", nil), profile("other", nil),
		&models.Param{Name: "map", Secure: true, Schema: json.RawMessage(`{"type":"object","additionalProperties":{"type":"integer"},"maxProperties":1,"required":["aa"]}`)})
	good := func(value string) string { return sealFor(t, s, v, "profiles", "pp", value) }
	foreign := sealFor(t, s, v, "profiles", "other", `"`+marker+`"`)
	broken := strings.Replace(good(`"`+marker+`"`), `"Payload":"`, `"Payload":"AAAA`, 1)
	long := strings.Repeat("A", 43) + "="
	for _, c := range []struct{ name, param, value, says string }{
		{"sealed for another", "ss", foreign, "invalid SecureData: it is not sealed for this object"},
		{"damaged", "ss", broken, "invalid SecureData"},
		{"short key", "ss", `{"Key":"AAAA","Nonce":"AAAA","Payload":"` + long + `"}`, "Key has 3 bytes, not 32"},
		{"short nonce", "ss", `{"Key":"` + long + `","Nonce":"AAAA","Payload":"` + long + `"}`, "Nonce has 3 bytes, not 24"},
		{"no base64", "ss", `{"Key":"` + marker + `","Nonce":"AAAA","Payload":"AAAA"}`, "Key is not base64"},
		{"no text", "ss", `{"Key":1,"Nonce":[],"Payload":{}}`, "is not base64"},
		{"no JSON", "ss", good(marker), "no JSON"},
		{"plain against the schema", "ss", `["` + marker + `"]`, "Invalid type. Expected: string, given: array"},
		{"sealed against the schema", "ss", good(`["` + marker + `"]`), "Invalid type. Expected: string, given: array"},
		{"member names", "map", `{"` + marker + `":"` + marker + `","b":1}`, "aa is required"},
		{"a patch inside", "ss", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := set(s, "profiles", "pp", c.param, c.value)
			if c.name == "a patch inside" {
				if err := set(s, "profiles", "pp", "ss", `"`+marker+`"`); err != nil {
					t.Fatal(err)
				}
				_, err = Patch(ctx, s, "profiles", "pp", ops(t, `[{"op":"replace","path":"/ss/Nonce","value":"`+marker+`"}]`))
			}
			if models.ClassOf(err) != models.Invalid || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want Invalid with %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), marker) {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
}

// TestFailedPatchesDoNotRepeatSecrets: the answer to a patch that does not apply tells the patch.
func TestFailedPatchesDoNotRepeatSecrets(t *testing.T) {
	s, _ := vaultOf(t)
	create(t, s, profile("pp", map[string]string{"ss": `"x"`, "free": `1`}))
	for _, text := range []string{
		`[{"op":"test","path":"%s/ss","value":"` + marker + `"}]`,
		`[{"op":"test","path":"%s","value":{"ss":"` + marker + `"}}]`,
		`[{"op":"replace","path":"%s/ss","value":"` + marker + `"},{"op":"test","path":"%[1]s/free","value":2}]`,
		`[{"op":"test","path":"%s/ss/Key","value":"` + marker + `"}]`,
	} {
		for _, prefix := range []string{"", "/Params"} {
			p := ops(t, fmt.Sprintf(text, prefix))
			_, err := Patch(ctx, s, "profiles", "pp", p)
			if prefix != "" {
				_, err = s.Patch(ctx, "profiles", "pp", p, false)
			}
			if err == nil || strings.Contains(err.Error(), marker) {
				t.Errorf("%s: got %v", p, err)
			}
			var e *models.Error
			if errors.As(err, &e) && strings.Contains(strings.Join(e.Messages, " "), marker) {
				t.Errorf("%s: the messages repeat the secret: %q", p, e.Messages)
			}
		}
	}
	stored, _ := values(t, s, nil2(s), "profiles", "pp", "ss")
	if _, err := Patch(ctx, s, "profiles", "pp", ops(t, `[{"op":"test","path":"/ss","value":`+stored+`},{"op":"replace","path":"/ss","value":"`+marker+`"}]`)); err != nil {
		t.Errorf("a test of what is shown: %v", err)
	}
}

// nil2 is a vault that opens nothing.
func nil2(s *objects.Service) *Vault { return &Vault{service: s} }

// TestEffectiveSecretsOpenWithTheKeyOfTheirOrigin covers the chain, aggregation and composition.
func TestEffectiveSecretsOpenWithTheKeyOfTheirOrigin(t *testing.T) {
	s, v := vaultOf(t)
	create(t, s, &models.Param{Name: "map", Secure: true, Schema: json.RawMessage(`{"type":"object"}`)},
		profile("low", map[string]string{"ss": `"low"`, "map": `{"a":"low","b":"low"}`}),
		profile("high", map[string]string{"map": `{"a":"high"}`}, "low"))
	m := &models.Machine{Name: "m1", Uuid: "11111111-1111-4111-8111-111111111111", Profiles: []string{"high"}}
	create(t, s, m)
	e, _ := s.View().Get("machines", m.Uuid)
	clear := v.Reader(s.View())
	if got, from, ok := Effective(clear, e.Object, "ss"); !ok || string(got) != `"low"` || from.Key != "low" {
		t.Errorf("effective: got %s from %v", got, from)
	}
	if got, _, _ := Effective(s.View(), e.Object, "ss"); !models.IsSecureData(got) {
		t.Errorf("effective without the right: got %s", got)
	}
	if got, _ := models.Marshal(Aggregate(clear, e.Object)); string(got) != `{"map":{"a":"high"},"ss":"low"}` {
		t.Errorf("aggregate: got %s", got)
	}
	if got, err := Compose(clear, e.Object, "map"); err != nil || string(got) != `{"a":"high","b":"low"}` {
		t.Errorf("compose: got %s, %v", got, err)
	}
	if got, err := Compose(s.View(), e.Object, "map"); err != nil || !models.IsSecureData(got) {
		t.Errorf("compose without the right: got %s, %v", got, err)
	}
	// Filters compare what everybody sees.
	q, err := models.ParseQuery(mustKind(t, "machines"), map[string][]string{"ss": {"low"}})
	if err != nil {
		t.Fatal(err)
	}
	if found, _, err := s.List(ctx, "machines", q); err != nil || len(found) != 0 {
		t.Errorf("a filter finds a secret: %d, %v", len(found), err)
	}
}

// TestASealedValueCopiedToAnOpenParamStaysSealed: who may write params and not see the secret ones could
// else copy one to where a file that everybody may read shows it.
func TestASealedValueCopiedToAnOpenParamStaysSealed(t *testing.T) {
	s, v := vaultOf(t)
	create(t, s, &models.Param{Name: "open"}, profile("one", map[string]string{"ss": `"` + marker + `"`}))
	for _, name := range []string{"open", "unknown"} {
		p := patch.Patch{{Op: "copy", From: "/ss", Path: "/" + name}}
		if _, err := Patch(ctx, s, "profiles", "one", p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e, _ := s.View().Get("profiles", "one")
		clear := v.Reader(s.View())
		value, _, _ := Effective(clear, e.Object, name)
		own, _ := OwnValue(clear, e.Object.(models.ParamHolder), name)
		for _, got := range []json.RawMessage{value, own, Aggregate(clear, e.Object)[name], Own(clear, e.Object.(models.ParamHolder))[name]} {
			if !models.IsSecureData(got) {
				t.Errorf("%s: got %s", name, got)
			}
		}
	}
	if _, clear := values(t, s, v, "profiles", "one", "ss"); clear != `"`+marker+`"` {
		t.Errorf("the secret itself: got %s", clear)
	}
}

func mustKind(t *testing.T, name string) *models.KindInfo {
	k, ok := models.KindOf(name)
	if !ok {
		t.Fatal(name)
	}
	return k
}

// TestAParamThatTurnsSecureSealsWhatThereIs: in one change, in all kinds of holders, read-only ones
// too; and history tells the plain values no more.
func TestAParamThatTurnsSecureSealsWhatThereIs(t *testing.T) {
	s, v := serviceWith(t, newKeys(t))
	create(t, s, param("kk", `{"type":"string"}`))
	for _, o := range holders(t) {
		(*o.ParamMap())["kk"] = json.RawMessage(`"` + marker + `"`)
		create(t, s, o)
	}
	packed := profile("packed", map[string]string{"kk": `"` + marker + `"`})
	packed.ReadOnly, packed.Bundle = true, "pack"
	if _, err := s.Do(ctx, false, func(tx *objects.Tx) error { return tx.Install(packed) }); err != nil {
		t.Fatal(err)
	}
	before := s.View().Rev
	rev, err := s.Do(ctx, false, func(tx *objects.Tx) error {
		return tx.Update(&models.Param{Name: "kk", Secure: true, Schema: json.RawMessage(`{"type":"string"}`)})
	})
	if err != nil || rev != before+1 {
		t.Fatalf("got revision %d and %v, want one change after %d", rev, err, before)
	}
	for _, o := range append(holders(t), packed) {
		shown, clear := values(t, s, v, o.Kind(), o.Key(), "kk")
		if !models.IsSecureData(json.RawMessage(shown)) || clear != `"`+marker+`"` {
			t.Errorf("%s/%s: got %s, which opens to %s", o.Kind(), o.Key(), shown, clear)
		}
		if e, err := s.At(ctx, o.Kind(), o.Key(), before); err != nil || bytes.Contains(e.Raw, []byte(marker)) {
			t.Errorf("%s/%s as it was: %v with the secret in it", o.Kind(), o.Key(), err)
		}
	}
	list, _, err := s.History(ctx, objects.HistoryQuery{Limit: 1000})
	if text, _ := models.Marshal(list); err != nil || bytes.Contains(text, []byte(marker)) || bytes.Contains(text, []byte("key_pairs")) || len(list) < 8 {
		t.Errorf("history: %d entries, %v: %s", len(list), err, text)
	}
	past, err := s.ViewAt(ctx, before)
	if err != nil {
		t.Fatal(err)
	}
	for e := range past.All("profiles") {
		if bytes.Contains(e.Raw, []byte(marker)) {
			t.Errorf("the past shows %s", e.Raw)
		}
	}
	// The other way its values stay sealed, and still open.
	if _, err := s.Do(ctx, false, func(tx *objects.Tx) error { return tx.Update(&models.Param{Name: "kk"}) }); err != nil {
		t.Fatal(err)
	}
	if shown, clear := values(t, s, v, "profiles", "one", "kk"); strings.Contains(shown, marker) || clear != `"`+marker+`"` {
		t.Errorf("a param that is secure no more: got %s, which opens to %s", shown, clear)
	}
}

// TestAParamTurnsSecureUnderWrites: others make, change and remove holders meanwhile, so that the change
// is computed more than once; in the end nothing is in clear, and all of it opens.
func TestAParamTurnsSecureUnderWrites(t *testing.T) {
	s, v := serviceWith(t, newKeys(t))
	names := []string{"k0", "k1", "k2"}
	for _, name := range names {
		create(t, s, param(name, `{"type":"string"}`))
	}
	for i := range 50 {
		create(t, s, profile(fmt.Sprint("old", i), map[string]string{"k0": `"v"`, "k1": `"v"`, "k2": `"v"`}))
	}
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for w := range 3 {
		busy.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("new%d-%d", w, i)
				if err := tryCreate(s, profile(name, map[string]string{"k0": `"v"`, "k1": `"v"`, "k2": `"v"`})); err != nil {
					t.Error(err)
				}
				if err := set(s, "profiles", fmt.Sprint("old", (w*17+i)%50), "free", fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, name := range names {
		ctx, cancel := context.WithCancel(ctx) // as requests have
		if _, err := s.Do(ctx, false, func(tx *objects.Tx) error {
			return tx.Update(&models.Param{Name: name, Secure: true, Schema: json.RawMessage(`{"type":"string"}`)})
		}); err != nil {
			t.Error(err)
		}
		cancel()
	}
	close(stop)
	busy.Wait()
	for e := range s.View().All("profiles") {
		for _, name := range names {
			if shown, clear := values(t, s, v, "profiles", e.Object.Key(), name); !models.IsSecureData(json.RawMessage(shown)) || clear != `"v"` {
				t.Errorf("%s: %s is %s, which opens to %s", e.Object.Key(), name, shown, clear)
			}
		}
	}
}

// TestASecretInAFileOfTheServerIsRefused: nobody could seal it, and everybody would see it.
func TestASecretInAFileOfTheServerIsRefused(t *testing.T) {
	builtin := profile("builtin", map[string]string{"kk": `"` + marker + `"`})
	s, v := serviceWith(t, newKeys(t), builtin)
	if err := v.Start(ctx); err != nil {
		t.Errorf("while it is not secure: %v", err)
	}
	err := tryCreate(s, &models.Param{Name: "kk", Secure: true})
	if models.ClassOf(err) != models.Conflict || !strings.Contains(err.Error(), "profiles/builtin") || strings.Contains(err.Error(), marker) {
		t.Errorf("got %v, want Conflict that names the object", err)
	}
	_, v = serviceWith(t, newKeys(t), builtin, &models.Param{Name: "kk", Secure: true})
	if err := v.Start(ctx); err == nil || !strings.Contains(err.Error(), "profiles/builtin") {
		t.Errorf("start: got %v, want an error that names the object", err)
	}
	_, v = serviceWith(t, newKeys(t), profile("builtin", nil), &models.Param{Name: "kk", Secure: true})
	if err := v.Start(ctx); err != nil {
		t.Error(err)
	}
}

// TestUndoBringsSecretsBack: with the pair of an object that was deleted; and never in clear.
func TestUndoBringsSecretsBack(t *testing.T) {
	s, v := vaultOf(t)
	create(t, s, profile("pp", map[string]string{"ss": `"first"`}))
	undo := func(rev uint64) {
		t.Helper()
		if _, err := s.Undo(ctx, models.Undo{Rev: rev}, false); err != nil {
			t.Fatalf("undo of %d: %v", rev, err)
		}
	}
	want := func(text string) {
		t.Helper()
		if shown, clear := values(t, s, v, "profiles", "pp", "ss"); clear != text || !models.IsSecureData(json.RawMessage(shown)) {
			t.Errorf("got %s, which opens to %s, want %s", shown, clear, text)
		}
	}
	if err := set(s, "profiles", "pp", "ss", `"second"`); err != nil {
		t.Fatal(err)
	}
	undo(s.View().Rev)
	want(`"first"`)
	if _, err := s.Delete(ctx, "profiles", "pp"); err != nil {
		t.Fatal(err)
	}
	undo(s.View().Rev)
	want(`"first"`)

	create(t, s, param("kk", `null`), profile("qq", map[string]string{"kk": `"` + marker + `"`}))
	if _, err := s.Do(ctx, false, func(tx *objects.Tx) error { return tx.Update(&models.Param{Name: "kk", Secure: true}) }); err != nil {
		t.Fatal(err)
	}
	undo(s.View().Rev)
	if shown, clear := values(t, s, v, "profiles", "qq", "kk"); clear != `"`+marker+`"` || strings.Contains(shown, marker) {
		t.Errorf("after the undo: got %s, which opens to %s", shown, clear)
	}
}

// TestRotationGoesOnUnderWrites: whoever writes while keys change, everything opens afterwards, and
// with the newest key alone.
func TestRotationGoesOnUnderWrites(t *testing.T) {
	ring := newKeys(t)
	s, v := serviceWith(t, ring)
	create(t, s, &models.Param{Name: "ss", Secure: true})
	const writers, each = 4, 15
	var busy sync.WaitGroup
	for w := range writers {
		busy.Go(func() {
			for i := range each {
				name := fmt.Sprintf("p%d-%d", w, i)
				if err := tryCreate(s, profile(name, map[string]string{"ss": `"` + name + `"`})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		if _, err := keyring.Rotate(ring.Path()); err != nil {
			t.Fatal(err)
		}
		if err := ring.Reload(); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Rewrap(context.Background()); err != nil {
			t.Error(err)
		}
	}
	busy.Wait()
	if _, err := v.Rewrap(context.Background()); err != nil {
		t.Error(err)
	}
	if err := v.Check(); err != nil {
		t.Error(err)
	}
	for p := range objects.All[*models.KeyPair](s.View()) {
		if p.Seal != ring.Newest() {
			t.Errorf("%s is sealed with an older key", p.Name)
		}
	}
	for w := range writers {
		for i := range each {
			name := fmt.Sprintf("p%d-%d", w, i)
			if _, clear := values(t, s, v, "profiles", name, "ss"); clear != `"`+name+`"` {
				t.Errorf("%s opens to %s", name, clear)
			}
		}
	}
}
