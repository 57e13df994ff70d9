package app

import (
	"net/http"
	"net/netip"
	"time"

	"drp/server/objects"
	"drp/server/prefs"
	"drp/server/render"
	"drp/server/throttle"
)

// rendered is what the file ports serve: what is rendered for machines, over the tree on the disk.
func (a *App) rendered(r *render.Renderer, paths *render.Paths) http.Handler {
	return r.Files(render.FilesConfig{
		Objects: a.objects, Paths: paths, Log: a.log, Admit: admitFiles(a.cfg.Limits.MachineRate, time.Now),
		Tree: a.files.Handler(), Exists: a.lies,
		UnknownBootEnv: func(r objects.Reader) string { return prefs.Get(r, prefs.UnknownBootEnv) },
	})
}

// lies tells whether a file lies in the tree.
func (a *App) lies(name string) bool {
	f, err := a.files.Served(name)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// admitFiles bounds what one address may have rendered, as it does the requests of one machine.
func admitFiles(rate float64, now func() time.Time) func(*http.Request) time.Duration {
	rates := throttle.NewRates[netip.Addr](rate, int(2*rate), now)
	return func(r *http.Request) time.Duration {
		from, _ := netip.ParseAddrPort(r.RemoteAddr)
		addr := from.Addr().Unmap()
		if addr.Is6() { // whoever has one has all of its /64
			net, _ := addr.WithZone("").Prefix(64)
			addr = net.Addr()
		}
		return rates.Take(addr)
	}
}
