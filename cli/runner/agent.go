package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"drp/cli/client"
	"drp/models"

	"sigs.k8s.io/yaml"
)

// AgentConfig is the file of a machine's agent, agent-cfg.yml.
type AgentConfig struct {
	Endpoints       string // comma list; the first that answers is used
	Token           string
	MachineID       string
	Context         string
	SkipRunnable    bool
	AllowAutoUpdate bool // of no effect: this agent is replaced by whoever has installed it

	// CA and Verify say which servers are trusted, as in client.Config.
	CA     string `json:",omitempty"`
	Verify bool   `json:",omitempty"`
}

// ConfigFile is the name of the agent's file in its state dir.
const ConfigFile = "agent-cfg.yml"

// ReadAgentConfig reads and checks a config file.
func ReadAgentConfig(path string) (*AgentConfig, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read agent config: %w", err)
	}
	c := &AgentConfig{}
	if err := yaml.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("read agent config %s: %w", path, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("agent config %s: %w", path, err)
	}
	return c, nil
}

func (c *AgentConfig) check() error {
	var errs []error
	if len(c.endpoints()) == 0 {
		errs = append(errs, errors.New("no Endpoints"))
	}
	if c.Token == "" {
		errs = append(errs, errors.New("no Token"))
	}
	if !models.IsUUID(c.MachineID) {
		errs = append(errs, fmt.Errorf("MachineID %q is no UUID", c.MachineID))
	}
	return errors.Join(errs...)
}

func (c *AgentConfig) endpoints() []string {
	return strings.FieldsFunc(c.Endpoints, func(r rune) bool { return r == ',' || r == ' ' })
}

// Write checks the config and writes it, readable for its owner only: it holds the token.
func (c *AgentConfig) Write(path string) error {
	if err := c.check(); err != nil {
		return fmt.Errorf("agent config: %w", err)
	}
	raw, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode agent config: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write agent config: %w", err)
	}
	if err := replaceFile(path, raw); err != nil {
		return fmt.Errorf("write agent config: %w", err)
	}
	return nil
}

// probe is how long the first of several endpoints may take to answer.
const probe = 5 * time.Second

// Agent runs the runner of this machine as a service, with the config file in o.StateDir. A
// runner that fails is started again, with the config read anew. Agent returns nil when the
// runner has ended by itself, as before a reboot, or when ctx is cancelled. Of o it uses what the
// config does not say.
func Agent(ctx context.Context, o Options) error {
	o = o.defaults()
	o.Service = true
	for b := (backoff{}); ; {
		began := time.Now()
		err := serve(ctx, o)
		if err == nil || ctx.Err() != nil {
			return err
		}
		o.Logger.Error("the runner failed and is started again", "error", err)
		if time.Since(began) > time.Minute {
			b = backoff{}
		}
		if b.wait(ctx) != nil {
			return nil
		}
	}
}

func serve(ctx context.Context, o Options) error {
	cfg, err := ReadAgentConfig(filepath.Join(o.StateDir, ConfigFile))
	if err != nil {
		return err
	}
	if o.Client, err = cfg.connect(ctx); err != nil {
		return err
	}
	o.Machine, o.Context = cfg.MachineID, cfg.Context
	o.SkipRunnable = o.SkipRunnable || cfg.SkipRunnable
	p, err := serveProxy(forward(o.Client, o.Logger), o.StateDir, "agent.sock", o.Logger)
	if err != nil {
		return fmt.Errorf("open local proxy: %w", err)
	}
	return errors.Join(Run(ctx, o), p.close())
}

// connect picks the endpoint to use.
func (c *AgentConfig) connect(ctx context.Context) (*client.Client, error) {
	list := c.endpoints()
	if len(list) == 1 {
		return c.client(list[0]), nil
	}
	ctx, cancel := context.WithTimeout(ctx, probe)
	defer cancel()
	type answer struct {
		client *client.Client
		err    error
	}
	answers := make(chan answer, len(list))
	for _, endpoint := range list {
		cl := c.client(endpoint)
		go func() { answers <- answer{cl, cl.Do(ctx, http.MethodGet, "info", nil, nil)} }()
	}
	var first *client.Client
	var errs []error
	for range list {
		a := <-answers
		if a.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", a.client.Endpoint(), a.err))
		} else if first == nil {
			first = a.client
			cancel()
		}
	}
	if first != nil {
		return first, nil
	}
	return nil, fmt.Errorf("no endpoint answers: %w", errors.Join(errs...))
}

func (c *AgentConfig) client(endpoint string) *client.Client {
	return client.New(client.Config{Endpoint: endpoint, Token: c.Token, CA: c.CA, Verify: c.Verify})
}
