//go:build cgo

package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"farthing/localengine/supervise"
)

// The whole arrangement: the server in a child process, killed and back.
func TestSupervised(t *testing.T) {
	ready := make(chan string, 2)
	c, err := supervise.Spec{
		Path: os.Args[0], Args: []string{supervise.Listen}, Env: append(os.Environ(), asChild+"=1"),
		Log: slog.New(slog.DiscardHandler), Ready: func(url, _ string) { ready <- url },
	}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Model() != ModelName {
		t.Errorf("model %q", c.Model())
	}
	for round := range 2 {
		if got, _, _ := answer(t, <-ready, chatRequest("What is 7 + 5?", "")); got != "7 + 5 = 12." {
			t.Errorf("round %d: %q", round, got)
		}
		if round == 0 {
			if err := syscall.Kill(c.PID(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// While it loads, and for whoever asks too early, there is one clear answer.
func TestLoading(t *testing.T) {
	s := newServer(Options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{Handler: s.routes()}
	served := make(chan error, 1)
	go func() { served <- h.Serve(ln) }()
	for path, want := range map[string]int{"/health": 503, "/v1/models": 503, "/metrics": 200} {
		resp, err := http.Get("http://" + ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != want || want == 503 && !strings.Contains(string(body), `"code":503,"message":"Loading model"`) {
			t.Errorf("%s: %d %s %v", path, resp.StatusCode, body, err)
		}
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	<-served
}

// A request that runs when the server is asked to stop gets its whole answer.
func TestDrain(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Serve(ctx, Options{Threads: 1, Ready: func(addr, _ string) { ready <- "http://" + addr }})
	}()
	url := <-ready
	resp := post(t, t.Context(), url+"/v1/chat/completions", chatRequest("Tell me a story about a fox.", `,"stream":true`))
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	rest, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("%s %v", rest, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestParentGone(t *testing.T) {
	r, w := io.Pipe()
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- Serve(t.Context(), Options{Threads: 1, ParentPipe: r, Ready: func(addr, _ string) { ready <- "http://" + addr }})
	}()
	url := <-ready
	body := endless(t, url)
	resp := post(t, t.Context(), url+"/v1/chat/completions", strings.TrimSuffix(body, "}")+`,"stream":true}`)
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrParentGone) {
		t.Error(err)
	}
	if rest, err := io.ReadAll(resp.Body); err == nil && strings.Contains(string(rest), "[DONE]") {
		t.Error("a cut answer looks whole")
	}
}

// gguf is a file with a header of these texts and numbers, and no tensors.
func gguf(t *testing.T, kv map[string]any) string {
	t.Helper()
	b := []byte("GGUF")
	b = binary.LittleEndian.AppendUint32(b, 3)
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(kv)))
	text := func(s string) {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	for k, v := range kv {
		text(k)
		switch v := v.(type) {
		case string:
			b = binary.LittleEndian.AppendUint32(b, 8)
			text(v)
		case int:
			b = binary.LittleEndian.AppendUint32(b, 4)
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		}
	}
	path := filepath.Join(t.TempDir(), "x.gguf")
	if err := os.WriteFile(path, append(b, make([]byte, 64)...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRefusedModels(t *testing.T) {
	cut := filepath.Join(t.TempDir(), "cut.gguf")
	if err := os.WriteFile(cut, demoGGUF[:5000], 0o600); err != nil {
		t.Fatal(err)
	}
	headless := filepath.Join(t.TempDir(), "half.gguf")
	if err := os.WriteFile(headless, demoGGUF[:len(demoGGUF)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text.gguf")
	if err := os.WriteFile(text, []byte("this is no model at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	moe := map[string]any{"general.architecture": "qwen3moe", "qwen3moe.context_length": 128, "tokenizer.ggml.model": "llama"}
	for want, o := range map[string]Options{
		`architecture "olmoe"`:     {ModelPath: gguf(t, map[string]any{"general.architecture": "olmoe"})},
		`architecture "deepseek2"`: {ModelPath: gguf(t, map[string]any{"general.architecture": "deepseek2"})},
		`tokenizer of the kind`:    {ModelPath: gguf(t, moe)},
		"no such file":             {ModelPath: "/nowhere.gguf"},
		"cut.gguf is not a":        {ModelPath: cut},
		"half.gguf":                {ModelPath: headless},
		"text.gguf is not a":       {ModelPath: text},
		"at most 2048":             {Context: 4096},
		"cannot be":                {Context: -1},
		"listen tcp":               {Listen: "127.0.0.1:99999"},
	} {
		o.Threads = 1
		o.Ready = func(string, string) { t.Errorf("%s: ready", want) }
		if err := Serve(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// A model from a file is called by the file's name and is no demonstration.
func TestModelFromFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.gguf")
	if err := os.WriteFile(path, demoGGUF, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := load(t.Context(), Options{ModelPath: path, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if e.name != "other" || e.owner == ownerDemo || e.defaultTemperature != 1 || e.context != 2048 {
		t.Errorf("%q %q %v %d", e.name, e.owner, e.defaultTemperature, e.context)
	}
}

// The demonstration is written to a file to be loaded, which does not stay.
func TestTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	e, err := load(t.Context(), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	e.close()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("files stay: %v %v", left, err)
	}
	t.Setenv("TMPDIR", "/nowhere")
	if _, err := load(t.Context(), Options{Threads: 1}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no place for the file: %v", err)
	}
}
