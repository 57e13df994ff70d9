package render

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"drp/models"
	"drp/server/objects"
	"drp/server/params"

	"sigs.k8s.io/yaml"
)

// Data is the dot of a template: its methods are what templates may ask of drp.
type Data struct{ x *run }

func (d *Data) String() string { return "drp" }

// holder is whose params count: the machine's, or those of the profile "global" when there is no
// machine.
func (d *Data) holder() (models.Object, bool) {
	if d.x.machine != nil {
		return d.x.machine.Object, true
	}
	p, ok := objects.Get[*models.Profile](d.x.view, models.GlobalProfile)
	return p, ok
}

// Param is the value of a param for the machine, in Go's types: map[string]any, []any, string,
// int64, float64, bool or nil.
func (d *Data) Param(key string) (any, error) {
	raw, err := d.raw(key)
	if err != nil {
		return nil, err
	}
	return d.decode(key, raw)
}

func (d *Data) raw(key string) ([]byte, error) {
	raw, ok := d.find(key)
	if !ok {
		return nil, because("param %s: not set anywhere and has no default", key)
	}
	return raw, nil
}

func (d *Data) find(key string) ([]byte, bool) {
	if h, ok := d.holder(); ok {
		return params.EffectiveRaw(d.x.view, h, key)
	}
	if p, ok := objects.Get[*models.Param](d.x.view, key); ok {
		return p.Default()
	}
	return nil, false
}

func (d *Data) decode(key string, raw []byte) (any, error) {
	if err := d.x.meter.tick(); err != nil {
		return nil, err
	}
	if err := d.x.meter.spend(4 * len(raw)); err != nil {
		return nil, err
	}
	v, err := decodeJSON(raw)
	if err != nil {
		return nil, because("param %s: %v", key, err)
	}
	return v, nil
}

// ParamExists tells whether Param would succeed.
func (d *Data) ParamExists(key string) (bool, error) {
	if err := d.x.meter.tick(); err != nil {
		return false, err
	}
	_, ok := d.find(key)
	return ok, nil
}

// ParamAsJSON is the value of a param as compact JSON.
func (d *Data) ParamAsJSON(key string) (string, error) {
	raw, err := d.raw(key)
	if err == nil {
		err = d.x.meter.spend(len(raw))
	}
	return string(raw), err
}

// ParamAsYAML is the value of a param as YAML.
func (d *Data) ParamAsYAML(key string) (string, error) {
	raw, err := d.raw(key)
	if err == nil {
		err = d.x.meter.spend(4 * len(raw))
	}
	if err != nil {
		return "", err
	}
	text, err := yaml.JSONToYAML(raw)
	if err != nil {
		return "", because("param %s: %v", key, err)
	}
	return string(text), nil
}

// ComposeParam is the value of a list or map param merged from all levels that set it.
func (d *Data) ComposeParam(key string) (any, error) {
	h, ok := d.holder()
	if !ok {
		return d.Param(key)
	}
	raw, err := params.Compose(d.x.view, h, key)
	if err != nil {
		var e *models.Error
		if errors.As(err, &e) && len(e.Messages) == 1 {
			return nil, because("%s", e.Messages[0])
		}
		return nil, because("%v", err)
	}
	if raw == nil {
		return d.Param(key)
	}
	return d.decode(key, raw)
}

// ParamCompose is ComposeParam.
func (d *Data) ParamCompose(key string) (any, error) { return d.ComposeParam(key) }

// ParamExpand is Param with every text in it rendered as a template; the keys of maps are not.
func (d *Data) ParamExpand(key string) (any, error) {
	v, err := d.Param(key)
	if err != nil {
		return nil, err
	}
	return d.expand("param "+key, v)
}

// ParamComposeExpand is ComposeParam with every text in it rendered as a template.
func (d *Data) ParamComposeExpand(key string) (any, error) {
	v, err := d.ComposeParam(key)
	if err != nil {
		return nil, err
	}
	return d.expand("param "+key, v)
}

// StringExpand renders a text.
func (d *Data) StringExpand(text string) (string, error) { return d.text("StringExpand", text) }

// ObjectExpand renders every text in a value; the keys of maps stay as they are.
func (d *Data) ObjectExpand(v any) (any, error) {
	w, err := weigh(v)
	if err == nil {
		err = d.x.meter.charge(copyCost * w.bytes)
	}
	if err != nil {
		return nil, err
	}
	return d.expand("ObjectExpand", v)
}

func (d *Data) expand(name string, v any) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		return d.text(name, v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			if out[i], err = d.expand(name, e); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if out[k], err = d.expand(name, e); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// text renders a text that stands inside something else, with the same dot.
func (d *Data) text(name, text string) (string, error) {
	return d.nested(func() (string, error) { return d.x.render(d.x.current, name, text) })
}

func (d *Data) nested(fn func() (string, error)) (string, error) {
	if err := d.x.meter.enter(); err != nil {
		return "", err
	}
	text, err := fn()
	if err != nil {
		return "", locate(err)
	}
	d.x.meter.depth--
	return text, d.x.meter.spend(len(text))
}

// CallTemplate renders another template, named by a value, and returns its text.
func (d *Data) CallTemplate(name string, data any) (string, error) {
	return d.nested(func() (string, error) {
		set := d.x.current
		if set.Lookup(name) == nil {
			u, err := d.x.lookup(name)
			if err != nil {
				return "", err
			}
			if u == nil {
				return "", fmt.Errorf("template %q is not defined", name)
			}
			if err := d.x.add(set, name, u); err != nil {
				return "", err
			}
		}
		return d.x.execute(set.Lookup(name), data)
	})
}

const infinite = 3 * 365 * 24 * time.Hour

// GenerateToken is a token for the machine, or when there is none one to register a machine with.
func (d *Data) GenerateToken() (string, error) {
	if d.x.machine == nil {
		return d.token(d.x.cfg.Tokens.Unknown(d.timeout("unknownTokenTimeout", 600)))
	}
	return d.token(d.x.cfg.Tokens.Machine(d.x.machine.Object.Key(), d.timeout("knownTokenTimeout", 3600)))
}

// GenerateInfiniteToken is a token for the machine that lasts three years.
func (d *Data) GenerateInfiniteToken() (string, error) {
	if d.x.machine == nil {
		return "", because("GenerateInfiniteToken: there is no machine")
	}
	return d.token(d.x.cfg.Tokens.Machine(d.x.machine.Object.Key(), infinite))
}

// GenerateProfileToken is a token that may change one profile, for so many seconds.
func (d *Data) GenerateProfileToken(profile string, seconds any) (string, error) {
	text, err := scalar(seconds)
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > int64(infinite/time.Second) {
		return "", because("GenerateProfileToken: %s is no number of seconds up to three years", text)
	}
	return d.token(d.x.cfg.Tokens.Profile(profile, time.Duration(n)*time.Second))
}

// scalar is a value as text, if it is fit to be printed.
func scalar(v any) (string, error) {
	if _, err := weigh(v); err != nil {
		return "", err
	}
	return fmt.Sprint(v), nil
}

func (d *Data) token(text string, err error) (string, error) {
	if err == nil {
		return text, d.x.meter.spend(len(text))
	}
	return "", because("make a token: %v", err)
}

// timeout is a preference in seconds.
func (d *Data) timeout(pref string, seconds int) time.Duration {
	if p, ok := objects.Get[*models.Pref](d.x.view, pref); ok {
		if n, err := strconv.Atoi(p.Val); err == nil && n > 0 {
			seconds = n
		}
	}
	return time.Duration(seconds) * time.Second
}

// ProvisionerAddress is the server's address, as close to the machine as is known.
func (d *Data) ProvisionerAddress() string { return d.x.addr }

// ApiURL is where the API is.
func (d *Data) ApiURL() string { return at("https", d.x.addr, d.x.cfg.APIPort) }

// ProvisionerURL is where files are served.
func (d *Data) ProvisionerURL() string { return at("http", d.x.addr, d.x.cfg.FilePort) }

// SecureProvisionerURL is where files are served over TLS.
func (d *Data) SecureProvisionerURL() string { return at("https", d.x.addr, d.x.cfg.SecureFilePort) }

// ApiHostURL is ApiURL with the server's name.
func (d *Data) ApiHostURL() string { return at("https", d.host(), d.x.cfg.APIPort) }

// ProvisionerHostURL is ProvisionerURL with the server's name.
func (d *Data) ProvisionerHostURL() string { return at("http", d.host(), d.x.cfg.FilePort) }

// SecureProvisionerHostURL is SecureProvisionerURL with the server's name.
func (d *Data) SecureProvisionerHostURL() string {
	return at("https", d.host(), d.x.cfg.SecureFilePort)
}

func at(scheme, host string, port int) string {
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
}

func (d *Data) host() string {
	if name := d.Info().ServerHostname; name != "" {
		return name
	}
	return d.x.addr
}

// Info is what the server says of itself.
func (d *Data) Info() *models.Info {
	if d.x.dot.info == nil {
		info := models.Info{}
		if d.x.cfg.Info != nil {
			info = d.x.cfg.Info()
			info.Features = slices.Clone(info.Features)
		}
		d.x.dot.info = &info
	}
	return d.x.dot.info
}

// ParseURL is one part of a URL: scheme, host (with the port) or path.
func (d *Data) ParseURL(segment, text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", because("%v", err)
	}
	switch segment {
	case "scheme":
		return u.Scheme, nil
	case "host":
		return u.Host, nil
	case "path":
		return u.Path, nil
	}
	return "", because("ParseURL: %q is none of scheme, host and path", segment)
}

// ParseUrl is ParseURL.
func (d *Data) ParseUrl(segment, text string) (string, error) { return d.ParseURL(segment, text) }

// NetmaskToCIDR turns "255.255.255.0" into 24.
func (d *Data) NetmaskToCIDR(mask any) (int, error) {
	text, err := scalar(mask)
	if err != nil {
		return 0, err
	}
	ip := net.ParseIP(text).To4()
	if ip == nil {
		return 0, because("NetmaskToCIDR: %s is no netmask", text)
	}
	ones, bits := net.IPMask(ip).Size()
	if bits == 0 {
		return 0, because("NetmaskToCIDR: %s has holes", text)
	}
	return ones, nil
}

// CurrentJob is the UUID of the job that is rendered, or of the machine's newest.
func (d *Data) CurrentJob() string {
	if d.x.job != "" || d.x.machine == nil {
		return d.x.job
	}
	return d.x.machine.Object.(*models.Machine).CurrentJob
}
