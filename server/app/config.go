package app

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"drp/server/api"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// Config is what a server is started with.
type Config struct {
	BaseRoot         string // folder of all data
	APIPort          int    // HTTPS; 0: any free one
	StaticPort       int    // HTTP file server; 0: none
	StaticSecurePort int    // HTTPS file server; 0: none
	// SecurePortChosen is set when somebody asked for StaticSecurePort: then it must be free.
	SecurePortChosen bool
	// Content packs on this machine's disk (JSON or YAML), read at the start: one whose objects
	// win over those of all packs, and one whose objects give way to them. "": none.
	LocalContent, DefaultContent string

	Listen          string // address to listen on; "": all, or loopback under the default password
	StaticIP        string // address others reach this server at; "": the one they reached it at
	TLSCert, TLSKey string // PEM files; "": made at the first start and kept in BaseRoot
	SecretKey       string // file of the keys that secrets are sealed with; "": secret.key in BaseRoot
	ID              string // name of this server; "": from the network card
	PluginUploads   bool   // programs of plugin providers may be uploaded
	Password        string // of the first user, at the first start; "": the default one
	// The preferences of these names, set at each start; "": as they are.
	BaseTokenSecret, SystemGrantorSecret string
	LogLevel                             string
	LogFormat                            string // text or json
	MetricsOpen                          bool   // /metrics without a token
	OTLPEndpoint                         string // collector of traces; "": the one OTEL_* variables name, or none
	DrainDelay                           time.Duration
	File                                 string // configuration file

	Limits      api.Limits
	Connections int           // open at a time; 0: what the limit of open files allows
	Idle        time.Duration // how long a connection may be without a request; 0: for ever
}

// group is a set of flags under one heading in --help.
type group struct {
	title string
	flags *pflag.FlagSet
}

// Flags defines every option. Each may also stand in the environment (RS_BASE_ROOT for
// --base-root) and in the configuration file (base-root: …); a flag wins over the environment,
// the environment over the file.
func Flags() []group {
	data := pflag.NewFlagSet("Data", pflag.ContinueOnError)
	data.String("base-root", "/var/lib/drp", "folder that holds all data: database, logs, certificates, files")
	data.String("config", "", "configuration file (YAML); SIGHUP reads log-level from it again")

	data.String("local-content", "", "content pack (JSON or YAML file) whose objects win over those of uploaded packs: layer LocalStore")
	data.String("default-content", "", "content pack (JSON or YAML file) whose objects give way to those of uploaded packs: layer DefaultStore")

	net := pflag.NewFlagSet("Network", pflag.ContinueOnError)
	net.Int("api-port", 8092, "port of the API and the UI (HTTPS); 0 takes any free one")
	net.Int("static-port", 8091, "port of the file server (HTTP); 0 turns it off")
	net.Int("static-secure-port", 8090, "port of the file server (HTTPS); 0 turns it off")
	net.String("listen", "", "address to listen on (default: all; loopback while the default password is in use)")
	net.String("static-ip", "", "address that machines reach this server at (default: the one they used)")

	sec := pflag.NewFlagSet("Security", pflag.ContinueOnError)
	sec.String("tls-cert", "", "certificate in PEM form (default: made at the first start); SIGHUP reads it again")
	sec.String("tls-key", "", "key of the certificate in PEM form")
	sec.String("secret-key", "", "file of the keys that secure params are sealed with (default: secret.key in the base root, made at the\nfirst start); without it they cannot be read again; SIGHUP reads it again")
	sec.Bool("plugin-uploads", true, "take uploads of plugin providers, which run with the rights of the server, from those who may do everything")
	sec.String("password", "", "password of the user rocketskates, used at the first start only; better given as RS_PASSWORD")
	sec.String("base-token-secret", "", "secret that signs all tokens, 32 bytes, set at each start (default: as it is, random at first);\nanother one ends all tokens; better given as RS_BASE_TOKEN_SECRET")
	sec.String("system-grantor-secret", "", "the same for tokens that the server hands out itself, any length; better given as RS_SYSTEM_GRANTOR_SECRET")

	limits := pflag.NewFlagSet("Limits", pflag.ContinueOnError)
	limits.Float64("limit-machine-rate", 2000, "requests a second of one machine, or of a profile's token at one address, and files rendered for one address; 0: any number")
	limits.Float64("limit-user-rate", 0, "requests a second of one user; 0: any number")
	limits.Float64("limit-refused-rate", 100, "refused requests a second from one address; 0: any number")
	limits.Float64("limit-login-rate", 1, "wrong passwords a second from one address, after the first 20; 0: any number")
	limits.Int("limit-machine-streams", 64, "event streams at a time of one machine; 0: any number")
	limits.Int("limit-user-streams", 4096, "event streams at a time of one user; 0: any number")
	limits.Duration("limit-stall", 30*time.Second, "how long a request may stand still on its way in, or an answer on its way out")
	limits.Duration("limit-idle", 2*time.Minute, "how long a connection may be without a request")
	limits.Int("limit-upload", 65536, "MiB of one uploaded file or ISO; 0: what the disk has room for")
	limits.Int("limit-connections", 0, "connections at a time on all ports (default: what the limit of open files allows)")

	self := pflag.NewFlagSet("Server", pflag.ContinueOnError)
	self.String("drp-id", "", "name of this server (default: from the lowest hardware address)")
	self.String("log-level", "info", "debug, info, warn or error")
	self.String("log-format", "text", "text or json")

	watch := pflag.NewFlagSet("Monitoring", pflag.ContinueOnError)
	watch.Bool("metrics-open", false, "let everybody read /metrics, not only tokens with the claim metrics get")
	watch.String("otlp-endpoint", "", "URL of an OpenTelemetry collector that takes traces over HTTP, such as http://127.0.0.1:4318\n(default: OTEL_EXPORTER_OTLP_ENDPOINT; without either there are no traces)")
	watch.Duration("drain-delay", 0, "how long to serve on after the signal to stop, while /readyz says no, such as 10s")
	return []group{{"Data", data}, {"Network", net}, {"Security", sec}, {"Limits", limits}, {"Server", self}, {"Monitoring", watch}}
}

// Usage is the options under their headings.
func Usage(groups []group) string {
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "%s:\n%s\n", g.title, g.flags.FlagUsages())
	}
	return b.String()
}

// FlagSet is all the groups as one, for parsing.
func FlagSet(groups []group) *pflag.FlagSet {
	all := pflag.NewFlagSet("drp-server", pflag.ContinueOnError)
	for _, g := range groups {
		all.AddFlagSet(g.flags)
	}
	return all
}

// Load reads the configuration from parsed flags, the environment and the configuration file.
func Load(flags *pflag.FlagSet, environ []string) (Config, error) {
	k := koanf.New("\x00")
	environment := env.Provider("\x00", env.Opt{
		Prefix:      "RS_",
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(key, value string) (string, any) {
			name := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(key, "RS_"), "_", "-"))
			if flags.Lookup(name) == nil {
				return "", nil // RS_ENDPOINT and such are for clients
			}
			return name, value
		},
	})
	if err := k.Load(environment, nil); err != nil {
		return Config{}, fmt.Errorf("environment: %w", err)
	}
	path := k.String("config")
	if f := flags.Lookup("config"); f.Changed || path == "" {
		path = f.Value.String()
	}
	if path != "" {
		k = koanf.New("\x00")
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("configuration file %s: %w", path, err)
		}
		for name := range k.Raw() {
			if flags.Lookup(name) == nil {
				return Config{}, fmt.Errorf("configuration file %s: unknown option %q; see drp-server --help", path, name)
			}
		}
		if err := k.Load(environment, nil); err != nil {
			return Config{}, fmt.Errorf("environment: %w", err)
		}
	}
	chosen := k.Exists("static-secure-port") || flags.Changed("static-secure-port")
	if err := k.Load(posflag.Provider(flags, "\x00", k), nil); err != nil {
		return Config{}, err
	}
	c := Config{
		BaseRoot: k.String("base-root"), APIPort: k.Int("api-port"), StaticPort: k.Int("static-port"),
		StaticSecurePort: k.Int("static-secure-port"), SecurePortChosen: chosen, Listen: k.String("listen"),
		StaticIP: k.String("static-ip"), TLSCert: k.String("tls-cert"), TLSKey: k.String("tls-key"),
		SecretKey: k.String("secret-key"), ID: k.String("drp-id"), Password: k.String("password"), PluginUploads: k.Bool("plugin-uploads"),
		LocalContent: k.String("local-content"), DefaultContent: k.String("default-content"),
		BaseTokenSecret: k.String("base-token-secret"), SystemGrantorSecret: k.String("system-grantor-secret"), LogLevel: k.String("log-level"),
		LogFormat: k.String("log-format"), File: path,
		MetricsOpen: k.Bool("metrics-open"), OTLPEndpoint: k.String("otlp-endpoint"), DrainDelay: k.Duration("drain-delay"),
		Limits: api.Limits{
			MachineRate: k.Float64("limit-machine-rate"), UserRate: k.Float64("limit-user-rate"),
			RefusedRate: k.Float64("limit-refused-rate"), LoginRate: k.Float64("limit-login-rate"),
			MachineSockets: k.Int("limit-machine-streams"), UserSockets: k.Int("limit-user-streams"),
			Stall: k.Duration("limit-stall"), Upload: int64(k.Int("limit-upload")) << 20,
		},
		Connections: k.Int("limit-connections"), Idle: k.Duration("limit-idle"),
	}
	return c, c.check(k)
}

func (c *Config) check(k *koanf.Koanf) error {
	for _, name := range []string{"api-port", "static-port", "static-secure-port"} {
		if text := k.String(name); fmt.Sprint(k.Int(name)) != text || k.Int(name) < 0 || k.Int(name) > 65535 {
			return fmt.Errorf("--%s must be a port number, not %q", name, text)
		}
	}
	if err := checkLimits(k); err != nil {
		return err
	}
	for name, addr := range map[string]string{"listen": c.Listen, "static-ip": c.StaticIP} {
		if _, err := netip.ParseAddr(addr); addr != "" && err != nil {
			return fmt.Errorf("--%s must be an IP address, not %q", name, addr)
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return fmt.Errorf("--tls-cert and --tls-key go together")
	}
	if _, ok := logLevels[c.LogLevel]; !ok {
		return fmt.Errorf("--log-level must be debug, info, warn or error, not %q", c.LogLevel)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return fmt.Errorf("--log-format must be text or json, not %q", c.LogFormat)
	}
	if _, err := strconv.ParseBool(k.String("metrics-open")); err != nil {
		return fmt.Errorf("--metrics-open must be true or false, not %q", k.String("metrics-open"))
	}
	if _, err := strconv.ParseBool(k.String("plugin-uploads")); err != nil {
		return fmt.Errorf("--plugin-uploads must be true or false, not %q", k.String("plugin-uploads"))
	}
	if d, err := time.ParseDuration(k.String("drain-delay")); err != nil || d < 0 {
		return fmt.Errorf("--drain-delay must be a time such as 10s, not %q", k.String("drain-delay"))
	}
	if u, err := url.Parse(c.OTLPEndpoint); c.OTLPEndpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("--otlp-endpoint must be a URL such as http://127.0.0.1:4318, not %q", c.OTLPEndpoint)
	}
	if n := len(c.BaseTokenSecret); n != 0 && n != 32 {
		return fmt.Errorf("--base-token-secret must be 32 bytes long, not %d", n)
	}
	if c.BaseRoot == "" {
		return fmt.Errorf("--base-root must name a folder")
	}
	var err error
	c.BaseRoot, err = filepath.Abs(c.BaseRoot)
	return err
}

// checkLimits refuses what koanf reads as 0, and what is no limit.
func checkLimits(k *koanf.Koanf) error {
	for _, name := range []string{"limit-machine-rate", "limit-user-rate", "limit-refused-rate", "limit-login-rate"} {
		if n, err := strconv.ParseFloat(k.String(name), 64); err != nil || !(n >= 0) || math.IsInf(n, 0) {
			return fmt.Errorf("--%s must be a number of requests a second, not %q", name, k.String(name))
		}
	}
	for _, name := range []string{"limit-machine-streams", "limit-user-streams", "limit-connections", "limit-upload"} {
		if n, err := strconv.Atoi(k.String(name)); err != nil || n < 0 {
			return fmt.Errorf("--%s must be a number, not %q", name, k.String(name))
		}
	}
	for _, name := range []string{"limit-stall", "limit-idle"} {
		if d, err := time.ParseDuration(k.String(name)); err != nil || d < time.Second {
			return fmt.Errorf("--%s must be a duration of at least 1s, such as 30s or 2m, not %q", name, k.String(name))
		}
	}
	return nil
}
