package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"

	"github.com/spf13/cobra"
)

// requests are the commands on requests for certificates.
func (a *app) requests() *cobra.Command {
	csr := a.command(verb{
		use: "csr [root] [cn] [hosts...]", short: "Make a private key and a request for its certificate",
		long: "Make a private key and a request that a certificate authority be asked to sign, for a common name and for\n" +
			"hosts by name or address, and print both as CSR and Key. ROOT is the name of the authority, for whoever\nhands the request in; it is not part of it. The server is not asked.",
		example: "drp certs csr my-root web1 web1.example.com 192.168.124.10 --jq .CSR > web1.csr",
		args:    between(2, 1<<16, ": Expected more than 1 arguments"),
		run: func(_ context.Context, args []string) error {
			request, key, err := newRequest(args[1], args[2:])
			if err != nil {
				return fmt.Errorf("make a request for a certificate: %w", err)
			}
			return a.print(struct{ CSR, Key string }{string(request), string(key)})
		},
	})
	return a.group("certs", "Make requests for certificates", "Make keys and requests for their certificates, for tasks that ask a plugin to sign them.",
		"drp certs csr my-root web1 web1.example.com", csr)
}

// newRequest makes a key and a request for it, both as PEM.
func newRequest(name string, hosts []string) (request, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	r := &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			r.IPAddresses = append(r.IPAddresses, ip)
		} else {
			r.DNSNames = append(r.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, r, private)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), nil
}
