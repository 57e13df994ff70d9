package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

type files struct{ dir, cert, key string }

func tempFiles(t *testing.T) files {
	dir := t.TempDir()
	return files{dir, filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")}
}

func (f files) load(t *testing.T, hosts ...string) *KeyPair {
	t.Helper()
	p, err := Certificate(f.cert, f.key, "", hosts, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func leaf(t *testing.T, p *KeyPair) *x509.Certificate {
	t.Helper()
	c, err := p.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

// serve answers over TLS with the certificate and returns the address.
func serve(t *testing.T, p *KeyPair) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	l := tls.NewListener(s.Listener, &tls.Config{GetCertificate: p.GetCertificate, MinVersion: tls.VersionTLS12})
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return l.Addr().String()
}

func TestManyHandshakesAtOnceSucceed(t *testing.T) {
	p := tempFiles(t).load(t)
	roots := x509.NewCertPool()
	roots.AddCert(leaf(t, p))
	addr := serve(t, p)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
			r, err := c.Get("https://" + addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			if b, err := io.ReadAll(r.Body); err != nil || string(b) != "ok" {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
	all.Wait()
}

func TestCertificateIsForTheHosts(t *testing.T) {
	c := leaf(t, tempFiles(t).load(t, "drp.example.org", "192.0.2.1", "localhost", "", "2001:db8::1"))
	for _, host := range []string{"drp.example.org", "192.0.2.1", "2001:db8::1", "localhost", "127.0.0.1", "::1"} {
		if err := c.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if c.VerifyHostname("other.example.org") == nil {
		t.Error("got a certificate for other.example.org")
	}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("got a key of type %T, want ECDSA P-256", c.PublicKey)
	}
	if now := time.Now(); now.Before(c.NotBefore) || now.AddDate(9, 0, 0).After(c.NotAfter) {
		t.Errorf("got valid from %v to %v", c.NotBefore, c.NotAfter)
	}
}

func TestCertificateIsKept(t *testing.T) {
	f := tempFiles(t)
	f.load(t)
	cert, key := read(t, f.cert), read(t, f.key)
	f.load(t, "another.example.org")
	if !bytes.Equal(cert, read(t, f.cert)) || !bytes.Equal(key, read(t, f.key)) {
		t.Error("got other files after a restart")
	}
	if info, err := os.Stat(f.key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", info.Mode(), err)
	}
	if entries, err := os.ReadDir(f.dir); err != nil || len(entries) != 2 {
		t.Errorf("got %v, %v, want two files and nothing left over", entries, err)
	}
}

// A crash between the two files leaves the key alone.
func TestLoneKeyGetsACertificate(t *testing.T) {
	f := tempFiles(t)
	first := leaf(t, f.load(t))
	if err := os.Remove(f.cert); err != nil {
		t.Fatal(err)
	}
	second := leaf(t, f.load(t))
	if !first.PublicKey.(*ecdsa.PublicKey).Equal(second.PublicKey) || first.SerialNumber.Cmp(second.SerialNumber) == 0 {
		t.Error("got another key or the same certificate, want a new certificate for the same key")
	}
}

func TestFilesOfTheOwnerAreNotOverwritten(t *testing.T) {
	for name, spoil := range map[string]func(f files) error{
		"certificate without a key": func(f files) error { return os.Remove(f.key) },
		"certificate is none":       func(f files) error { return os.WriteFile(f.cert, []byte("cow"), 0o644) },
		"key is none":               func(f files) error { return os.WriteFile(f.key, []byte("cow"), 0o600) },
		"lone key is none": func(f files) error {
			os.Remove(f.cert)
			return os.WriteFile(f.key, []byte("cow"), 0o600)
		},
	} {
		f := tempFiles(t)
		f.load(t)
		if err := spoil(f); err != nil {
			t.Fatal(err)
		}
		before := contents(t, f.dir)
		if _, err := Certificate(f.cert, f.key, "", nil, time.Now); err == nil {
			t.Errorf("%s: got no error", name)
		}
		if after := contents(t, f.dir); after != before {
			t.Errorf("%s: got files %s, want %s", name, after, before)
		}
	}
}

func contents(t *testing.T, dir string) (all string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all += e.Name() + "=" + string(read(t, filepath.Join(dir, e.Name()))) + "\n"
	}
	return all
}

func TestReloadServesTheNewCertificate(t *testing.T) {
	f, g := tempFiles(t), tempFiles(t)
	p, other := f.load(t), g.load(t)
	addr := serve(t, p)
	expect := func(want *x509.Certificate) {
		t.Helper()
		if got := served(t, addr); got.SerialNumber.Cmp(want.SerialNumber) != 0 {
			t.Errorf("got serial %v, want %v", got.SerialNumber, want.SerialNumber)
		}
	}
	first := leaf(t, p)
	expect(first)
	if err := os.WriteFile(f.cert, read(t, g.cert), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.Reload(); err == nil {
		t.Error("got no error with a certificate for another key")
	}
	expect(first)
	if err := os.WriteFile(f.key, read(t, g.key), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Reload(); err != nil {
		t.Fatal(err)
	}
	expect(leaf(t, other))
}

func served(t *testing.T, addr string) *x509.Certificate {
	t.Helper()
	c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	r, err := c.Get("https://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	return r.TLS.PeerCertificates[0]
}
