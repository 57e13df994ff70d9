package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"drp/models"
)

// KeyPair is the certificate and key of the server. It is safe for concurrent use.
type KeyPair struct {
	certFile, keyFile string
	// replaced is the file of a pair that was given later: both in one file, so that no crash
	// leaves one without the other.
	replaced string
	replace  sync.Mutex
	current  atomic.Pointer[tls.Certificate]
}

// certificateLife is long because nobody renews it: clients know a self-signed certificate by
// its key, not by its dates.
const certificateLife = 10 * year

// Certificate loads the certificate and key of the server from PEM files. When there is no
// certificate it makes one for the hosts (names and addresses) and localhost, self-signed, for
// the key in keyFile or a new one, and writes what it made. A certificate without a key is an
// error: whoever put it there is to add the key. A pair that Replace has kept in the file replaced
// goes before all of that; "" is for a certificate that Replace must not touch.
func Certificate(certFile, keyFile, replaced string, hosts []string, now func() time.Time) (*KeyPair, error) {
	p := &KeyPair{certFile: certFile, keyFile: keyFile, replaced: replaced}
	if p.hasReplaced() {
		return p, p.Reload()
	}
	if _, err := os.Stat(certFile); errors.Is(err, fs.ErrNotExist) {
		if err := makeCertificate(certFile, keyFile, hosts, now()); err != nil {
			return nil, fmt.Errorf("make a certificate: %w", err)
		}
	}
	if err := p.Reload(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *KeyPair) hasReplaced() bool {
	if p.replaced == "" {
		return false
	}
	_, err := os.Stat(p.replaced)
	return err == nil
}

func (p *KeyPair) files() (cert, key string) {
	if p.hasReplaced() {
		return p.replaced, p.replaced
	}
	return p.certFile, p.keyFile
}

// Reload reads the files again; on an error the certificate stays as it is.
func (p *KeyPair) Reload() error {
	cert, key := p.files()
	c, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("load certificate %s: %w", cert, err)
	}
	p.current.Store(&c)
	return nil
}

// PEM is the certificate, with those it was signed by, and the key.
func (p *KeyPair) PEM() (cert, key []byte, err error) {
	c := p.current.Load()
	for _, der := range c.Certificate {
		cert = append(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Replace puts another certificate and its key, both as PEM, in place of the ones there are:
// durably, and for every connection from now on. What is wrong with them is an Invalid error; a
// certificate that the server was started with is a Conflict.
func (p *KeyPair) Replace(cert, key []byte) error {
	if p.replaced == "" {
		return models.Problem(models.Conflict, "", "", "the certificate is that of --tls-cert "+p.certFile+": put another into that file, and send the server SIGHUP")
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return models.Problem(models.Invalid, "", "", "the certificate and the key cannot be used: "+err.Error())
	}
	p.replace.Lock()
	defer p.replace.Unlock()
	text := append(append(bytes.TrimSpace(cert), '\n'), key...)
	if _, err := tls.X509KeyPair(text, text); err != nil {
		return models.Problem(models.Invalid, "", "", "the certificate or the key holds more than it should: "+err.Error())
	}
	err = writeWhole(p.replaced, 0o600, func(f *os.File) error {
		_, err := f.Write(text)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep the certificate: %w", err)
	}
	p.current.Store(&c)
	return nil
}

// GetCertificate is for a tls.Config: new connections get what was loaded last.
func (p *KeyPair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return p.current.Load(), nil
}

func makeCertificate(certFile, keyFile string, hosts []string, now time.Time) error {
	// The key goes first: if we die in between, the next start makes a certificate for it.
	key, err := loadKey(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(keyFile)
	}
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "drp", Organization: []string{"drp self-signed"}},
		NotBefore:             now.Add(-time.Hour), // the clocks of hosts that boot are not exact
		NotAfter:              now.Add(certificateLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	addHosts(template, append([]string{"localhost", "127.0.0.1", "::1"}, hosts...))
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	return writePEM(certFile, "CERTIFICATE", der, 0o644)
}

func addHosts(c *x509.Certificate, hosts []string) {
	seen := map[string]bool{"": true}
	for _, h := range hosts {
		if seen[h] {
			continue
		}
		seen[h] = true
		if ip := net.ParseIP(h); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, h)
		}
	}
}

func loadKey(file string) (crypto.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: not a PKCS #8 key", file)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: not a key that signs", file)
	}
	return signer, nil
}

func makeKey(file string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(file, "PRIVATE KEY", der, 0o600)
}

// writePEM makes the file as a whole or not at all, and durably.
func writePEM(file, kind string, der []byte, mode os.FileMode) error {
	return writeWhole(file, mode, func(f *os.File) error { return pem.Encode(f, &pem.Block{Type: kind, Bytes: der}) })
}

func writeWhole(file string, mode os.FileMode, fill func(*os.File) error) error {
	dir := filepath.Dir(file)
	f, err := os.CreateTemp(dir, "."+filepath.Base(file)+"-*") // for its owner only
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // is gone when all went well
	err = errors.Join(fill(f), f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
