package patch

import (
	"fmt"
	"strings"
	"testing"
)

// machineLike returns an object of about size bytes: some thirty fields, and params.
func machineLike(size int) []byte {
	var b strings.Builder
	b.WriteString(`{"Address":"10.0.0.1","Description":""`)
	for i := range 16 {
		fmt.Fprintf(&b, `,"Field%02d":"value %d"`, i, i)
	}
	b.WriteString(`,"Params":{"a":{"b":{"c":1}}`)
	for i := 0; b.Len() < size-80; i++ {
		fmt.Fprintf(&b, `,"param/%03d":{"number":%d,"list":["one","two"],"text":"some text of usual length"}`, i, i)
	}
	b.WriteString(`},"Revision":17,"Runnable":true,"Stage":"none","Workflow":""}`)
	return []byte(b.String())
}

func eachSize(b *testing.B, run func(b *testing.B, doc []byte)) {
	for _, size := range []int{1 << 10, 16 << 10} {
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			doc := machineLike(size)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			run(b, doc)
		})
	}
}

const (
	topPatch  = `[{"op":"test","path":"/Stage","from":"","value":"none"},{"op":"replace","path":"/Stage","from":"","value":"x"},{"op":"test","path":"/Runnable","from":"","value":true},{"op":"replace","path":"/Runnable","from":"","value":false}]`
	deepPatch = `[{"op":"test","path":"/Params/a/b/c","value":1},{"op":"replace","path":"/Params/a/b/c","value":2}]`
	listPatch = `[{"op":"add","path":"/Params/param~1000/list/-","value":"three"}]`
)

func BenchmarkApply(b *testing.B) {
	for _, p := range []struct{ name, text string }{{"top", topPatch}, {"deep", deepPatch}, {"list", listPatch}} {
		b.Run(p.name, func(b *testing.B) {
			eachSize(b, func(b *testing.B, doc []byte) {
				p := sketch(b, p.text)
				for b.Loop() {
					if _, err := p.Apply(doc); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkReference(b *testing.B) {
	eachSize(b, func(b *testing.B, doc []byte) {
		p := sketch(b, topPatch)
		for b.Loop() {
			if _, _, err := reference(doc, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDiff(b *testing.B) {
	eachSize(b, func(b *testing.B, doc []byte) {
		changed, err := sketch(b, topPatch+"")[1:2].Apply(doc)
		if err != nil {
			b.Fatal(err)
		}
		if changed, err = sketch(b, deepPatch).Apply(changed); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if p, err := Diff(doc, changed, Tests); err != nil || len(p) != 4 {
				b.Fatal(p, err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	wire := []byte(topPatch)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(wire); err != nil {
			b.Fatal(err)
		}
	}
}
