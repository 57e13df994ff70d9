package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// etcd is a single etcd server under measurement, as it is by default: every commit synced. Its
// load comes from a process of its own too, for it is made with etcd's own client library.
type etcd struct {
	process
	load *exec.Cmd
	in   io.WriteCloser
	out  *json.Decoder
}

func startEtcd(ctx context.Context, bin, dir string) (*etcd, error) {
	client, err := freePort()
	if err != nil {
		return nil, err
	}
	peer, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	at, peers := "http://"+loopback(client), "http://"+loopback(peer)
	e := &etcd{}
	e.process, err = launch(ctx, "etcd", dir, filepath.Join(bin, "bench-etcd"), "--name", "bench", "--data-dir", filepath.Join(dir, "data"),
		"--listen-client-urls", at, "--advertise-client-urls", at, "--listen-peer-urls", peers,
		"--initial-advertise-peer-urls", peers, "--initial-cluster", "bench="+peers,
		"--quota-backend-bytes", "8589934592", "--log-level", "error")
	if err != nil {
		return nil, err
	}
	if err := e.startLoad(ctx, filepath.Join(bin, "bench-etcd-load"), at); err != nil {
		return nil, errors.Join(err, e.process.halt())
	}
	if _, err := e.ready(time.Now(), 30*time.Second, func() error { _, err := e.do(order{Do: "ready"}); return err }); err != nil {
		return nil, errors.Join(err, e.stop())
	}
	return e, nil
}

func (e *etcd) startLoad(ctx context.Context, program, endpoint string) error {
	e.load = exec.CommandContext(ctx, program, endpoint)
	e.load.Stderr = os.Stderr
	in, err := e.load.StdinPipe()
	if err != nil {
		return err
	}
	out, err := e.load.StdoutPipe()
	if err != nil {
		return err
	}
	if err := e.load.Start(); err != nil {
		return fmt.Errorf("start the load of etcd: %w", err)
	}
	e.in, e.out = in, json.NewDecoder(bufio.NewReaderSize(out, 1<<16))
	return nil
}

// order is a line for the load of etcd, which answers each with a line.
type order struct {
	Do           string `json:"do"`
	Set          string `json:"set,omitempty"`  // prefix of the keys
	Keys         int    `json:"keys,omitempty"` // how many
	Size         int    `json:"size,omitempty"` // of a value, in bytes
	Clients      int    `json:"clients,omitempty"`
	Millis       int    `json:"millis,omitempty"` // for how long
	Count        int    `json:"count,omitempty"`  // of events in a burst
	Serializable bool   `json:"serializable,omitempty"`
}

// do has an order carried out.
func (e *etcd) do(o order) (sample, error) {
	if err := json.NewEncoder(e.in).Encode(o); err != nil {
		return sample{}, fmt.Errorf("load of etcd: %w", err)
	}
	var reply struct {
		sample
		Error string `json:"error"`
	}
	if err := e.out.Decode(&reply); err != nil {
		return sample{}, fmt.Errorf("load of etcd: %s: %w", o.Do, err)
	}
	if reply.Error != "" {
		return sample{}, fmt.Errorf("etcd: %s: %s", o.Do, reply.Error)
	}
	return reply.sample, nil
}

// contender has an order carried out in every round.
func (e *etcd) contender(name string, o order) contender {
	return contender{name, func(length time.Duration) (sample, error) {
		o.Millis = int(length.Milliseconds())
		return e.do(o)
	}}
}

func (e *etcd) stop() error {
	e.in.Close() // ends the load
	return errors.Join(e.load.Wait(), e.process.halt())
}
