package cli

import (
	"io"
	"os"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// bar shows a person how far a transfer is; nil: nobody looks.
type bar struct {
	all *mpb.Progress
	one *mpb.Bar
}

// progress begins a bar on stderr when that is a terminal. A size below 0 is not known.
func (a *app) progress(name string, size, begun int64) *bar {
	f, ok := a.Err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	p := mpb.New(mpb.WithOutput(f), mpb.WithWidth(48))
	one := p.AddBar(max(size, 0),
		mpb.PrependDecorators(decor.Name(name+" ")),
		mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f "), decor.AverageSpeed(decor.SizeB1024(0), "% .1f "), decor.AverageETA(decor.ET_STYLE_GO)))
	one.SetCurrent(begun)
	return &bar{p, one}
}

func (b *bar) add(n int) {
	if b != nil {
		b.one.IncrBy(n)
	}
}

func (b *bar) reader(r io.Reader) io.Reader {
	if b == nil {
		return r
	}
	return barred{r, b}
}

// barred moves a bar forward.
type barred struct {
	io.Reader
	bar *bar
}

func (c barred) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.bar.add(n)
	return n, err
}

// end leaves the bar as it stands.
func (b *bar) end(good bool) {
	if b == nil {
		return
	}
	if good {
		b.one.SetTotal(-1, true)
	} else {
		b.one.Abort(false)
	}
	b.all.Wait()
}
