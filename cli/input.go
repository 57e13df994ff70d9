package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"

	packs "drp/content"
	"drp/models"
)

// text reads what an argument stands for: "-" is stdin, an http URL or the name of a file its
// content, anything else itself.
func (a *app) text(ctx context.Context, arg string) ([]byte, error) {
	raw, err := a.source(ctx, arg)
	if errors.Is(err, errNoSource) {
		return []byte(arg), nil
	}
	return raw, err
}

var errNoSource = verbatim("Must specify a file or url")

// source is text without the way out: errNoSource when the argument names nothing.
func (a *app) source(ctx context.Context, arg string) ([]byte, error) {
	if arg == "-" {
		raw, err := io.ReadAll(a.In)
		if err != nil {
			return nil, verbatim("Error reading from stdin: %w", err)
		}
		return raw, nil
	}
	if strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://") {
		return a.download(ctx, arg)
	}
	if info, err := os.Stat(arg); err == nil && info.Mode().IsRegular() {
		return os.ReadFile(arg)
	}
	return nil, errNoSource
}

func (a *app) download(ctx context.Context, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	resp, err := a.elsewhere(req)
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		return nil, verbatim("Error reading from stdin: %s %s: %w", failed.Op, failed.URL, failed.Err)
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("download %s: %s", from, resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// elsewhere asks a web server that is not ours, through the proxy of -D if there is one.
func (a *app) elsewhere(req *http.Request) (*http.Response, error) {
	if a.flags.downloadProxy == "" {
		return http.DefaultClient.Do(req)
	}
	proxy, err := url.Parse(a.flags.downloadProxy)
	if err != nil || proxy.Host == "" {
		return nil, fmt.Errorf("--download-proxy: %q is no URL such as http://proxy:3128", a.flags.downloadProxy)
	}
	through := http.DefaultTransport.(*http.Transport).Clone()
	through.Proxy = http.ProxyURL(proxy)
	through.DisableKeepAlives = true // it serves this request alone
	return (&http.Client{Transport: through}).Do(req)
}

// value reads an argument as a JSON or YAML value. JSON keeps its digits.
func (a *app) value(ctx context.Context, arg string) (json.RawMessage, error) {
	raw, err := a.text(ctx, arg)
	if err != nil {
		return nil, err
	}
	return toJSON(raw)
}

// toJSON turns YAML into JSON; what is JSON already is only made compact.
func toJSON(raw []byte) (json.RawMessage, error) {
	var compact bytes.Buffer
	if json.Compact(&compact, raw) == nil {
		return compact.Bytes(), nil
	}
	return packs.ToJSON(raw, nil)
}

// object reads an argument that must describe an object of the kind, or some of its fields.
func (k *kind) object(ctx context.Context, arg string) (document, error) {
	raw, err := k.text(ctx, arg)
	if err != nil {
		return nil, err
	}
	if raw, err = packs.ToJSON(raw, k.info.New()); err != nil {
		return nil, err
	}
	return toDocument(raw)
}

// decode reads an argument into a Go value; the errors read like those of drpcli.
func decode(raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("error unmarshaling JSON: while decoding JSON: %w", err)
	}
	return nil
}

// document is a JSON object whose values keep their digits.
type document = map[string]any

// object reads an argument that must be a JSON or YAML object.
func (a *app) object(ctx context.Context, arg string) (document, error) {
	raw, err := a.value(ctx, arg)
	if err != nil {
		return nil, err
	}
	return toDocument(raw)
}

func toDocument(raw json.RawMessage) (document, error) {
	var doc document
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("error unmarshaling JSON: while decoding JSON: %w", err)
	}
	if doc == nil {
		doc = document{}
	}
	return doc, nil
}

// reference is what -r gives.
func (a *app) reference(ctx context.Context) (json.RawMessage, error) {
	raw, err := a.value(ctx, a.flags.ref)
	if err != nil {
		return nil, fmt.Errorf("--ref: %w", err)
	}
	return raw, nil
}

// nulls says what a null in a change means.
type nulls bool

const (
	keep   nulls = false // nothing
	remove nulls = true  // that the member of a map goes; of a whole field it means nothing
)

// merge lays changes over a document: objects member by member, all else replaced as a whole. Names
// of fields match in any letter case at the top.
func merge(doc, changes document, null nulls) {
	for name, v := range changes {
		if v != nil {
			name = packs.FieldName(doc, name)
			doc[name] = merged(doc[name], v, null)
		}
	}
}

func merged(old, change any, null nulls) any {
	a, isObject := old.(document)
	b, both := change.(document)
	if !isObject || !both {
		return change
	}
	out := maps.Clone(a)
	for k, v := range b {
		switch {
		case v != nil:
			out[k] = merged(out[k], v, null)
		case null == remove:
			delete(out, k)
		}
	}
	return out
}

// must marshals a value that was made from JSON.
func must(v any) json.RawMessage {
	raw, err := models.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("cli: %T does not marshal: %v", v, err))
	}
	return raw
}
