package render

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/models"
)

// attacks are templates that ask for more than there is. Each must end in an error; want is part
// of it.
var attacks = []struct{ name, text, want string }{
	{"endless recursion", `{{template "main.sh" .}}`, "nested more than 200 deep"},
	{"recursion through a function", `{{.CallTemplate "main.sh" .}}`, "nested more than 200 deep"},
	{"recursion through a param", `{{.ParamExpand "self"}}`, "nested more than 200 deep"},
	{"recursion through a string", `{{define "x"}}{{.StringExpand "{{template \"x\" .}}"}}{{end}}{{template "x" .}}`, "nested more than 200 deep"},
	{"much output", `{{range until 100000}}{{repeat 1000 "x"}}{{end}}`, "writes more than 8 MiB"},
	{"much text", `{{range until 1000000}}0123456789012345678901234567890123456789{{end}}`, "writes more than 8 MiB"},
	{"long list", `{{range $i := until 1000000000}}{{end}}`, "larger than 8 MiB"},
	{"long list with steps", `{{range $i := untilStep 0 1000000000 2}}{{end}}`, "larger than 8 MiB"},
	{"list that overflows", `{{untilStep 0 9223372036854775807 4611686018427387905}}`, "counts too far"},
	{"long sequence", `{{seq 1 1000000000}}`, "larger than 8 MiB"},
	{"sequence with steps", `{{seq 0 2 1000000000}}`, "larger than 8 MiB"},
	{"endless loop", `{{range 1000000000000}}{{end}}`, "takes longer"},
	{"endless loop of work", `{{range 1000000000000}}{{$x := 1}}{{continue}}{{end}}`, "takes longer"},
	{"loops in loops", `{{range 100000}}{{range 100000}}{{range 100000}}{{end}}{{end}}{{end}}`, "takes longer"},
	{"doubled string", `{{$s := "xx"}}{{range 60}}{{$s = print $s $s}}{{end}}`, "larger than 8 MiB"},
	{"doubled by printf", `{{$s := "xx"}}{{range 60}}{{$s = printf "%s%s" $s $s}}{{end}}`, "larger than 8 MiB"},
	{"doubled by cat", `{{$s := "xx"}}{{range 60}}{{$s = cat $s $s}}{{end}}`, "larger than 8 MiB"},
	{"doubled by join", `{{$s := "xx"}}{{range 60}}{{$s = list $s $s | join $s}}{{end}}`, "larger than 8 MiB"},
	{"doubled by replace", `{{$s := "xx"}}{{range 60}}{{$s = replace "x" $s $s}}{{end}}`, "larger than 8 MiB"},
	{"doubled by regex", `{{$s := "xx"}}{{range 60}}{{$s = regexReplaceAll "x" $s "${0}${0}${0}"}}{{end}}`, "too much to match"},
	{"doubled list", `{{$s := list 1 2}}{{range 60}}{{$s = concat $s $s}}{{end}}`, "larger than 8 MiB"},
	{"doubled by reference", `{{$s := list 1 2}}{{range 60}}{{$s = list $s $s}}{{end}}{{$s}}`, "larger than 8 MiB"},
	{"doubled by reference, as JSON", `{{$s := list 1 2}}{{range 60}}{{$s = list $s $s}}{{end}}{{toJson $s}}`, "larger than 8 MiB"},
	{"doubled by reference, compared", `{{$s := list 1}}{{$t := list 1}}{{range 60}}{{$s = list $s $s}}{{$t = list $t $t}}{{end}}{{deepEqual $s $t}}`, "larger than 8 MiB"},
	{"doubled by reference, copied", `{{$s := list 1 2}}{{range 60}}{{$s = list $s $s}}{{end}}{{$x := deepCopy $s}}`, "larger than 8 MiB"},
	{"doubled by reference, expanded", `{{$s := list 1 2}}{{range 60}}{{$s = list $s $s}}{{end}}{{$x := .ObjectExpand $s}}`, "larger than 8 MiB"},
	{"map that holds itself", `{{$d := dict}}{{$x := set $d "d" $d}}{{$d}}`, "holds itself"},
	{"map that holds itself, as JSON", `{{$d := dict}}{{$x := set $d "d" $d}}{{toJson $d}}`, "holds itself"},
	{"map that holds itself, copied", `{{$d := dict}}{{$x := set $d "d" $d}}{{$y := deepCopy $d}}`, "holds itself"},
	{"map that holds itself, merged", `{{$d := dict}}{{$x := set $d "d" $d}}{{$e := dict}}{{$x := set $e "d" $e}}{{$y := merge $d $e}}`, "holds itself"},
	{"map that holds itself, compared", `{{$d := dict}}{{$x := set $d "d" $d}}{{$e := dict}}{{$x := set $e "d" $e}}{{deepEqual $d $e}}`, "holds itself"},
	{"map that holds itself, as text", `{{$d := dict}}{{$x := set $d "d" $d}}{{len (toString $d)}}`, "holds itself"},
	{"map that holds itself, in an error", `{{$d := dict}}{{$x := set $d "d" $d}}{{$d | first}}`, "Cannot find first on type map"},
	{"map that holds itself, as seconds", `{{$d := dict}}{{$x := set $d "d" $d}}{{.GenerateProfileToken "cluster" $d}}`, "holds itself"},
	{"map that holds itself, as netmask", `{{$d := dict}}{{$x := set $d "d" $d}}{{.NetmaskToCIDR $d}}`, "holds itself"},
	{"map that holds itself, as index", `{{$d := dict}}{{$x := set $d "d" $d}}{{slice (list 1 2) $d}}`, "holds itself"},
	{"map that holds itself, added", `{{$d := dict}}{{$x := set $d "d" $d}}{{add 1 $d}}`, "holds itself"},
	{"map that holds itself, ranged over", `{{$d := dict}}{{$x := set $d "d" $d}}{{range $d.d.d.d}}{{.}}{{end}}`, "holds itself"},
	{"map that holds itself, as a key", `{{$d := dict}}{{$x := set $d "d" $d}}{{dict $d 1}}`, "holds itself"},
	{"map that holds itself, as number", `{{$d := dict}}{{$x := set $d "d" $d}}{{toDecimal $d}}`, "holds itself"},
	{"map that holds itself, compared with a number", `{{$d := dict}}{{$x := set $d "d" $d}}{{eq $d 1}}`, "holds itself"},
	{"map that holds itself, compared with itself", `{{$d := dict}}{{$x := set $d "d" $d}}{{ne $d $d}}`, "holds itself"},
	{"hoarded copies", `{{$l := list}}{{range 1000}}{{$k := list}}{{range 100}}{{$k = append $k nil}}{{end}}{{$l = append $l $k}}{{end}}{{$m := dict}}{{range 100000}}{{$x := set $m (toString .) (deepCopy $l)}}{{end}}`, "works with more than 128 MiB"},
	{"hoarded keys", `{{$d := dict}}{{range 10000}}{{$x := set $d (toString .) 1}}{{end}}{{$x := keys ` + strings.Repeat("$d ", 10000) + `}}`, "larger than 8 MiB"},
	{"hoarded entries", `{{$d := dict}}{{range 100000000}}{{$x := set $d (printf "%1000d" .) 1}}{{end}}`, "works with more than 128 MiB"},
	{"errors that grow", `{{(print "` + strings.Repeat("x", 500_000) + `" | len | list $ | first).CallTemplate "main.sh" .}}`, "nested more than 200 deep"},
	{"numbers that grow", `{{mulf 1.7e308 ` + strings.Repeat("1.7e308 ", 10000) + `}}`, "more than 64 numbers"},
	{"slow key", `{{genPrivateKey "dsa"}}`, "too long"},
	{"wide printf", `{{printf "%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d" 1 1 1 1 1 1 1 1 1}}`, "larger than 8 MiB"},
	{"printf of one argument often", `{{$s := repeat 1000000 "x"}}{{printf (repeat 1000 "%[1]s") $s}}`, "larger than 8 MiB"},
	{"printf with stars", `{{printf (repeat 100 "%[1]*[1]d") 1000000}}`, "larger than 8 MiB"},
	{"repeat", `{{repeat 1000000000000 "x"}}`, "larger than 8 MiB"},
	{"repeat an empty string", `{{repeat 9223372036854775807 "xx"}}`, "larger than 8 MiB"},
	{"indent", `{{indent 1000000000 "x"}}`, "larger than 8 MiB"},
	{"indent lines", `{{nindent 100000 (repeat 100000 "\n")}}`, "larger than 8 MiB"},
	{"random", `{{randAlphaNum 1000000000}}`, "random characters"},
	{"random bytes", `{{randBytes 1000000000}}`, "random characters"},
	{"wrap", `{{wrapWith 1 (repeat 100000 "x") (repeat 100000 "y")}}`, "larger than 8 MiB"},
	{"split to pieces", `{{$x := splitList "" (repeat 8000000 "x")}}`, "larger than 8 MiB"},
	{"unique of many", `{{uniq (until 900000)}}`, "too much to compare"},
	{"slow expression", `{{regexMatch "(a{900}b?c*){1}" (repeat 8000000 "a")}}`, "too much to match"},
	{"expression that does not compile", `{{regexMatch "(" "x"}}`, "regular expression"},
	{"deep JSON, pretty", `{{$l := list 1}}{{range 900}}{{$l = list $l}}{{end}}{{$x := list}}{{range 10}}{{$x = append $x $l}}{{end}}{{toPrettyJson $x}}`, "larger than 8 MiB"},
	{"JSON of many lists", `{{$x := fromJson (print "[" (repeat 4000000 "1,") "1]")}}`, "larger than 8 MiB"},
	{"hoarded strings", `{{$l := list}}{{range 1000}}{{$l = append $l (repeat 1000000 "x")}}{{end}}`, "works with more than 128 MiB"},
	{"hoarded params", `{{range 1000000}}{{$x := $.Param "large"}}{{end}}`, "works with more than 128 MiB"},
	{"negative index", `{{substr -5 -3 "x"}}`, "out of range"},
	{"division by nothing", `{{div 1 0}}`, "divide by zero"},
	{"no type", `{{first nil}}`, "nil"},
	{"chunks of nothing", `{{chunk 0 (list 1 2)}}`, "chunk of no size"},
	{"dig in what is no map", `{{dig "a" "b" 1}}`, "interface conversion"},
	{"deep brackets", `{{` + strings.Repeat("(", 200_000), "max"},
}

// TestNoTemplateOutlastsItsLimits runs every attack. That it returns is the point; the limit of
// time is short so that the tests are.
func TestNoTemplateOutlastsItsLimits(t *testing.T) {
	large := `"` + strings.Repeat("x", 100_000) + `"`
	m := machine(`{"self":"{{.ParamExpand \"self\"}}","large":` + large + `}`)
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			limit := time.Minute
			if a.want == "takes longer" {
				limit = 300 * time.Millisecond
			}
			r := renderer(Limits{Time: limit})
			_, err := one(t, r, a.text, m)
			if models.ClassOf(err) != models.Invalid || !strings.Contains(err.Error(), a.want) {
				t.Errorf("got %.300v, want Invalid with %q", err, a.want)
			}
		})
	}
}

// TestTheClockIsLookedAtBeforeEverySlowFunction: 64 of them, after which it is looked at anyway, can
// take half a minute. The names are those of functions that there are.
func TestTheClockIsLookedAtBeforeEverySlowFunction(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	table := functions()
	for _, name := range slowFuncs {
		f, ok := table[name]
		if !ok {
			t.Errorf("%s is no function", name)
			continue
		}
		if _, err := f.admit(&meter{ctx: ctx, limits: Limits{}.filled()}, nil); err == nil {
			t.Errorf("%s is called although the time is over", name)
		}
	}
	for name := range table {
		slow := strings.HasPrefix(name, "gen") || strings.HasPrefix(name, "derive") || strings.Contains(name, "crypt") && !strings.HasSuffix(name, "AES")
		if slow && !slices.Contains(slowFuncs, name) {
			t.Errorf("%s may be slow, and is not listed so", name)
		}
	}
}

// TestExplodingTemplatesAreStopped: each includes the next twice.
func TestExplodingTemplatesAreStopped(t *testing.T) {
	list := []models.Object{machine(`{}`)}
	for i := range 64 {
		list = append(list, shared(fmt.Sprintf("tt%d", i), fmt.Sprintf(`{{template "tt%d" .}}{{template "tt%d" .}}`, i+1, i+1)))
	}
	list = append(list, shared("tt64", ``))
	for _, text := range []string{`{{template "tt0" .}}`, `{{.CallTemplate "tt0" .}}`} {
		_, err := one(t, renderer(Limits{Time: 300 * time.Millisecond}), text, list...)
		if models.ClassOf(err) != models.Invalid || !strings.Contains(err.Error(), "takes longer") {
			t.Errorf("%s: got %.300v, want that it takes longer", text, err)
		}
	}
}

// TestDeepNestingNeedsNoLimits: the largest template there can be, nested as deep as it can.
func TestDeepNestingNeedsNoLimits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, part := range [][2]string{{`{{if 1}}`, `{{end}}`}, {`{{range 1}}`, `{{end}}`}, {`{{if 0}}{{else if 1}}`, `{{end}}`}} {
		n := (maxSource - 100) / (len(part[0]) + len(part[1]))
		text := strings.Repeat(part[0], n) + "x" + strings.Repeat(part[1], n)
		r := renderer(Limits{})
		if out, err := direct(r, text); err == nil && out != "x" {
			t.Errorf("%s: got %d bytes, want x or an error", part[0], len(out))
		}
		if _, err := direct(r, strings.Repeat(part[0], maxSource/len(part[0]))); err == nil {
			t.Errorf("%s without end is accepted", part[0])
		}
	}
}

// direct renders a text for no machine, so that it may be larger than an object.
func direct(r *Renderer, text string) (string, error) {
	x, done, err := r.begin(ctx, empty{}, "")
	if err != nil {
		return "", err
	}
	defer done()
	x.owner = &models.Task{Name: "task"}
	return x.contents(&models.TemplateInfo{Name: "main.sh", Contents: text})
}

// TestRenderingEndsWithItsRequest: nobody renders for a client that has left.
func TestRenderingEndsWithItsRequest(t *testing.T) {
	gone, cancel := context.WithCancel(ctx)
	cancel()
	v := view(t, machine(`{}`), task(inline("main.sh", `{{range 1000000000000}}{{end}}`)))
	r := renderer(Limits{Time: time.Hour, AtOnce: 1})
	for range 3 { // either it finds no room, or it stops
		if _, err := r.Job(gone, v, job(), "", ""); models.ClassOf(err) != models.Busy {
			t.Errorf("got %v, want Busy: it is not the template's fault", err)
		}
	}
	if n := len(r.slots); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
}

// TestMemoryStaysWithinReason: all attacks at once, a few times.
func TestMemoryStaysWithinReason(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	m := machine(`{"self":"x","large":"x"}`)
	var list []models.TemplateInfo
	for i, a := range attacks {
		list = append(list, inline(fmt.Sprint("a", i), a.text))
	}
	r := renderer(Limits{Time: 100 * time.Millisecond})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, a := range list {
		v := view(t, m, task(a))
		if _, err := r.Job(ctx, v, job(), "", ""); err == nil && !strings.Contains(a.Contents, `"self"`) && !strings.Contains(a.Contents, `"large"`) {
			t.Errorf("%s: no error", a.Contents)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 256<<20 {
		t.Errorf("%d MiB are still in use", grown>>20)
	}
}
