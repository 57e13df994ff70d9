package render

import (
	"strings"
	"testing"
)

// BenchmarkScript renders a script of a hundred lines that asks for params and the machine.
func BenchmarkScript(b *testing.B) {
	line := "export A=\"{{.Machine.Name}}\" B={{ .Param \"own\" | quote }}\n{{ if .ParamExists \"gone\" -}}\nnever\n{{- end }}\n"
	v := view(b, append(world(), task(inline("main.sh", "{{template \"setup.tmpl\" .}}\n"+strings.Repeat(line, 25))), shared("setup.tmpl", "#!/bin/bash\n"))...)
	r := renderer(Limits{})
	j := job()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Job(ctx, v, j, "linux", "10.0.0.1"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFunction calls one function a thousand times.
func BenchmarkFunction(b *testing.B) {
	v := view(b, machine(`{}`), task(inline("main.sh", `{{range 1000}}{{$x := upper "abc"}}{{end}}`)))
	r := renderer(Limits{})
	j := job()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Job(ctx, v, j, "linux", "10.0.0.1"); err != nil {
			b.Fatal(err)
		}
	}
}
