package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// seeded is random numbers of a seed that a failure prints.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

var (
	awkward = []string{"", "a", "b", "my/leader", "~", "quote\"", "back\\", "back\\\\\"", "é", "\u2028", "\x00", "\xff", "<&>", "{", "}", ",", "]", "a,b", `"}`, "\U0001F600"}
	rawJSON = []string{`null`, `true`, `0`, `-1.50e3`, `1.0`, `""`, `"a"`, `"\u00e9\ud83d\ude00"`, `"\\"`, `"},{\""`, `[]`, `{}`, `[1,[2,"]"],{"}":"{"}]`, `{"b":1,"a":{"c":[]}}`, `"<&>"`}
)

// scramble gives a value, or some of what it holds, other contents.
func scramble(r *rand.Rand, v reflect.Value) {
	switch v.Type() {
	case reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(rawJSON[r.IntN(len(rawJSON))]))
		return
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(r.Int64N(1<<33), r.Int64N(1e9)).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(awkward[r.IntN(len(awkward))])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int32:
		v.SetInt(r.Int64N(7) - 3)
	case reflect.Uint8:
		v.SetUint(r.Uint64N(256))
	case reflect.Slice:
		s := reflect.MakeSlice(v.Type(), r.IntN(4), 4)
		for i := range s.Len() {
			scramble(r, s.Index(i))
		}
		v.Set(s)
	case reflect.Map:
		m := reflect.MakeMap(v.Type())
		if !v.IsNil() && r.IntN(4) > 0 { // most keys stay
			for it := v.MapRange(); it.Next(); {
				m.SetMapIndex(it.Key(), it.Value())
			}
		}
		for range r.IntN(4) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			scramble(r, key)
			scramble(r, value)
			if r.IntN(3) == 0 {
				value = reflect.Value{} // goes
			}
			m.SetMapIndex(key, value)
		}
		v.Set(m)
	case reflect.Struct:
		for i := range v.NumField() {
			scramble(r, v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		scramble(r, v.Elem())
	default:
		panic("no way to scramble " + v.Type().String())
	}
}

// some is an object of a kind with random contents, as it is after a way through JSON.
func some(t *testing.T, r *rand.Rand, k *KindInfo) Object {
	t.Helper()
	o := k.New()
	scramble(r, reflect.ValueOf(o).Elem())
	return settled(t, o)
}

func settled(t *testing.T, o Object) Object {
	t.Helper()
	o.Normalize()
	c, err := Unmarshal(o.Kind(), marshal(t, o))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// other is the object with some members changed, which has kept the others.
func other(t *testing.T, r *rand.Rand, o Object) Object {
	t.Helper()
	c := Copy(o)
	fields := reflect.VisibleFields(reflect.TypeOf(c).Elem())
	for range r.IntN(4) {
		if f := fields[r.IntN(len(fields))]; !f.Anonymous {
			scramble(r, reflect.ValueOf(c).Elem().FieldByIndex(f.Index))
		}
	}
	return settled(t, c)
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func eachKind(t *testing.T, rounds int, law func(t *testing.T, r *rand.Rand, k *KindInfo)) {
	t.Helper()
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			r := seeded(t)
			for range rounds {
				if law(t, r, k); t.Failed() {
					return
				}
			}
		})
	}
}

func TestSplicingIsMarshalling(t *testing.T) {
	eachKind(t, 200, func(t *testing.T, r *rand.Rand, k *KindInfo) {
		a := some(t, r, k)
		b := other(t, r, a)
		was, is := marshal(t, a), marshal(t, b)
		part := Changed(a, b)
		if part.Empty() != bytes.Equal(was, is) {
			t.Errorf("the part that differs is empty: %v; of\n%s\n%s", part.Empty(), was, is)
		}
		if got, err := part.Splice(was, b); err != nil || !bytes.Equal(got, is) {
			t.Errorf("splice: got\n%s, %v, want\n%s, of\n%s", got, err, is, was)
		}
	})
}

// TestAPartIsTheWholeWithoutTheRest: what Marshal writes of a part stands so in the whole, and Set
// takes it over into another version, which then differs no more.
func TestAPartIsTheWholeWithoutTheRest(t *testing.T) {
	eachKind(t, 200, func(t *testing.T, r *rand.Rand, k *KindInfo) {
		a := some(t, r, k)
		b := other(t, r, a)
		part := Changed(a, b)
		doc, err := part.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var all, some map[string]json.RawMessage
		if err := errorsOf(json.Unmarshal(marshal(t, b), &all), json.Unmarshal(doc, &some)); err != nil {
			t.Fatal(err)
		}
		for i := range part.picks {
			name := k.shape.members[part.picks[i].member].name
			if part.picks[i].whole && !bytes.Equal(all[name], some[name]) {
				t.Errorf("%s: got %s, want %s", name, some[name], all[name])
			}
		}
		c := CopyButParams(a)
		before := marshal(t, a)
		if err := part.Set(c, doc); err != nil {
			t.Fatalf("set %s: %v", doc, err)
		}
		c.Normalize()
		if got, want := marshal(t, c), marshal(t, b); !bytes.Equal(got, want) {
			t.Errorf("set %s: got\n%s, want\n%s", doc, got, want)
		}
		if got := marshal(t, a); !bytes.Equal(got, before) {
			t.Errorf("setting a copy changed the original: got\n%s, want\n%s", got, before)
		}
	})
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestReadingIsUnmarshalling(t *testing.T) {
	eachKind(t, 200, func(t *testing.T, r *rand.Rand, k *KindInfo) {
		a := some(t, r, k)
		raw := marshal(t, a)
		got, ok := Read(k.Name, bytes.Clone(raw))
		if ok {
			got.Normalize() // what is left out while it is empty
		}
		if !ok || !reflect.DeepEqual(got, a) {
			t.Errorf("read %s: got %v\n%#v, want\n%#v", raw, ok, got, a)
		}
		Settle(a, raw)
		if !reflect.DeepEqual(got, a) {
			t.Errorf("settled: got\n%#v, want\n%#v", a, got)
		}
	})
}

// TestReadingRefusesOtherForms: JSON that lacks a member, has one more or two in another order is
// not what Marshal wrote, and no damage makes Read panic.
func TestReadingRefusesOtherForms(t *testing.T) {
	eachKind(t, 100, func(t *testing.T, r *rand.Rand, k *KindInfo) {
		raw := marshal(t, some(t, r, k))
		for _, bad := range [][]byte{
			append([]byte(`{"Later":1,`), raw[1:]...), append(bytes.Clone(raw[:len(raw)-1]), `,"Later":1}`...),
			raw[:len(raw)-1], []byte("{}"), []byte("null"), nil, append([]byte(" "), raw...),
		} {
			if _, ok := Read(k.Name, bad); ok {
				t.Errorf("%s was taken for canonical", bad)
			}
		}
		cut, flipped := raw[:r.IntN(len(raw))], bytes.Clone(raw)
		flipped[r.IntN(len(raw))] ^= byte(1 + r.IntN(255))
		for _, damaged := range [][]byte{cut, flipped} {
			if o, ok := Read(k.Name, bytes.Clone(damaged)); ok && o == nil {
				t.Errorf("%s: neither object nor refusal", damaged)
			}
		}
	})
}

func TestACopyIsEqualAndApart(t *testing.T) {
	eachKind(t, 100, func(t *testing.T, r *rand.Rand, k *KindInfo) {
		a := some(t, r, k)
		want := marshal(t, a)
		c := Copy(a)
		if !reflect.DeepEqual(c, a) {
			t.Errorf("copy: got\n%#v, want\n%#v", c, a)
		}
		spoil(reflect.ValueOf(c).Elem())
		if got := marshal(t, a); !bytes.Equal(got, want) {
			t.Errorf("a change of the copy changed the original: got\n%s, want\n%s", got, want)
		}
	})
}

// spoil changes in place all that can be so changed, but the text of JSON values.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			return
		}
		for i := range v.Len() {
			spoil(v.Index(i))
			v.Index(i).SetZero()
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			v.SetMapIndex(it.Key(), reflect.Zero(v.Type().Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				spoil(v.Field(i))
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			spoil(v.Elem())
			v.Elem().SetZero()
		}
	}
}

func TestPathsBesideTheKindAreNoPart(t *testing.T) {
	for _, k := range Kinds {
		for _, path := range [][]string{{}, {"description"}, {"Nonsense"}, {"", "Name"}} {
			if _, ok := PartAt(k.Name, path); ok {
				t.Errorf("%s: %q is taken for a part", k.Name, path)
			}
		}
		for _, m := range k.shape.members {
			p, ok := PartAt(k.Name, []string{m.name, "a", "b"}, []string{m.name, "c"}, []string{m.name, "a"})
			if !ok || len(p.picks) != 1 {
				t.Fatalf("%s/%s: got %v %+v, want one pick", k.Name, m.name, ok, p)
			}
			if want := !m.mapped(); p.picks[0].whole != want || !want && fmt.Sprint(p.picks[0].keys) != "[a c]" {
				t.Errorf("%s/%s: got %+v", k.Name, m.name, p.picks[0])
			}
			if p, _ = PartAt(k.Name, []string{m.name, "a"}, []string{m.name}, []string{m.name, "b"}); !p.picks[0].whole || p.picks[0].keys != nil {
				t.Errorf("%s/%s as a whole: got %+v", k.Name, m.name, p.picks[0])
			}
		}
	}
}

// TestOtherValuesTakeTheirPlace: With changes the members that it is told to, and no others.
func TestOtherValuesTakeTheirPlace(t *testing.T) {
	eachKind(t, 100, func(t *testing.T, r *rand.Rand, k *KindInfo) {
		raw := marshal(t, some(t, r, k))
		got, err := With(raw, map[string]json.RawMessage{"Meta": json.RawMessage(`{}`), "Partial": json.RawMessage(`true`), "Nonsense": json.RawMessage(`1`)})
		if err != nil {
			t.Fatal(err)
		}
		var was, is map[string]json.RawMessage
		if err := errorsOf(json.Unmarshal(raw, &was), json.Unmarshal(got, &is)); err != nil {
			t.Fatal(err)
		}
		was["Meta"] = json.RawMessage(`{}`)
		if _, ok := was["Partial"]; ok {
			was["Partial"] = json.RawMessage(`true`)
		}
		if !reflect.DeepEqual(is, was) {
			t.Errorf("got %s, of %s", got, raw)
		}
	})
}
