package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"farthing/gateway/app"
	"farthing/gateway/bench/part"
	"farthing/gateway/bench/traffic"
	"farthing/gateway/edge/baseline"
)

// way is one of the ways to the upstream that are compared.
type way struct {
	who     string
	address string
	part    *part.Part // what stands in the way; nil: nothing
}

const (
	whoDirect = "direct"
	whoProxy  = "bare fiber proxy"
)

// house is the upstream and the ways to it, each a process of its own.
type house struct {
	b       *bench
	ways    []way
	closers []func() error
}

func (b *bench) openHouse(ctx context.Context) (h *house, err error) {
	h = &house{b: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	upstream, err := h.start("upstream", "upstream", "")
	if err != nil {
		return nil, err
	}
	url := "http://" + upstream.Address
	proxy, err := h.start("proxy", "proxy", url)
	if err != nil {
		return nil, err
	}
	h.ways = []way{{whoDirect, upstream.Address, nil}, {whoProxy, proxy.Address, proxy}}
	server, err := part.StartRedis(ctx, "everysec")
	if err != nil {
		return nil, err
	}
	// Behind the parts, so that it ends after the gateway that needs it.
	h.closers = slices.Insert(h.closers, 0, server.Stop)
	for _, g := range []struct{ who, name, store string }{
		{"gateway, SQLite", "sqlite", ""},
		{"gateway, Redis", "redis", "store: {redis: \"" + server.URL + "\"}\n"},
	} {
		file, err := b.file(g.name, url, g.store)
		if err != nil {
			return nil, err
		}
		p, err := h.start("gateway", "gateway-"+g.name, file)
		if err != nil {
			return nil, err
		}
		h.ways = append(h.ways, way{g.who, p.Address, p})
	}
	for _, w := range h.ways {
		if err := w.answers(ctx); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// answers waits until the way answers a chat. A gateway that serves may not have
// joined its Redis yet and sends nothing paid until it has: two seconds where
// Redis syncs its log every second and cannot be asked whether it did.
func (w *way) answers(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, part.Patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := traffic.Dial(limited, w.address, traffic.Chat{Model: traffic.Fast, Question: "Are you there?"}, 0)
		if err == nil {
			err = errors.Join(c.Do(), c.Close())
		}
		if err == nil {
			return nil
		}
		select {
		case <-limited.Done():
			return fmt.Errorf("%s: %w", w.who, err)
		case <-tick.C:
		}
	}
}

// parts are what runs in a process of its own.
var parts = map[string]part.Kind{
	"upstream": func(ctx context.Context, _ string, serving func(string)) error {
		return traffic.ServeUpstream(ctx, serving)
	},
	"proxy":   baseline.Serve,
	"gateway": serveGateway,
}

// serveGateway is `farthing serve -c file`.
func serveGateway(ctx context.Context, file string, serving func(address string)) error {
	a, err := app.New(ctx, app.Options{
		Config: file, Out: io.Discard, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Serving: func(data, _ string) { serving(data) },
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func (h *house) start(kind, name, subject string) (*part.Part, error) {
	profiles := ""
	if h.b.profile != "" && kind == "gateway" {
		profiles = filepath.Join(h.b.profile, name)
	}
	p, err := part.Start(kind, subject, h.b.folder, name, profiles)
	if err == nil {
		h.closers = append(h.closers, p.Stop)
	}
	return p, err
}

// file writes a gateway's configuration: one paid provider, two models, a key,
// and a budget over everything that never runs out.
func (b *bench) file(name, upstream, store string) (string, error) {
	dir := filepath.Join(b.folder, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "farthing.yaml")
	text := fmt.Sprintf(`server: {listen: "127.0.0.1:0"}
data: %q
%sproviders:
  vendor:
    type: openai-compatible
    url: %s/v1
    models:
      %[4]s: {context: 131072, max_output: 8192}
      %[5]s: {context: 131072, max_output: 8192}
engines: {}
models: {%[4]s: [vendor/%[4]s], %[5]s: [vendor/%[5]s]}
keys: {bench: {sha256: %[6]x, owner: ada, team: web}}
budgets: {all: {limit: $1000000 per month}}
prices: {rows: [{target: vendor/%[4]s, input: 1, output: 10}, {target: vendor/%[5]s, input: 1, output: 10}]}
`, filepath.Join(dir, "data"), store, upstream, traffic.Paced, traffic.Fast, sha256.Sum256([]byte(traffic.Key)))
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func (h *house) close() (err error) {
	for i := len(h.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, h.closers[i]())
	}
	return err
}
