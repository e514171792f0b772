package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// upstream is a server of the OpenAI format under a test's command. One server
// stands for many providers: the first part of a call's path names the script
// that answers it.
type upstream struct {
	server *httptest.Server
	mu     sync.Mutex
	calls  map[string][]received
}

// received is one call as it reached a script.
type received struct {
	Header http.Header
	Body   string
}

// scripted starts a server with a script for each name. It ends with the test.
func scripted(t *testing.T, scripts map[string]http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{calls: map[string][]received{}}
	u.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the gateway broke the call off
		}
		u.mu.Lock()
		u.calls[name] = append(u.calls[name], received{r.Header.Clone(), string(body)})
		u.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		scripts[name](w, r)
	}))
	t.Cleanup(u.server.Close)
	return u
}

// at is the base URL under which a script answers.
func (u *upstream) at(name string) string { return u.server.URL + "/" + name + "/v1" }

// received are the calls that a script has got so far.
func (u *upstream) received(name string) []received {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.calls[name])
}

// nobody is an address where no server listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return "http://" + l.Addr().String() + "/v1"
}

// Pieces of answers. Their usage costs $0.00004 at $1 and $10 per million.
const (
	someUsage = `"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}`
	capital   = `{"role":"user","content":"The capital of France?"}`
)

// completion is a whole answer; more is added to its members.
func completion(more string) string {
	return `{"id":"c1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Paris."},"finish_reason":"stop"}]` + more + `}`
}

// chunk is an event of a streamed answer. finish is null or a quoted reason.
func chunk(delta, finish string) string {
	return `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":` + delta + `,"finish_reason":` + finish + `}]}`
}

// The events of an answer of two tokens.
var (
	role      = chunk(`{"role":"assistant","content":""}`, "null")
	paris     = chunk(`{"content":"Paris"}`, "null")
	stop      = chunk(`{"content":"."}`, "null") + "\n\ndata: " + chunk(`{}`, `"stop"`)
	usageOnly = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[],` + someUsage + `}`
	done      = "[DONE]"
)

// says answers with a status, a body and headers ("name: value").
func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// streams answers with events, each flushed by itself.
func streams(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		emit(w, events...)
	}
}

// emit writes events and flushes after each.
func emit(w http.ResponseWriter, events ...string) {
	_ = http.NewResponseController(w).Flush()
	for _, e := range events {
		_, _ = fmt.Fprintf(w, "data: %s\n\n", e)
		_ = http.NewResponseController(w).Flush()
	}
}

// thenDies runs a script and breaks the connection off.
func thenDies(script http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if script != nil {
			script(w, r)
		}
		panic(http.ErrAbortHandler)
	}
}

// well answers as it should: streamed or whole, with usage.
func well(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Stream bool }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if asked.Stream {
		streams(role, paris, stop, usageOnly, done)(w, r)
		return
	}
	says(http.StatusOK, completion(","+someUsage))(w, r)
}

// silent answers nothing until the gateway gives up.
func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
