package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"drp/cli/client"

	"github.com/spf13/pflag"
)

// environment is the part of the help on settings.
const environment = `Settings come from flags, else from the environment, else from ~/.drpclirc, which has lines
of the form NAME=VALUE:
  RS_ENDPOINT      URL of the server; https://127.0.0.1:8092 if nothing says otherwise
  RS_ENDPOINTS     several, separated by blanks: the first that can be reached is taken
  RS_TOKEN         token to use as it is
  RS_KEY           user:password
  RS_USERNAME, RS_PASSWORD
  RS_TOKEN_PATH    directory for tokens between calls, also RS_TOKEN_CACHE
  RS_LOCAL_PROXY   unix socket of an agent that forwards requests
  RS_FORMAT        json, yaml, table or text
  RS_PRINT_FIELDS, RS_TRUNCATE_LENGTH, RS_NO_HEADER, RS_NO_COLOR, RS_COLORS
                   as the flags -J, -j, -H, -N and -C
  RS_OBJECT_ERRORS_ARE_FATAL
                   true: as the flag -X
  RS_CATALOG       file or URL of the catalog, as -c
  RS_DOWNLOAD_PROXY
                   HTTP proxy for what is fetched from elsewhere, as -D
  RS_URL_PROXY     ID of the server that requests are passed on to, as -u
  RS_UUID          machine of the agent and processjobs (environment only)
  RS_CONTEXT       context whose tasks these do (environment only)
  RS_JOB_UUID      job that changes are made for; tasks have it (environment only)
  DRP_SERVER       server by the name that servers add gave it, as --server (environment only)
  RS_TLS_VERIFY    true: refuse a server whose certificate the system does not trust

Servers make their own certificates, so by default any is accepted, as Digital Rebar's
drpcli does. Give --ca FILE or RS_TLS_VERIFY=true where the network is not trusted.`

const (
	defaultEndpoint = "https://127.0.0.1:8092"
	defaultUser     = "rocketskates"
	defaultPassword = "r0cketsk8ts"
)

// flags are those that every command takes.
type flags struct {
	endpoint, token, user, password string
	ref, format, fields             string
	trace, traceToken               string
	forward, ca                     string
	force, noToken, debug           bool
	noHeader, exitEarly, noProxy    bool
	noColor                         bool
	jq, server, colors              string
	catalog, downloadProxy          string
	truncate                        int

	refGiven      bool // -r with something in it
	formatGiven   bool // somebody said how to print
	truncateGiven bool
}

func (f *flags) add(p *pflag.FlagSet) {
	p.StringVarP(&f.endpoint, "endpoint", "E", "", "URL of the server (default "+defaultEndpoint+")")
	p.StringVarP(&f.token, "token", "T", "", "token to use instead of logging in")
	p.StringVarP(&f.user, "username", "U", "", "user to log in as (default "+defaultUser+")")
	p.StringVarP(&f.password, "password", "P", "", "password of the user")
	p.StringVarP(&f.ref, "ref", "r", "", "what the thing to change must look like now: file, URL, - or YAML")
	p.StringVarP(&f.format, "format", "F", "", "output as json, yaml, table or text (default json)")
	p.StringVarP(&f.fields, "print-fields", "J", "", "fields for table and text, separated by commas")
	p.BoolVarP(&f.noHeader, "no-header", "H", false, "leave the header out of table and text")
	p.IntVarP(&f.truncate, "truncate-length", "j", 40, "longest value in table and text; 0: any")
	p.BoolVarP(&f.noColor, "no-color", "N", false, "no colours on a terminal; NO_COLOR in the environment says the same")
	p.StringVar(&f.jq, "jq", "", "print what this jq filter makes of the output; texts without quotes")
	p.BoolVarP(&f.force, "force", "f", false, "ask the server to relax its checks")
	p.BoolVarP(&f.exitEarly, "exit-early", "X", false, "fail when an object that is shown has errors")
	p.BoolVarP(&f.debug, "debug", "d", false, "tell on stderr which requests are made")
	p.BoolVarP(&f.noToken, "no-token", "x", false, "send the password with each request; no token, no token cache")
	p.StringVarP(&f.trace, "trace", "t", "", "level at which the server logs the requests")
	p.StringVarP(&f.traceToken, "trace-token", "Z", "", "word by which the requests can be found in the server's log")
	p.StringVarP(&f.forward, "url-proxy", "u", "", "ID of the server that requests are meant for; that of -E passes them on, if it can")
	p.StringVarP(&f.colors, "colors", "C", "", "colours on a terminal, such as 0=32;4=34,1: texts, words, numbers, null, names, header, border, and rows by turns")
	p.StringVarP(&f.catalog, "catalog", "c", "", "catalog for the commands of catalog: a content pack with catalog_items; file or URL")
	p.StringVarP(&f.downloadProxy, "download-proxy", "D", "", "URL of the HTTP proxy for what is fetched from elsewhere, such as catalogs and ISOs")
	p.StringVar(&f.server, "server", "", "server to talk to, by the name that servers add gave it")
	p.StringVar(&f.ca, "ca", "", "accept only servers with a certificate signed by one in this PEM file")
	p.BoolVarP(&f.noProxy, "ignore-unix-proxy", "g", false, "do not use RS_LOCAL_PROXY")
}

// fromEnvironment are the settings that stand for a flag.
var fromEnvironment = map[string]string{
	"RS_FORMAT": "format", "RS_PRINT_FIELDS": "print-fields", "RS_TRUNCATE_LENGTH": "truncate-length", "RS_NO_HEADER": "no-header",
	"RS_NO_COLOR": "no-color", "RS_COLORS": "colors", "RS_OBJECT_ERRORS_ARE_FATAL": "exit-early", "RS_CATALOG": "catalog",
	"RS_DOWNLOAD_PROXY": "download-proxy", "RS_URL_PROXY": "url-proxy",
}

// configure settles what flags, environment and ~/.drpclirc say, before a command runs.
func (a *app) configure(p *pflag.FlagSet) error {
	f := &a.flags
	s, err := a.settings()
	if err == nil {
		err = a.filter()
	}
	if err != nil {
		return err
	}
	chosen, err := a.chosen(s)
	if err != nil {
		return err
	}
	key, secret, _ := strings.Cut(s.get("RS_KEY"), ":")
	fill := func(flag string, value *string, from ...string) {
		for _, v := range from {
			if !p.Changed(flag) && *value == "" {
				*value = v
			}
		}
	}
	fill("endpoint", &f.endpoint, chosen.Endpoint, s.get("RS_ENDPOINT"), reachable(s.get("RS_ENDPOINTS")), defaultEndpoint)
	fill("username", &f.user, chosen.Username, s.get("RS_USERNAME"), key, defaultUser)
	fill("password", &f.password, chosen.Password, s.get("RS_PASSWORD"), secret, defaultPassword)
	fill("ca", &f.ca, chosen.CA)
	if !p.Changed("username") && !p.Changed("password") {
		fill("token", &f.token, chosen.Token)
		if chosen.Username == "" { // else the token is for another server
			fill("token", &f.token, s.get("RS_TOKEN"))
		}
	}
	for name, flag := range fromEnvironment {
		if v := s.get(name); v != "" && !p.Changed(flag) {
			if err := p.Lookup(flag).Value.Set(v); err != nil {
				return verbatim("%s: %w", name, err)
			}
		}
	}
	if a.palette, err = readPalette(f.colors); err != nil {
		return err
	}
	f.formatGiven, f.truncateGiven = f.format != "", p.Changed("truncate-length") || s.get("RS_TRUNCATE_LENGTH") != ""
	fill("format", &f.format, "json")
	f.refGiven = f.ref != ""
	if _, ok := formats[f.format]; !ok {
		return verbatim("Unknown pretty format %s", f.format)
	}
	cfg := client.Config{
		Endpoint: f.endpoint, Token: f.token, Username: f.user, Password: f.password, NoToken: f.noToken,
		Forward: f.forward, TokenCache: a.tokenCache(s), Job: a.Getenv("RS_JOB_UUID"), Trace: f.trace, TraceToken: f.traceToken, CA: f.ca, Verify: s.get("RS_TLS_VERIFY") == "true",
	}
	if !f.noProxy {
		cfg.Socket = s.get("RS_LOCAL_PROXY")
	}
	a.client = client.New(cfg)
	return nil
}

// settings are looked up in the environment first.
type settings struct {
	getenv func(string) string
	file   map[string]string
}

func (s settings) get(name string) string {
	if v := s.getenv(name); v != "" {
		return v
	}
	return s.file[name]
}

// settings reads ~/.drpclirc, if there is one.
func (a *app) settings() (settings, error) {
	s := settings{getenv: a.Getenv, file: map[string]string{}}
	if a.Home == "" {
		return s, nil
	}
	raw, err := os.ReadFile(filepath.Join(a.Home, ".drpclirc"))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read settings: %w", err)
	}
	for _, line := range strings.Split(string(raw), "\n") {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		s.file[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), `"'`)
	}
	return s, nil
}

func (a *app) tokenCache(s settings) string {
	for _, name := range []string{"RS_TOKEN_PATH", "RS_TOKEN_CACHE"} {
		if dir := s.get(name); dir != "" {
			return dir
		}
	}
	if a.Home == "" {
		return ""
	}
	return filepath.Join(a.Home, ".cache", "drpcli", "tokens")
}

// reachable is the first of several endpoints that takes connections, or the first of them.
func reachable(list string) string {
	all := strings.Fields(list)
	for _, e := range all {
		u, err := url.Parse(e)
		if err != nil || u.Host == "" {
			continue
		}
		host := u.Host
		if u.Port() == "" {
			host = net.JoinHostPort(u.Hostname(), "443")
		}
		conn, err := net.DialTimeout("tcp", host, 3*time.Second)
		if err == nil {
			conn.Close()
			return e
		}
	}
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// do sends a request and returns the answer's JSON. With -d it says so on stderr.
func (a *app) do(ctx context.Context, method, path string, in any, opts ...client.Option) (json.RawMessage, error) {
	if a.flags.debug {
		fmt.Fprintf(a.Err, "%s %s/api/v3/%s\n", method, a.client.Endpoint(), path)
	}
	var raw json.RawMessage
	err := a.client.Do(ctx, method, path, in, &raw, opts...)
	return raw, err
}
