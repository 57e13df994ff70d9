package app

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func load(t *testing.T, args, environ []string) (Config, error) {
	t.Helper()
	flags := FlagSet(Flags())
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(flags, environ)
}

func TestFlagsWinOverEnvironmentAndThatOverTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drp.yaml")
	if err := os.WriteFile(file, []byte("api-port: 1\nstatic-port: 2\nlog-level: warn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, []string{"--config", file, "--api-port", "10"}, []string{"RS_STATIC_PORT=20", "RS_API_PORT=30", "RS_ENDPOINT=https://x", "PATH=/bin"})
	if err != nil {
		t.Fatal(err)
	}
	if c.APIPort != 10 || c.StaticPort != 20 || c.LogLevel != "warn" || c.StaticSecurePort != 8090 || c.SecurePortChosen {
		t.Errorf("got %+v", c)
	}
	c, err = load(t, nil, []string{"RS_CONFIG=" + file, "RS_STATIC_SECURE_PORT=5"})
	if err != nil || c.APIPort != 1 || c.StaticSecurePort != 5 || !c.SecurePortChosen {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestEveryFlagHasHelpAndReachesTheConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "drp.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{ // where not just any value of the type will do
		"config": file, "listen": "127.0.0.2", "static-ip": "127.0.0.3", "plugin-uploads": "false",
		"base-token-secret": strings.Repeat("x", 32),
		"log-level":         "debug", "log-format": "json", "otlp-endpoint": "http://127.0.0.1:4318",
	}
	ofType := map[string]string{"string": "x", "int": "7", "float64": "5.5", "duration": "3s", "bool": "true"}
	pair := []string{"--tls-cert", "cert", "--tls-key", "key"} // neither goes without the other
	before, err := load(t, pair, nil)
	if err != nil {
		t.Fatal(err)
	}
	FlagSet(Flags()).VisitAll(func(f *pflag.Flag) {
		if f.Usage == "" {
			t.Errorf("--%s has no help", f.Name)
		}
		value := cmp.Or(values[f.Name], ofType[f.Value.Type()])
		if c, err := load(t, append(slices.Clone(pair), "--"+f.Name+"="+value), nil); err != nil || c == before {
			t.Errorf("--%s=%s: it changes nothing, or %v", f.Name, value, err)
		}
	})
}

func TestNonsenseIsRefusedByName(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("api-prot: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct{ args, env []string }{
		"--api-port":    {[]string{"--api-port", "70000"}, nil},
		"--static-port": {nil, []string{"RS_STATIC_PORT=many"}},
		"--listen":      {[]string{"--listen", "everywhere"}, nil},

		"--limit-machine-rate": {[]string{"--limit-machine-rate", "-1"}, nil},
		"--limit-user-rate":    {nil, []string{"RS_LIMIT_USER_RATE=NaN"}},
		"--limit-refused-rate": {nil, []string{"RS_LIMIT_REFUSED_RATE=much"}},
		"--limit-connections":  {[]string{"--limit-connections", "-5"}, nil},
		"--limit-upload":       {[]string{"--limit-upload", "-5"}, nil},
		"--limit-stall":        {[]string{"--limit-stall", "0s"}, nil},
		"--limit-idle":         {nil, []string{"RS_LIMIT_IDLE=2"}},
		"--tls-key":            {[]string{"--tls-cert", "x"}, nil},
		"--log-level":          {[]string{"--log-level", "loud"}, nil},
		"--log-format":         {[]string{"--log-format", "xml"}, nil},
		"--metrics-open":       {nil, []string{"RS_METRICS_OPEN=perhaps"}},
		"--otlp-endpoint":      {[]string{"--otlp-endpoint", "127.0.0.1:4318"}, nil},
		"--drain-delay":        {nil, []string{"RS_DRAIN_DELAY=soon"}},
		"api-prot":             {[]string{"--config", bad}, nil},
		"missing.yaml":         {[]string{"--config", "/nowhere/missing.yaml"}, nil},
	} {
		if _, err := load(t, c.args, c.env); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v %v: got %v, want an error that names %s", c.args, c.env, err, want)
		}
	}
}
