package edge

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"farthing/gateway/flow"
	"farthing/providers"
)

// running is a server on a loopback port.
type running struct {
	*Server
	addr string
	url  string
	log  *safeBuffer
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// start serves chat completions by h; mounts are added before it listens.
func start(t testing.TB, o Options, h flow.Handler, mounts map[string]http.Handler) *running {
	t.Helper()
	r := &running{log: &safeBuffer{}}
	o.Log = slog.New(slog.NewTextHandler(r.log, nil))
	if o.Handlers == nil {
		o.Handlers = map[string]flow.Handler{"chat.completions": h}
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for p, m := range mounts {
		s.Mount(p, m)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	r.Server, r.addr, r.url = s, ln.Addr().String(), "http://"+ln.Addr().String()
	return r
}

func echo(_ context.Context, in *flow.Inbound) (*flow.Reply, error) {
	return &flow.Reply{Status: 200, ContentType: "text/plain", Body: in.Body, Header: [][2]string{{"x-farthing-id", "r1"}}}, nil
}

const chat = "/v1/chat/completions"

// send sends a request and reads the whole answer.
func send(t testing.TB, method, url string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp, string(b)
}

// wantError checks for OpenAI's error object.
func wantError(t testing.TB, resp *http.Response, body string, status int, code string) {
	t.Helper()
	var e struct {
		Error struct {
			Message, Type string
			Code          *string
		}
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error.Message == "" || e.Error.Type == "" {
		t.Fatalf("not an error object: %q", body)
	}
	got := ""
	if e.Error.Code != nil {
		got = *e.Error.Code
	}
	if resp.StatusCode != status || got != code || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %q %q, want %d %q: %s", resp.StatusCode, got, resp.Header.Get("Content-Type"), status, code, body)
	}
}

func TestCopiesIn(t *testing.T) {
	var got *flow.Inbound
	s := start(t, Options{LoopbackOnly: true}, func(_ context.Context, in *flow.Inbound) (*flow.Reply, error) {
		got = in
		return echo(context.Background(), in)
	}, nil)
	resp, body := send(t, "POST", s.url+chat, strings.NewReader(`{"model":"auto"}`),
		"authorization", "bearer fk-1 ", "X-Api-Key", "fk-2", "x-farthing-tags", "a=b", "x-farthing-session", "s",
		"x-farthing-user", "ada", "x-farthing-max-cost-usd", "0.1", "x-farthing-good-answer-worth-usd", "0.2",
		"x-farthing-explain", "1", "traceparent", "00-1", "tracestate", "x=y", "openai-beta", "b1", "anthropic-beta", "b2",
		"anthropic-version", "v", "idempotency-key", "k", "cookie", "secret", "openai-organization", "org", "content-type", "application/json")
	if resp.StatusCode != 200 || body != `{"model":"auto"}` || resp.Header.Get("x-farthing-id") != "r1" || resp.Header.Get("Content-Type") != "text/plain" {
		t.Fatalf("%d %q %v", resp.StatusCode, body, resp.Header)
	}
	if time.Since(got.Received) > time.Minute {
		t.Errorf("received %v", got.Received)
	}
	got.Received = time.Time{}
	forward := map[string]string{}
	for _, kv := range got.Header.Forward {
		forward[kv[0]] = kv[1]
	}
	got.Header.Forward = nil
	want := &flow.Inbound{
		Endpoint: "chat.completions", Format: providers.FormatOpenAI, Body: []byte(`{"model":"auto"}`), Remote: "127.0.0.1", Local: true,
		Header: flow.Header{Key: "fk-1", Tags: "a=b", Session: "s", User: "ada", MaxCost: "0.1", GoodAnswerWorth: "0.2", Explain: true, Traceparent: "00-1", Tracestate: "x=y"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"openai-beta": "b1", "anthropic-beta": "b2", "anthropic-version": "v", "idempotency-key": "k"}, forward); d != "" {
		t.Error(d)
	}
}

// TestKeepsNothingOfTheServer sends two requests over one connection and looks
// at the first again: the server has used its buffers for the second by then.
func TestKeepsNothingOfTheServer(t *testing.T) {
	var got []*flow.Inbound
	s := start(t, Options{Handlers: map[string]flow.Handler{
		"receipts": func(_ context.Context, in *flow.Inbound) (*flow.Reply, error) {
			got = append(got, in)
			return echo(context.Background(), in)
		},
		"chat.completions": func(_ context.Context, in *flow.Inbound) (*flow.Reply, error) {
			got = append(got, in)
			return echo(context.Background(), in)
		},
	}}, nil, nil)
	for _, size := range []int{100, keepBody * 3} {
		got = nil
		c := dial(t, s)
		for _, fill := range []string{"a", "b"} {
			body := strings.Repeat(fill, size)
			fmt.Fprintf(c, "GET /v1/receipts/%s HTTP/1.1\r\nHost: %s\r\nX-Api-Key: key%s\r\nX-Farthing-Session: %s\r\n\r\n", strings.Repeat(fill, 30), fill, fill, strings.Repeat(fill, 40))
			readResponse(t, c)
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\nAnthropic-Beta: %s\r\nContent-Length: %d\r\n\r\n%s", chat, fill, strings.Repeat(fill, 20), size, body)
			if _, b := readResponse(t, c); b != body {
				t.Fatalf("answered %d bytes", len(b))
			}
		}
		a := got[:2]
		if a[0].ID != strings.Repeat("a", 30) || a[0].Header.Key != "keya" || a[0].Header.Session != strings.Repeat("a", 40) ||
			a[1].Header.Forward[0][1] != strings.Repeat("a", 20) || string(a[1].Body) != strings.Repeat("a", size) {
			t.Errorf("the first request changed: %+v %+v", a[0], a[1].Header)
		}
	}
}

type client struct {
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, s *running) *client {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{c, bufio.NewReader(c)}
}

func readResponse(t testing.TB, c *client) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestKeyHeaders(t *testing.T) {
	var key string
	s := start(t, Options{}, func(_ context.Context, in *flow.Inbound) (*flow.Reply, error) {
		key = in.Header.Key
		return echo(context.Background(), in)
	}, nil)
	for _, tc := range []struct{ name, value, want string }{
		{"Authorization", "Bearer abc", "abc"},
		{"Authorization", "Basic abc", ""},
		{"Authorization", "abc", ""},
		{"x-api-key", "abc", "abc"},
		{"x-goog-api-key", "abc", "abc"},
		{"cookie", "abc", ""},
	} {
		send(t, "POST", s.url+chat, nil, tc.name, tc.value)
		if key != tc.want {
			t.Errorf("%s: %s gave %q, want %q", tc.name, tc.value, key, tc.want)
		}
	}
}

// TestErrorTable covers every kind there is.
func TestErrorTable(t *testing.T) {
	want := map[providers.Kind]int{
		providers.Internal: 500, providers.Invalid: 400, providers.Unauthenticated: 401, providers.Forbidden: 403,
		providers.NotFound: 404, providers.TooLarge: 413, providers.OverBudget: 429, providers.RateLimited: 429, providers.Upstream: 502,
		providers.Unavailable: 503, providers.Timeout: 504, providers.Canceled: 499,
	}
	if len(want) != len(statuses) {
		t.Fatalf("%d kinds tested, %d in the table", len(want), len(statuses))
	}
	var give error
	s := start(t, Options{}, func(context.Context, *flow.Inbound) (*flow.Reply, error) { return nil, fmt.Errorf("wrapped: %w", give) }, nil)
	for kind, status := range want {
		give = &providers.Error{
			Kind: kind, Message: "what happened", Code: "the_code", RetryAfter: 1500 * time.Millisecond,
			Header: [][2]string{{"x-farthing-id", "r7"}, {"content-length", "3"}}, Cause: errors.New("a secret cause"),
		}
		resp, body := send(t, "POST", s.url+chat, nil)
		wantError(t, resp, body, status, "the_code")
		if resp.Header.Get("Retry-After") != "2" || resp.Header.Get("x-farthing-id") != "r7" || strings.Contains(body, "secret") || !strings.Contains(body, "what happened") {
			t.Errorf("%v: %v %s", kind, resp.Header, body)
		}
		if stop := resp.Header.Get("x-should-retry") == "false"; stop != (kind == providers.OverBudget) {
			t.Errorf("%v: x-should-retry %q", kind, resp.Header.Get("x-should-retry"))
		}
	}
	give = errors.New("no kind at all, a secret")
	resp, body := send(t, "POST", s.url+chat, nil)
	if resp.StatusCode != 500 || strings.Contains(body, "secret") || !strings.Contains(s.log.String(), "no kind at all") {
		t.Errorf("%d %s; log %s", resp.StatusCode, body, s.log)
	}
}

func TestRefusesBeforeTheHandler(t *testing.T) {
	s := start(t, Options{BodyLimit: 1000}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		t.Error("the handler was called")
		return nil, nil
	}, nil)
	cases := []struct {
		method, path, body string
		header             []string
		status             int
		code               string
	}{
		{"POST", "/v1/unknown", "", nil, 404, "unknown_url"},
		{"GET", "/", "", nil, 404, "unknown_url"},
		{"GET", chat, "", nil, 405, "method_not_allowed"},
		{"DELETE", chat, "", nil, 405, "method_not_allowed"},
		{"GET", "/v1/responses", "", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, 426, "websocket_not_supported"},
		{"POST", chat, strings.Repeat("a", 1001), nil, 413, ""},
		{"POST", chat, "x", []string{"Content-Encoding", "br"}, 415, "unsupported_encoding"},
		{"POST", chat, "x", []string{"Content-Encoding", "gzip, gzip"}, 415, "unsupported_encoding"},
		{"POST", chat, "not gzip", []string{"Content-Encoding", "gzip"}, 400, "invalid_encoding"},
		{"POST", chat, gz(strings.Repeat("a", 500))[:20], []string{"Content-Encoding", "gzip"}, 400, "invalid_encoding"},
		{"POST", chat, gz(strings.Repeat("a", 1001)), []string{"Content-Encoding", "gzip"}, 413, ""},
		{"POST", chat, "x", []string{"Via", "1.1 nginx, 1.1 farthing"}, 508, "loop_detected"},
		{"POST", chat, "x", []string{"X-Farthing-Session", "a\xff"}, 400, "invalid_header"},
		{"POST", chat, "x", []string{"Authorization", "Bearer \xc3\x28"}, 400, "invalid_header"},
		{"POST", chat, "x", []string{"X-Large", strings.Repeat("a", 20<<10)}, 431, "header_too_large"},
	}
	for _, tc := range cases {
		resp, body := send(t, tc.method, s.url+tc.path, strings.NewReader(tc.body), tc.header...)
		if tc.code == "" {
			tc.code = codeOf(body)
		}
		wantError(t, resp, body, tc.status, tc.code)
		if tc.status == 405 && !strings.Contains(resp.Header.Get("Allow"), "POST") {
			t.Errorf("405 without Allow: %v", resp.Header)
		}
	}
}

func codeOf(body string) string {
	var e struct{ Error struct{ Code string } }
	json.Unmarshal([]byte(body), &e)
	return e.Error.Code
}

func gz(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, s)
	w.Close()
	return b.String()
}

func TestViaOfOthersPasses(t *testing.T) {
	s := start(t, Options{}, echo, nil)
	for _, via := range []string{"1.1 nginx", "1.1 farthing.example.com", "farthing", "1.1 nginx (farthing)"} {
		if resp, body := send(t, "POST", s.url+chat, nil, "Via", via); resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", via, resp.StatusCode, body)
		}
	}
}

func TestGzipBodies(t *testing.T) {
	s := start(t, Options{BodyLimit: 1 << 20}, echo, nil)
	want := strings.Repeat("{}", 1<<19)
	resp, body := send(t, "POST", s.url+chat, strings.NewReader(gz(want)), "Content-Encoding", "GZIP")
	if resp.StatusCode != 200 || body != want {
		t.Fatalf("%d, %d bytes", resp.StatusCode, len(body))
	}
	bomb := gz(strings.Repeat("\x00", 64<<20))
	n := testing.AllocsPerRun(1, func() { unpack([]byte(bomb), 1<<20) })
	resp, body = send(t, "POST", s.url+chat, strings.NewReader(bomb), "Content-Encoding", "gzip")
	if resp.StatusCode != 413 || n > 200 {
		t.Fatalf("a bomb of %d bytes: %d %s, %v allocations", len(bomb), resp.StatusCode, body, n)
	}
}

// TestHugeBody sends 100 MB. The refusal comes at once and must not be lost
// although the client is still sending.
func TestHugeBody(t *testing.T) {
	s := start(t, Options{}, echo, nil)
	for _, chunked := range []bool{false, true} {
		var body io.Reader = io.LimitReader(zeros{}, 100<<20)
		req, _ := http.NewRequest("POST", s.url+chat, body)
		if !chunked {
			req.ContentLength = 100 << 20
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, resp, string(b), 413, codeOf(string(b)))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestExpectContinue(t *testing.T) {
	s := start(t, Options{BodyLimit: 10}, echo, nil)
	c := dial(t, s)
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", chat)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil || resp.StatusCode != 100 {
		t.Fatalf("%v %v", resp, err)
	}
	io.WriteString(c, "abc")
	if resp, body := readResponse(t, c); resp.StatusCode != 200 || body != "abc" {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
}

// TestSlowClient lets a header and a body arrive too slowly.
func TestSlowClient(t *testing.T) {
	s := start(t, Options{ReadLimit: 60 * time.Millisecond}, echo, nil)
	for _, begin := range []string{"POST " + chat + " HTTP/1.1\r\nHost: x\r\nX-", "POST " + chat + " HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"} {
		c := dial(t, s)
		io.WriteString(c, begin)
		resp, body := readResponse(t, c)
		wantError(t, resp, body, 408, "request_timeout")
	}
}

// TestReadLimitCutsNoStream has an answer outlast the limit of its request.
func TestReadLimitCutsNoStream(t *testing.T) {
	s := start(t, Options{ReadLimit: 30 * time.Millisecond, IdleLimit: time.Minute}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		n := 0
		return streamOf(func(p []byte) (int, error) {
			if n++; n > 4 {
				return 0, io.EOF
			}
			<-time.After(20 * time.Millisecond)
			return copy(p, "data: x\n\n"), nil
		}, nil), nil
	}, nil)
	c := dial(t, s)
	for range 2 {
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n\r\n", chat)
		if _, body := readResponse(t, c); body != strings.Repeat("data: x\n\n", 4) {
			t.Fatalf("%q", body)
		}
	}
}

func TestPanics(t *testing.T) {
	mode := ""
	s := start(t, Options{}, func(_ context.Context, in *flow.Inbound) (*flow.Reply, error) {
		switch mode {
		case "handler":
			panic("boom in the handler")
		case "nothing":
			return nil, nil
		case "read":
			return streamOf(func([]byte) (int, error) { panic("boom in the reader") }, nil), nil
		case "close":
			return streamOf(func([]byte) (int, error) { return 0, io.EOF }, func() { panic("boom in close") }), nil
		case "lie":
			return streamOf(func(p []byte) (int, error) { return len(p) + 1, nil }, nil), nil
		}
		return echo(context.Background(), in)
	}, map[string]http.Handler{"/admin/v1/": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom in a mount") })})
	for _, m := range []string{"handler", "nothing"} {
		mode = m
		resp, body := send(t, "POST", s.url+chat, nil)
		wantError(t, resp, body, 500, codeOf(body))
	}
	for _, m := range []string{"read", "close", "lie"} {
		mode = m
		req, _ := http.NewRequest("POST", s.url+chat, nil)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		if (m != "close") != (err != nil) {
			t.Errorf("%s: %v", m, err)
		}
	}
	resp, body := send(t, "GET", s.url+"/admin/v1/keys", nil)
	wantError(t, resp, body, 500, codeOf(body))
	mode = ""
	if resp, body = send(t, "POST", s.url+chat, strings.NewReader("alive")); body != "alive" {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	for _, where := range []string{"the handler", "the reader", "close", "a mount"} {
		if !strings.Contains(s.log.String(), "boom in "+where) {
			t.Errorf("the panic in %s is not in the log", where)
		}
	}
}

func TestPipelining(t *testing.T) {
	s := start(t, Options{}, echo, nil)
	c := dial(t, s)
	var all strings.Builder
	for i := range 20 {
		fmt.Fprintf(&all, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n%02d", chat, i)
	}
	io.WriteString(c, all.String())
	for i := range 20 {
		if resp, body := readResponse(t, c); resp.StatusCode != 200 || body != fmt.Sprintf("%02d", i) {
			t.Fatalf("answer %d: %d %q", i, resp.StatusCode, body)
		}
	}
}

func TestResponseHeadersCannotBeForged(t *testing.T) {
	s := start(t, Options{}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		return &flow.Reply{Body: []byte("ok"), Header: [][2]string{{"x-upstream-a", "b\r\nSet-Cookie: evil=1"}, {"content-length", "99"}, {"transfer-encoding", "chunked"}, {"x-bad", "\xff\xfe"}, {"x\r\nSet-Cookie", "evil=2"}, {"x: y", "z"}}}, nil
	}, nil)
	resp, body := send(t, "POST", s.url+chat, nil)
	if body != "ok" || resp.Header.Get("Set-Cookie") != "" || resp.ContentLength != 2 || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%q %v", body, resp.Header)
	}
}

func TestOperations(t *testing.T) {
	ready := errors.New("no target is usable")
	var kept *http.Request
	s := start(t, Options{Ready: func(context.Context) error { return ready }}, echo, map[string]http.Handler{
		"/metrics": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "m "+r.URL.Path) }),
		"/admin/v1/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			kept = r
			b, _ := io.ReadAll(r.Body)
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(201)
			fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, b, r.Header["X-Two"])
		}),
	})
	for _, tc := range []struct {
		method, path, body, want string
		status                   int
	}{
		{"GET", "/healthz", "", "ok\n", 200},
		{"GET", "/readyz", "", "not ready: no target is usable\n", 503},
		{"GET", "/metrics", "", "m /metrics", 200},
		{"POST", "/admin/v1/keys?x=%2F", "body", "POST /admin/v1/keys?x=%2F body [1 2]", 201},
		{"DELETE", "/admin/v1", "", "DELETE /admin/v1  [1 2]", 201},
	} {
		resp, body := send(t, tc.method, s.url+tc.path, strings.NewReader(tc.body), "X-Two", "1", "X-Two", "2")
		if resp.StatusCode != tc.status || body != tc.want {
			t.Errorf("%s %s: %d %q", tc.method, tc.path, resp.StatusCode, body)
		}
		if tc.status == 201 && len(resp.Header["Set-Cookie"]) != 2 {
			t.Errorf("cookies: %v", resp.Header)
		}
	}
	if kept.URL.Path != "/admin/v1" || kept.RemoteAddr == "" || kept.Context().Err() == nil {
		t.Errorf("%v %q, context %v", kept.URL, kept.RemoteAddr, kept.Context().Err())
	}
	ready = nil
	if resp, body := send(t, "GET", s.url+"/readyz", nil); resp.StatusCode != 200 {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
}

func TestUnknownHandlerIsAMistake(t *testing.T) {
	if _, err := New(Options{Handlers: map[string]flow.Handler{"chat": echo}}); err == nil {
		t.Fatal("a handler without an endpoint was taken")
	}
}

func TestTooManyConnections(t *testing.T) {
	s := start(t, Options{MaxConns: 2}, echo, nil)
	var open []*client
	for range 2 {
		c := dial(t, s)
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n\r\n", chat)
		readResponse(t, c)
		open = append(open, c)
	}
	resp, body := readResponse(t, dial(t, s))
	wantError(t, resp, body, 503, "too_many_connections")
	open[0].Close()
	within(t, 5*time.Second, func() bool { return len(s.conns.all()) == 1 })
	c := dial(t, s)
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n\r\n", chat)
	if resp, _ := readResponse(t, c); resp.StatusCode != 200 {
		t.Fatalf("%d after one has closed", resp.StatusCode)
	}
}

// within waits until ok, for a bounded time.
func within(t testing.TB, d time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !ok(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v", d)
		}
	}
}

func TestSeparateListenersAndShutdown(t *testing.T) {
	port := func() string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		return ln.Addr().String()
	}
	data, admin := port(), port()
	s, err := New(Options{Listen: data, AdminListen: admin, Handlers: map[string]flow.Handler{"chat.completions": echo}})
	if err != nil {
		t.Fatal(err)
	}
	s.Mount("/metrics", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "m") }))
	done := make(chan error, 1)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { done <- s.Run() }()
	for _, addr := range []string{data, admin} {
		within(t, 5*time.Second, func() bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				c.Close()
			}
			return err == nil
		})
	}
	for _, tc := range []struct {
		method, url string
		status      int
	}{
		{"POST", "http://" + data + chat, 200},
		{"GET", "http://" + data + "/metrics", 404},
		{"GET", "http://" + data + "/healthz", 200},
		{"POST", "http://" + admin + chat, 404},
		{"GET", "http://" + admin + "/metrics", 200},
		{"GET", "http://" + admin + "/healthz", 200},
	} {
		if resp, _ := send(t, tc.method, tc.url, nil); resp.StatusCode != tc.status {
			t.Errorf("%s %s: %d, want %d", tc.method, tc.url, resp.StatusCode, tc.status)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestShutdownLetsRequestsEnd has one stream end in time.
func TestShutdownLetsRequestsEnd(t *testing.T) {
	release := make(chan struct{})
	s := start(t, Options{}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		n := 0
		return streamOf(func(p []byte) (int, error) {
			n++
			switch n {
			case 1:
				return copy(p, "data: 1\n\n"), nil
			case 2:
				<-release
				return copy(p, "data: 2\n\n"), nil
			}
			return 0, io.EOF
		}, nil), nil
	}, nil)
	c := dial(t, s)
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n\r\n", chat)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(resp.Body, make([]byte, 9))
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		down <- s.Shutdown(ctx)
	}()
	within(t, 5*time.Second, func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(release)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "data: 2\n\n" {
		t.Errorf("%q %v", rest, err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestShutdownCancels has one that does not end by itself.
func TestShutdownCancels(t *testing.T) {
	var cause atomic.Value
	s := start(t, Options{}, func(ctx context.Context, _ *flow.Inbound) (*flow.Reply, error) {
		first := true
		return streamOf(func(p []byte) (int, error) {
			if first {
				first = false
				return copy(p, "data: 1\n\n"), nil
			}
			<-ctx.Done()
			cause.Store(context.Cause(ctx))
			return 0, ctx.Err()
		}, nil), nil
	}, nil)
	c := dial(t, s)
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n\r\n", chat)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(resp.Body, make([]byte, 9))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a cut stream looks complete")
	}
	if e, ok := cause.Load().(*providers.Error); !ok || e.Kind != providers.Unavailable {
		t.Errorf("cause %v", cause.Load())
	}
}
