package objects

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"drp/models"
)

// BenchmarkPatch is the road without the disk: decode, apply, check, diff, publish.
func BenchmarkPatch(b *testing.B) {
	for _, path := range []string{"/Description", "/Params/hot"} {
		for _, size := range []int{1 << 10, 16 << 10} {
			b.Run(fmt.Sprintf("%s/%dKB", path[1:], size>>10), func(b *testing.B) { benchmarkPatch(b, path, size) })
		}
	}
}

func benchmarkPatch(b *testing.B, path string, size int) {
	engine := newMemory()
	engine.quick = true
	s, err := New(engine, nil, now, discard)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	ctx := WithActor(b.Context(), System)
	p := &models.Profile{Name: "bench", Params: models.Params{"hot": json.RawMessage(`"0"`)}, Description: "0"}
	for left := size - 300; left > 0; left -= 100 {
		p.Params[fmt.Sprintf("filler-%03d", left/100)] = json.RawMessage(`"` + strings.Repeat("x", 70) + `"`)
	}
	if _, err := s.Create(ctx, p, false); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		ops := decodePatch(b, fmt.Sprintf(`[{"op":"test","path":%q,"value":"%d"},{"op":"replace","path":%q,"value":"%d"}]`, path, i, path, i+1))
		if _, err := s.Patch(ctx, "profiles", "bench", ops, false); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
