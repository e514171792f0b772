package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"farthing/gateway/app"
	"farthing/gateway/cli"
	"farthing/gateway/record"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets this test binary be the farthing command: for the scripts of
// testdata/script, and as the child process in which the embedded engine runs.
func TestMain(m *testing.M) {
	command := func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
	if len(os.Args) > 1 && os.Args[1] == "engine" {
		command()
	}
	testscript.Main(m, map[string]func(){"farthing": command})
}

// gateway is a whole gateway in this process, as `farthing serve` runs it.
type gateway struct {
	URL      string
	AdminKey string
	File     string // the path of its file
	Out, Log *buffer

	stop    context.CancelFunc
	stopped chan error
}

// serve starts a gateway with a file that needs neither `data` nor `server`;
// both are added where they are missing. It ends with the test.
func serve(t *testing.T, file string) *gateway {
	t.Helper()
	dir := t.TempDir()
	if !strings.Contains(file, "server:") {
		file += "\nserver: {listen: \"127.0.0.1:0\"}\n"
	}
	if !strings.Contains(file, "data:") {
		file += fmt.Sprintf("\ndata: %q\n", filepath.Join(dir, "data"))
	}
	path := filepath.Join(dir, "farthing.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &gateway{File: path, Out: &buffer{}, Log: &buffer{}, stopped: make(chan error, 1)}
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	serving := make(chan string, 1)
	a, err := app.New(ctx, app.Options{
		Config: path, Out: g.Out, Log: slog.New(slog.NewTextHandler(g.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Serving: func(data, _ string) { serving <- data },
	})
	if err != nil {
		stop()
		t.Fatalf("the gateway does not start: %v\n%s", err, g.Log)
	}
	go func() { g.stopped <- a.Run(ctx) }()
	select {
	case address := <-serving:
		g.URL = "http://" + address
	case err := <-g.stopped:
		t.Fatalf("the gateway does not serve: %v\n%s", err, g.Log)
	}
	if key, err := os.ReadFile(filepath.Join(dir, "data", "admin.key")); err == nil {
		g.AdminKey = strings.TrimSpace(string(key))
	}
	t.Cleanup(func() {
		if err := g.close(); err != nil {
			t.Errorf("the gateway does not stop well: %v\n%s", err, g.Log)
		}
	})
	return g
}

// close stops the gateway and waits until it has drained. A second call does
// nothing.
func (g *gateway) close() error {
	g.stop()
	err, open := <-g.stopped
	if open {
		close(g.stopped)
	}
	return err
}

// reply is an answer read to its end.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

// post sends a chat completion with some headers ("name: value").
func (g *gateway) post(t *testing.T, body string, headers ...string) reply {
	t.Helper()
	return g.send(t, http.MethodPost, "/v1/chat/completions", body, headers...)
}

func (g *gateway) send(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("the answer broke: %v", err)
	}
	return reply{response.StatusCode, response.Header, string(text)}
}

// receipt reads the receipt of an answer by the admin key, once it is there.
func (g *gateway) receipt(t *testing.T, id string) *record.Receipt {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		r := g.send(t, http.MethodGet, "/v1/receipts/"+id, "", "Authorization: Bearer "+g.AdminKey)
		if r.Status == http.StatusOK {
			rc := new(record.Receipt)
			if err := json.Unmarshal([]byte(r.Body), rc); err != nil {
				t.Fatalf("receipt %s: %v in %s", id, err, r.Body)
			}
			return rc
		}
		if time.Now().After(deadline) {
			t.Fatalf("no receipt %s: %d %s", id, r.Status, r.Body)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// logs waits until the log has a text.
func (g *gateway) logs(t *testing.T, text string) {
	t.Helper()
	g.logsTimes(t, text, 1)
}

// logsTimes waits until the log has a text so many times.
func (g *gateway) logsTimes(t *testing.T, text string, times int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); strings.Count(g.Log.String(), text) < times; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log has not %d times %q:\n%s", times, text, g.Log)
		}
	}
}

// buffer collects what several goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
