package upstream

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"farthing/providers"
)

// client makes a client of a test server, by plain http or by TLS with HTTP/2.
func client(t testing.TB, url string, timeouts providers.Timeouts) *Client {
	t.Helper()
	c, err := New(Options{URL: url, Header: [][2]string{{"authorization", "Bearer ours"}}, Timeouts: timeouts})
	if err != nil {
		t.Fatal(err)
	}
	if overNet {
		c.wire = newNetWire(c.limits.connect, 16)
	}
	t.Cleanup(c.Close)
	return c
}

// overNet has clients of plain http use net/http's transport, as those of https do.
var overNet bool

// TestOverNetHTTP runs what both wires must do over the other one.
func TestOverNetHTTP(t *testing.T) {
	overNet = true
	defer func() { overNet = false }()
	for name, test := range map[string]func(*testing.T){
		"carries": TestDoCarriesTheCall, "not sent": TestNotSent, "reset": TestSentAndReset, "garbage": TestGarbageIsNoAnswer,
		"timeouts": TestTimeouts, "slow reader": TestSlowReaderIsNotASilentProvider, "cancel": TestCancelAtOnce,
		"close": TestCloseWhileReading, "cut": TestCutInTheMiddle, "until close": TestBodyUntilClose, "stale": TestStaleConnection,
		"never twice": TestNeverSentTwice, "reuse": TestConnectionsAreReused, "redirect": TestRedirectIsRefused,
		"gzip": TestUnaskedGzip, "concurrent": TestConcurrentCalls, "large": TestLargeBody, "interim": TestInterimAnswers, "early": TestEarlyAnswer,
		"long header": TestEndlessHeader, "line breaks": TestHeaderWithLineBreak,
	} {
		t.Run(name, test)
	}
}

func TestLargeBody(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	want := bytes.Repeat([]byte("0123456789"), 1<<20)
	resp, err := client(t, s.URL, providers.Timeouts{}).Do(t.Context(), Call{Body: want})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := ReadAll(resp, 1<<30); err != nil || !bytes.Equal(b, want) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
}

func TestInterimAnswers(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn) {
		swallow(c)
		io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	resp, err := client(t, url, providers.Timeouts{}).Do(t.Context(), Call{Body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := ReadAll(resp, 10); string(b) != "ok" || err != nil || resp.Status != 200 {
		t.Fatalf("%d %q %v", resp.Status, b, err)
	}
}

// TestEarlyAnswer refuses a large body before it has come.
func TestEarlyAnswer(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn) {
		swallow(c)
		io.WriteString(c, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	})
	resp, err := client(t, url, providers.Timeouts{}).Do(t.Context(), Call{Body: bytes.Repeat([]byte("x"), 8<<20)})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := ReadAll(resp, 10); string(b) != "big" || err != nil || resp.Status != 413 {
		t.Fatalf("%d %q %v", resp.Status, b, err)
	}
}

func TestEndlessHeader(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn) {
		swallow(c)
		io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		line := "X-A: " + strings.Repeat("a", 1000) + "\r\n"
		for {
			if _, err := io.WriteString(c, line); err != nil {
				return
			}
		}
	})
	c := client(t, url, providers.Timeouts{FirstByte: providers.Duration(30 * time.Second)})
	_, err := c.Do(t.Context(), Call{Body: []byte("x")})
	wantFailure(t, err, providers.Upstream, true)
}

func TestHeaderWithLineBreak(t *testing.T) {
	var asked atomic.Bool
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	for _, kv := range [][2]string{{"x-a", "b\r\nHost: evil"}, {"x-a", "b\nc"}, {"x a", "b"}, {"x:", "b"}, {"x\r\ny", "b"}} {
		_, err := client(t, s.URL, providers.Timeouts{}).Do(t.Context(), Call{Header: [][2]string{kv}, Body: []byte("x")})
		wantFailure(t, err, providers.Internal, false)
	}
	if asked.Load() {
		t.Error("one was sent")
	}
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func wantFailure(t *testing.T, err error, kind providers.Kind, sent bool) {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("error %v (%T), want a *Failure", err, err)
	}
	if f.Err.Kind != kind || f.Sent != sent {
		t.Fatalf("kind %v sent %v, want %v %v: %v", f.Err.Kind, f.Sent, kind, sent, err)
	}
	var e *providers.Error
	if !errors.As(err, &e) || e != f.Err {
		t.Fatal("the *providers.Error is not found in the failure")
	}
}

func TestDoCarriesTheCall(t *testing.T) {
	var got *http.Request
	var body []byte
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Request-Id", "abc")
		w.WriteHeader(429)
		io.WriteString(w, "slow down")
	})
	c := client(t, s.URL+"/v1/", providers.Timeouts{})
	resp, err := c.Do(t.Context(), Call{
		Path: "/chat/completions?a=b", Body: []byte(`{"x":1}`), Stream: true,
		Header: [][2]string{{"Authorization", "Bearer theirs"}, {"openai-beta", "x=1"}, {"Host", "evil"}, {"Content-Length", "99"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := ReadAll(resp, 100)
	if err != nil || string(b) != "slow down" || resp.Status != 429 || resp.Header.Get("x-request-id") != "abc" {
		t.Fatalf("%d %q %v", resp.Status, b, err)
	}
	want := map[string]string{
		"Authorization": "Bearer ours", "Openai-Beta": "x=1", "Accept": "text/event-stream",
		"Accept-Encoding": "identity", "Content-Type": "application/json",
	}
	for k, v := range want {
		if got.Header.Get(k) != v {
			t.Errorf("%s: %q, want %q", k, got.Header.Get(k), v)
		}
	}
	if got.URL.String() != "/v1/chat/completions?a=b" || got.Method != "POST" || string(body) != `{"x":1}` || strings.Contains(got.Host, "evil") {
		t.Errorf("%s %s %s %q", got.Method, got.URL, got.Host, body)
	}
	other := c.With([][2]string{{"authorization", "Bearer second"}})
	if resp, err = other.Do(t.Context(), Call{Path: "/models"}); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got.Header.Get("Authorization") != "Bearer second" || got.Method != "GET" {
		t.Errorf("With: %v %s", got.Header, got.Method)
	}
}

func TestHTTP2WhereTLSOffersIt(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	c := client(t, s.URL, providers.Timeouts{})
	_, err := c.Do(t.Context(), Call{Path: "/"})
	wantFailure(t, err, providers.Unavailable, false) // its certificate is nobody's
	if !strings.Contains(err.Error(), "certificate") {
		t.Errorf("says %q", err)
	}
	c = client(t, s.URL, providers.Timeouts{})
	c.wire.(*netWire).t.TLSClientConfig.RootCAs = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	resp, err := c.Do(t.Context(), Call{Path: "/", Body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := ReadAll(resp, 100); string(b) != "HTTP/2.0" {
		t.Errorf("spoke %q", b)
	}
}

func TestNotSent(t *testing.T) {
	ln, _ := net.Listen("tcp", "127.0.0.1:0")
	ln.Close()
	_, err := client(t, "http://"+ln.Addr().String(), providers.Timeouts{}).Do(t.Context(), Call{Body: []byte("x")})
	wantFailure(t, err, providers.Unavailable, false)

	_, err = client(t, "http://no-such-name.invalid", providers.Timeouts{}).Do(t.Context(), Call{Body: []byte("x")})
	wantFailure(t, err, providers.Unavailable, false)

	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, err = client(t, strings.Replace(s.URL, "http:", "https:", 1), providers.Timeouts{}).Do(t.Context(), Call{Body: []byte("x")})
	wantFailure(t, err, providers.Unavailable, false)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = client(t, s.URL, providers.Timeouts{}).Do(ctx, Call{Body: []byte("x")})
	wantFailure(t, err, providers.Canceled, false)
}

// raw serves each accepted connection with f.
func raw(t *testing.T, f func(n int, c net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer c.Close(); f(n, c) })
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return "http://" + ln.Addr().String()
}

// swallow reads a request of at most 4 KiB.
func swallow(c net.Conn) bool {
	n, _ := c.Read(make([]byte, 4096))
	return n > 0
}

func TestSentAndReset(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn) { swallow(c); c.(*net.TCPConn).SetLinger(0) })
	_, err := client(t, url, providers.Timeouts{}).Do(t.Context(), Call{Body: []byte("x")})
	wantFailure(t, err, providers.Upstream, true)
}

func TestGarbageIsNoAnswer(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn) { swallow(c); io.WriteString(c, "SSH-2.0-OpenSSH_9\r\n\r\n") })
	_, err := client(t, url, providers.Timeouts{}).Do(t.Context(), Call{Body: []byte("x")})
	wantFailure(t, err, providers.Upstream, true)
}

func TestTimeouts(t *testing.T) {
	const short = providers.Duration(40 * time.Millisecond)
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/silent":
		case "/headers":
			w.(http.Flusher).Flush()
		case "/stops":
			io.WriteString(w, "a")
			w.(http.Flusher).Flush()
		case "/drips":
			for r.Context().Err() == nil {
				io.WriteString(w, "a")
				w.(http.Flusher).Flush()
			}
			return
		}
		<-release
	})
	defer close(release)
	cases := []struct {
		path string
		t    providers.Timeouts
		says string
	}{
		{"/silent", providers.Timeouts{Connect: 1, FirstByte: short}, errFirst.what},
		{"/headers", providers.Timeouts{Connect: 1, FirstByte: short}, errFirst.what},
		{"/stops", providers.Timeouts{BetweenBytes: short}, errSilence.what},
		{"/drips", providers.Timeouts{Total: short}, errTotal.what},
	}
	for _, tc := range cases {
		if tc.t.Connect == 1 {
			tc.t.Connect = providers.Duration(time.Second)
		}
		c := client(t, s.URL, tc.t)
		c.limits.connect = 0 // the dialer keeps its second; the clock of the first byte starts at once
		resp, err := c.Do(t.Context(), Call{Path: tc.path, Body: []byte("x")})
		if err == nil {
			_, err = ReadAll(resp, 1<<40)
		}
		wantFailure(t, err, providers.Timeout, true)
		if !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.path, err, tc.says)
		}
	}
}

func TestSlowReaderIsNotASilentProvider(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		io.WriteString(w, "second")
	})
	c := client(t, s.URL, providers.Timeouts{BetweenBytes: providers.Duration(30 * time.Millisecond)})
	resp, err := c.Do(t.Context(), Call{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	w := resp.Body.(*body).watch
	for range 3 { // the timer fires thrice while nobody reads
		w.fire()
	}
	w.mu.Lock()
	w.started = time.Now()
	w.mu.Unlock()
	if b, err := ReadAll(resp, 100); err != nil || string(b) != "second" {
		t.Fatalf("%q %v", b, err)
	}
}

func TestCancelAtOnce(t *testing.T) {
	gone := make(chan struct{}, 2)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/stream" {
			io.WriteString(w, "a")
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	for _, path := range []string{"/silent", "/stream"} {
		c := client(t, s.URL, providers.Timeouts{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		resp, err := c.Do(ctx, Call{Path: path, Body: []byte("x")})
		if path == "/stream" {
			if err != nil {
				t.Fatal(err)
			}
			_, err = ReadAll(resp, 100)
		}
		wantFailure(t, err, providers.Canceled, true)
		select {
		case <-gone:
		case <-time.After(5 * time.Second):
			t.Fatal("the provider was not told")
		}
	}
}

func TestCloseWhileReading(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	resp, err := client(t, s.URL, providers.Timeouts{}).Do(t.Context(), Call{})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(20*time.Millisecond, func() { resp.Body.Close() })
	if _, err = resp.Body.Read(make([]byte, 1)); err == nil {
		t.Fatal("read after close")
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCutInTheMiddle(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		url := raw(t, func(_ int, c net.Conn) { swallow(c); io.WriteString(c, answer) })
		resp, err := client(t, url, providers.Timeouts{}).Do(t.Context(), Call{Body: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		b, err := ReadAll(resp, 100)
		wantFailure(t, err, providers.Upstream, true)
		if string(b) != "abc" {
			t.Errorf("what had come is lost: %q", b)
		}
	}
}

func TestBodyUntilClose(t *testing.T) {
	url := raw(t, func(_ int, c net.Conn) { swallow(c); io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nall of it") })
	resp, err := client(t, url, providers.Timeouts{}).Do(t.Context(), Call{Body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := ReadAll(resp, 100); string(b) != "all of it" || err != nil {
		t.Fatalf("%q %v", b, err)
	}
}

// TestStaleConnection lets the server close the idle connection; the next call
// must go through on a new one, and be written once.
func TestStaleConnection(t *testing.T) {
	closed := make(chan struct{})
	var written atomic.Int32
	url := raw(t, func(n int, c net.Conn) {
		if swallow(c) {
			written.Add(1)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		if n == 0 {
			c.Close()
			close(closed)
		}
	})
	c := client(t, url, providers.Timeouts{})
	for answered := 0; answered < 2; {
		resp, err := c.Do(t.Context(), Call{Body: []byte("x")})
		var failure *Failure
		switch {
		case err == nil:
		case overNet && answered == 1 && errors.As(err, &failure) && failure.Sent:
			continue // net/http's goroutine has not seen the close yet, and such a call is not repeated
		default:
			t.Fatalf("call %d: %v", answered, err)
		}
		if b, err := ReadAll(resp, 10); string(b) != "ok" || err != nil {
			t.Fatalf("%q %v", b, err)
		}
		if answered == 0 {
			<-closed
		}
		answered++
	}
	if written.Load() != 2 {
		t.Fatalf("%d requests arrived, want 2", written.Load())
	}
}

// TestNeverSentTwice breaks a reused connection after it took the request: the
// call must fail as sent and must not be repeated.
func TestNeverSentTwice(t *testing.T) {
	var requests atomic.Int32
	url := raw(t, func(_ int, c net.Conn) {
		for swallow(c) {
			if requests.Add(1) > 1 {
				c.(*net.TCPConn).SetLinger(0)
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c := client(t, url, providers.Timeouts{})
	resp, err := c.Do(t.Context(), Call{Body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAll(resp, 10); err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), Call{Body: []byte("x")})
	wantFailure(t, err, providers.Upstream, true)
	if n := requests.Load(); n != 2 {
		t.Fatalf("%d requests arrived, want 2", n)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	var conns atomic.Int32
	url := raw(t, func(_ int, c net.Conn) {
		conns.Add(1)
		for swallow(c) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
		}
	})
	c := client(t, url, providers.Timeouts{})
	for range 20 {
		resp, err := c.Do(t.Context(), Call{Body: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadAll(resp, 10); err != nil {
			t.Fatal(err)
		}
	}
	if conns.Load() != 1 {
		t.Fatalf("%d connections for 20 calls in a row", conns.Load())
	}
	c.Close()
}

func TestRedirectIsRefused(t *testing.T) {
	var asked atomic.Bool
	other := serve(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	_, err := client(t, s.URL, providers.Timeouts{}).Do(t.Context(), Call{Body: []byte("x")})
	wantFailure(t, err, providers.Upstream, true)
	if providers.AsError(err).Status != 307 || asked.Load() {
		t.Errorf("status %d, followed %v", providers.AsError(err).Status, asked.Load())
	}
}

func packed(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func TestUnaskedGzip(t *testing.T) {
	big := bytes.Repeat([]byte("a"), 1<<20)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", strings.TrimPrefix(r.URL.Path, "/"))
		w.Write(packed(big))
	})
	c := client(t, s.URL, providers.Timeouts{})
	resp, err := c.Do(t.Context(), Call{Path: "/gzip"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := ReadAll(resp, 1<<20)
	if err != nil || !bytes.Equal(b, big) || resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Content-Length") != "" {
		t.Fatalf("%d bytes, %v, %v", len(b), err, resp.Header)
	}
	if resp, err = c.Do(t.Context(), Call{Path: "/gzip"}); err != nil {
		t.Fatal(err)
	}
	_, err = ReadAll(resp, 1<<20-1)
	wantFailure(t, err, providers.Upstream, true)
	_, err = c.Do(t.Context(), Call{Path: "/br"})
	wantFailure(t, err, providers.Upstream, true)
}

func TestGet(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/tags":
			io.WriteString(w, `{"models":[]}`)
		case "/away":
			http.Redirect(w, r, "/api/tags", http.StatusFound)
		case "/slow":
			<-r.Context().Done()
		default:
			http.NotFound(w, r)
		}
	})
	if b, err := Get(t.Context(), s.URL+"/api/tags", time.Second, 13); err != nil || string(b) != `{"models":[]}` {
		t.Errorf("%q %v", b, err)
	}
	for path, max := range map[string]int64{"/api/tags": 12, "/away": 99, "/none": 99} {
		if b, err := Get(t.Context(), s.URL+path, time.Second, max); err == nil {
			t.Errorf("%s: %q and no error", path, b)
		}
	}
	if _, err := Get(t.Context(), s.URL+"/slow", 20*time.Millisecond, 99); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("slow: %v", err)
	}
}

func TestNewRefusesWhatIsNoURL(t *testing.T) {
	for _, u := range []string{"", "api.openai.com", "ftp://x", "http://", "http://%zz"} {
		if _, err := New(Options{URL: u}); err == nil {
			t.Errorf("%q was taken", u)
		}
	}
}

func TestProxyOnlyForPublicHTTPS(t *testing.T) {
	for u, may := range map[string]bool{"http://127.0.0.1/": false, "https://localhost/": false, "https://[::1]/": false, "http://10.0.0.3/": false} {
		r, _ := http.NewRequest("GET", u, nil)
		if p, err := proxy(r); err != nil || (p != nil) != may {
			t.Errorf("%s: proxy %v %v", u, p, err)
		}
	}
}

func TestConcurrentCalls(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	c := client(t, s.URL, providers.Timeouts{})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for j := range 10 {
				want := fmt.Sprintf("%d/%d", i, j)
				resp, err := c.Do(t.Context(), Call{Body: []byte(want)})
				if err != nil {
					t.Error(err)
					return
				}
				if b, err := ReadAll(resp, 100); string(b) != want || err != nil {
					t.Errorf("%q %v, want %q", b, err, want)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkDo(b *testing.B) {
	answer := bytes.Repeat([]byte("a"), 512)
	s := serve(b, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); w.Write(answer) })
	c := client(b, s.URL, providers.Timeouts{})
	body := bytes.Repeat([]byte("x"), 4096)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Do(b.Context(), Call{Body: body})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ReadAll(resp, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
