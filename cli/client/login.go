package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"drp/models"
)

// tokenLife is for how long tokens are asked; in the last quarter of it a new one is fetched.
const tokenLife = 2 * time.Hour

// Token returns a token that is good for this server: the configured one, or that of a login.
// A client that sends its password with every request asks for one all the same.
func (c *Client) Token(ctx context.Context) (string, error) {
	if c.err != nil {
		return "", c.err
	}
	if c.cfg.Token != "" {
		return c.cfg.Token, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == "" {
		c.token, c.expiry = c.remembered(ctx)
	}
	if c.token == "" || time.Until(c.expiry) < tokenLife/4 {
		if err := c.login(ctx); err != nil {
			return "", err
		}
	}
	return c.token, nil
}

// credentials is the Authorization header of the next request, and whether a login can renew it.
func (c *Client) credentials(ctx context.Context) (auth string, renewable bool, err error) {
	if c.cfg.NoToken && c.cfg.Token == "" {
		return c.basic(), false, c.err
	}
	token, err := c.Token(ctx)
	return "Bearer " + token, c.cfg.Token == "", err
}

// authorized sends r with the client's credentials. A token that has ceased to be good, as after
// a change of the password, is replaced once.
func (c *Client) authorized(ctx context.Context, r *request) (*http.Response, error) {
	for again := false; ; again = true {
		auth, renewable, err := c.credentials(ctx)
		if err != nil {
			return nil, err
		}
		r.auth = auth
		resp, err := c.reach(ctx, r)
		if err != nil || !renewable || again || r.stream != nil || !refuses(resp) {
			return resp, err
		}
		resp.Body.Close()
		c.forget(auth)
	}
}

// refuses tells whether the server has not taken the token. A right that is missing has the same
// status, so the answer must be read; it remains readable.
func refuses(resp *http.Response) bool {
	if resp.StatusCode != http.StatusForbidden {
		return resp.StatusCode == http.StatusUnauthorized
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	var e models.Error
	return err == nil && json.Unmarshal(raw, &e) == nil && e.Type == "system"
}

func (c *Client) basic() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.cfg.Username+":"+c.cfg.Password))
}

// forget drops a token that was refused, unless another call has replaced it already.
func (c *Client) forget(auth string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if "Bearer "+c.token == auth {
		c.token = ""
		os.Remove(c.cacheFile()) // what remains is refused again and then replaced
	}
}

// login exchanges the password for a token. c.mu is held.
func (c *Client) login(ctx context.Context) error {
	r := &request{
		method: http.MethodGet, path: "users/" + c.cfg.Username + "/token", auth: c.basic(),
		ours: true, query: url.Values{"ttl": {fmt.Sprint(int(tokenLife.Seconds()))}}, header: http.Header{"Accept": {"application/json"}},
	}
	resp, err := c.reach(ctx, r)
	if err != nil {
		return fmt.Errorf("log in as %s: %w", c.cfg.Username, err)
	}
	defer resp.Body.Close()
	var answer models.UserToken
	if err := receive(r, resp, &answer); err != nil {
		return &LoginError{User: c.cfg.Username, Err: err}
	}
	c.token, c.expiry = answer.Token, time.Now().Add(tokenLife)
	c.remember()
	return nil
}

// LoginError says that the server has not given us a token.
type LoginError struct {
	User string
	Err  error
}

func (e *LoginError) Error() string { return fmt.Sprintf("log in as %s: %v", e.User, e.Err) }
func (e *LoginError) Unwrap() error { return e.Err }

// cached is a token on disk. It is bound to the server that made it, so that it is never shown
// to another.
type cached struct {
	Endpoint string
	Token    string
	Expiry   time.Time
}

func (c *Client) cacheFile() string {
	if c.cfg.TokenCache == "" || c.cfg.Username == "" {
		return ""
	}
	return filepath.Join(c.cfg.TokenCache, "."+url.PathEscape(c.cfg.Username)+".token")
}

// remembered is the token of an earlier run, if the server still takes it.
func (c *Client) remembered(ctx context.Context) (string, time.Time) {
	file := c.cacheFile()
	if file == "" {
		return "", time.Time{}
	}
	raw, err := os.ReadFile(file)
	var t cached
	if err != nil || json.Unmarshal(raw, &t) != nil || t.Endpoint != c.cfg.Endpoint || t.Token == "" {
		return "", time.Time{}
	}
	r := &request{method: http.MethodGet, path: "info", ours: true, auth: "Bearer " + t.Token, header: http.Header{"Accept": {"application/json"}}}
	resp, err := c.reach(ctx, r)
	if err != nil {
		return "", time.Time{}
	}
	defer resp.Body.Close()
	if receive(r, resp, nil) != nil {
		return "", time.Time{}
	}
	return t.Token, t.Expiry
}

// remember keeps the token for the next run. Where it cannot, the next run logs in again.
func (c *Client) remember() {
	file := c.cacheFile()
	if file == "" || os.MkdirAll(c.cfg.TokenCache, 0o700) != nil {
		return
	}
	raw, err := json.Marshal(cached{Endpoint: c.cfg.Endpoint, Token: c.token, Expiry: c.expiry})
	if err != nil {
		return
	}
	tmp, err := os.CreateTemp(c.cfg.TokenCache, ".new-*") // mode 0600
	if err != nil {
		return
	}
	_, werr := tmp.Write(raw)
	if cerr := tmp.Close(); werr != nil || cerr != nil || os.Rename(tmp.Name(), file) != nil {
		os.Remove(tmp.Name())
	}
}

// eventsURL is where the websocket lives; it bypasses the local proxy.
func (c *Client) eventsURL(rev uint64) string {
	u := *c.wsURL
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	u.Path = path.Join("/", u.Path, "/api/v3/ws", c.cfg.Forward)
	if rev > 0 {
		u.RawQuery = url.Values{"rev": {fmt.Sprint(rev)}}.Encode()
	}
	return u.String()
}
