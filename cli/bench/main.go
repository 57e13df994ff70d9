// Command drp-bench measures a drp-server on this machine: durable patches and reads a second
// over HTTPS, with keep-alive connections and a token, for several sizes and numbers of clients.
// Server and clients share the machine, so the figures are for comparison, not for glory.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	quick := flag.Bool("quick", false, "one second a row instead of five")
	server := flag.String("server", "", "the drp-server to measure (default: beside this program)")
	flag.Parse()
	if err := run(*server, *quick); err != nil {
		log.Fatal("drp-bench: ", err)
	}
}

func run(server string, quick bool) error {
	if server == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		server = filepath.Join(filepath.Dir(self), "drp-server")
	}
	length := 5 * time.Second
	if quick {
		length = time.Second
	}
	b, err := start(server)
	if err != nil {
		return err
	}
	defer b.stop()
	fmt.Printf("drp-server and its clients on one machine: %s/%s, %d cores; %s a row\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), length)
	fmt.Printf("%-28s %8s %10s %9s %9s\n", "request", "clients", "per second", "p50 ms", "p99 ms")
	for _, size := range []int{1 << 10, 16 << 10} {
		keys, err := b.profiles(size, 256)
		if err != nil {
			return err
		}
		for _, clients := range []int{1, 16, 128} {
			if err := b.row(fmt.Sprintf("PATCH test+replace, %d KB", size>>10), clients, length, b.patcher(keys)); err != nil {
				return err
			}
		}
		for _, clients := range []int{1, 16, 128} {
			if err := b.row(fmt.Sprintf("GET, %d KB", size>>10), clients, length, b.getter(keys)); err != nil {
				return err
			}
		}
	}
	return nil
}

type bench struct {
	url, token, dir string
	cmd             *exec.Cmd
	http            *http.Client
}

// start runs a server with durable settings, which are the only ones it has, on an empty folder.
func start(server string) (*bench, error) {
	dir, err := os.MkdirTemp("", "drp-bench-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	b := &bench{url: fmt.Sprintf("https://127.0.0.1:%d/api/v3", port), dir: dir}
	b.http = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 256, // the server's certificate is its own
	}}
	b.cmd = exec.Command(server, "--base-root", dir, "--api-port", fmt.Sprint(port), "--static-port", "0", "--static-secure-port", "0", "--log-level", "warn")
	b.cmd.Stderr = os.Stderr
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := b.login()
		if err == nil {
			return b, nil
		}
		if time.Now().After(deadline) {
			b.stop()
			return nil, fmt.Errorf("the server did not answer: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (b *bench) stop() {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err == nil {
		_ = b.cmd.Wait() // its exit status does not matter any more
	}
	os.RemoveAll(b.dir)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (b *bench) login() error {
	req, err := http.NewRequest("GET", b.url+"/users/rocketskates/token?ttl=1d", nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth("rocketskates", "r0cketsk8ts")
	res, err := b.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var t struct{ Token string }
	if err := json.NewDecoder(res.Body).Decode(&t); err != nil || t.Token == "" {
		return fmt.Errorf("login: status %d", res.StatusCode)
	}
	b.token = t.Token
	return nil
}

// do sends a request, and fails on any status but those of success.
func (b *bench) do(ctx context.Context, method, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := b.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		text, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// profiles creates objects of about the size.
func (b *bench) profiles(size, n int) ([]string, error) {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("bench-%d-%d", size, i)
		params := map[string]any{}
		for left := size - 300; left > 0; left -= 100 {
			params[fmt.Sprintf("bench/filler-%03d", left/100)] = strings.Repeat("x", 70)
		}
		body, err := json.Marshal(map[string]any{"Name": keys[i], "Description": "0", "Params": params})
		if err != nil {
			return nil, err
		}
		if err := b.do(context.Background(), "POST", "/profiles", body); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

type worker func(ctx context.Context, client, clients, i int) error

// patcher replaces a value under a test of the old one. Each client has objects of its own, so
// that every patch applies.
func (b *bench) patcher(keys []string) worker {
	counts := make([]int, len(keys))
	for i := range counts {
		counts[i] = -1
	}
	return func(ctx context.Context, client, clients, i int) error {
		mine := len(keys) / clients
		k := client*mine + i%mine
		if counts[k] < 0 {
			counts[k] = 0
			patch := `[{"op":"replace","path":"/Description","from":"","value":"0"}]`
			return b.do(ctx, "PATCH", "/profiles/"+keys[k], []byte(patch))
		}
		patch := fmt.Sprintf(`[{"op":"test","path":"/Description","from":"","value":"%d"},{"op":"replace","path":"/Description","from":"","value":"%d"}]`, counts[k], counts[k]+1)
		err := b.do(ctx, "PATCH", "/profiles/"+keys[k], []byte(patch))
		if err == nil {
			counts[k]++
		}
		return err
	}
}

func (b *bench) getter(keys []string) worker {
	return func(ctx context.Context, client, clients, i int) error {
		return b.do(ctx, "GET", "/profiles/"+keys[(client*31+i)%len(keys)], nil)
	}
}

// row runs the clients for a while and prints a line of the table.
func (b *bench) row(name string, clients int, length time.Duration, work worker) error {
	took := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var wg sync.WaitGroup
	start := time.Now()
	for c := range clients {
		wg.Go(func() {
			for i := 0; time.Since(start) < length; i++ {
				t := time.Now()
				if errs[c] = work(context.Background(), c, clients, i); errs[c] != nil {
					return
				}
				took[c] = append(took[c], time.Since(t))
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	ms := func(p float64) float64 {
		return float64(all[int(float64(len(all)-1)*p)].Microseconds()) / 1000
	}
	fmt.Printf("%-28s %8d %10.0f %9.2f %9.2f\n", name, clients, float64(len(all))/elapsed.Seconds(), ms(0.5), ms(0.99))
	return nil
}
