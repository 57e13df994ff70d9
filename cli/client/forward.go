package client

import (
	"net/http"
	"path"
)

// RoundTrip forwards a request of somebody else to the server, over the connections the client
// keeps: method, path, query, headers and body stay as they are, credentials too. It makes a
// Client an http.RoundTripper for reverse proxies.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	if c.err != nil {
		return nil, c.err
	}
	out := req.Clone(req.Context())
	out.URL.Scheme, out.URL.Host = c.base.Scheme, c.base.Host
	if c.base.Path != "" {
		out.URL.Path = path.Join(c.base.Path, req.URL.Path)
		out.URL.RawPath = ""
	}
	return c.http.Transport.RoundTrip(out)
}
