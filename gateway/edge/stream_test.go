package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"farthing/gateway/flow"
	"farthing/providers"
)

// source is a handler's stream made of functions.
type source struct {
	read  func([]byte) (int, error)
	close func()
}

// heartbeatText is a heartbeat as a client reads it.
const heartbeatText = ": keep-alive\n\n"

func (s *source) Read(p []byte) (int, error) { return s.read(p) }

func (s *source) Close() error {
	if s.close != nil {
		s.close()
	}
	return nil
}

func streamOf(read func([]byte) (int, error), close func()) *flow.Reply {
	return &flow.Reply{Status: 200, ContentType: "text/event-stream", Stream: &source{read, close}}
}

// TestEventsComeOneByOne reads each event before the next one is made.
func TestEventsComeOneByOne(t *testing.T) {
	next := make(chan string)
	var closed atomic.Int32
	s := start(t, Options{}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		r := streamOf(func(p []byte) (int, error) {
			e, ok := <-next
			if !ok {
				return 0, io.EOF
			}
			return copy(p, e), nil
		}, func() { closed.Add(1) })
		r.Header = [][2]string{{"x-farthing-target", "a/b"}}
		return r, nil
	}, nil)
	c := dial(t, s)
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", chat)
	resp, err := http.ReadResponse(c.r, nil) // the headers come before any event
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no", "X-Farthing-Target": "a/b", "Content-Encoding": ""} {
		if resp.Header.Get(k) != v {
			t.Errorf("%s: %q, want %q", k, resp.Header.Get(k), v)
		}
	}
	body := bufio.NewReader(resp.Body)
	for i := range 5 {
		want := fmt.Sprintf("data: %d\n\n", i)
		next <- want
		got := make([]byte, len(want))
		if _, err := io.ReadFull(body, got); err != nil || string(got) != want {
			t.Fatalf("%q %v", got, err)
		}
	}
	close(next)
	if rest, err := io.ReadAll(body); len(rest) != 0 || err != nil {
		t.Fatalf("%q %v", rest, err)
	}
	within(t, 5*time.Second, func() bool { return closed.Load() == 1 })
	fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") // the connection lives on
	if _, body := readResponse(t, c); body != "ok\n" {
		t.Fatalf("%q", body)
	}
}

// TestHeartbeats waits for comments in a silence: before the first event and
// between events, but never inside one.
func TestHeartbeats(t *testing.T) {
	next := make(chan string)
	s := start(t, Options{Heartbeat: 10 * time.Millisecond}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		return streamOf(func(p []byte) (int, error) {
			e, ok := <-next
			if !ok {
				return 0, io.EOF
			}
			return copy(p, e), nil
		}, nil), nil
	}, nil)
	c := dial(t, s)
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n\r\n", chat)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := bufio.NewReader(resp.Body)
	expect := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(body, got); err != nil || string(got) != want {
			t.Fatalf("%q %v, want %q", got, err, want)
		}
	}
	expect(heartbeatText + heartbeatText)
	next <- "data: {\"half\":"
	<-time.After(50 * time.Millisecond) // five heartbeats' time, inside an event
	next <- " 1}\n"
	<-time.After(50 * time.Millisecond)
	next <- "\n"
	for { // heartbeats may have come before the event began
		line, err := body.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "data: {\"half\": 1}\n" {
			break
		}
		if line != ": keep-alive\n" && line != "\n" {
			t.Fatalf("a heartbeat stands inside an event: %q", line)
		}
	}
	expect("\n" + heartbeatText + heartbeatText)
	close(next)
	rest, err := io.ReadAll(body)
	if err != nil || strings.ReplaceAll(string(rest), heartbeatText, "") != "" {
		t.Fatalf("%q %v", rest, err)
	}
}

func TestHeartbeatsOnlyInEventStreams(t *testing.T) {
	s := start(t, Options{Heartbeat: time.Millisecond}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		n := 0
		r := streamOf(func(p []byte) (int, error) {
			<-time.After(20 * time.Millisecond)
			if n++; n > 1 {
				return 0, io.EOF
			}
			return copy(p, "{}"), nil
		}, nil)
		r.ContentType = "application/json"
		return r, nil
	}, nil)
	if _, body := send(t, "POST", s.url+chat, nil); body != "{}" {
		t.Fatalf("%q", body)
	}
}

func TestBlankLine(t *testing.T) {
	for s, want := range map[string]bool{"a\n\n\n": true, "aa\n\n": true, "\r\n\r\n": true, "aa\r\r": true, "aaa\n": false, "a\n\r\n": false, "aaaa": false, "\n\n\na": false} {
		if blankLine([4]byte([]byte(s))) != want {
			t.Errorf("%q: want %v", s, want)
		}
	}
}

// TestHeartbeatsRaceWithEvents runs both as fast as they go: every byte of the
// events must come, in order, in valid chunks.
func TestHeartbeatsRaceWithEvents(t *testing.T) {
	const events = 2000
	s := start(t, Options{Heartbeat: time.Microsecond}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		n := 0
		return streamOf(func(p []byte) (int, error) {
			if n++; n > events {
				return 0, io.EOF
			}
			return copy(p, fmt.Sprintf("data: %d\n\n", n)), nil
		}, nil), nil
	}, nil)
	_, body := send(t, "POST", s.url+chat, nil)
	n := 0
	for part := range strings.SplitSeq(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		if part == ": keep-alive" {
			continue
		}
		if n++; part != fmt.Sprintf("data: %d", n) {
			t.Fatalf("event %d is %q", n, part)
		}
	}
	if n != events {
		t.Fatalf("%d events", n)
	}
}

func TestStreamForHTTP10(t *testing.T) {
	s := start(t, Options{}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		return &flow.Reply{ContentType: "text/event-stream", Stream: io.NopCloser(strings.NewReader("data: x\n\n"))}, nil
	}, nil)
	c := dial(t, s)
	fmt.Fprintf(c, "POST %s HTTP/1.0\r\n\r\n", chat)
	raw, err := io.ReadAll(c)
	if err != nil || strings.Contains(string(raw), "chunked") || !strings.HasSuffix(string(raw), "\r\n\r\ndata: x\n\n") {
		t.Fatalf("%q %v", raw, err)
	}
}

// TestStalledClient has a client stop reading: the answer must end.
func TestStalledClient(t *testing.T) {
	ended := make(chan struct{})
	s := start(t, Options{Stall: 50 * time.Millisecond}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		return streamOf(func(p []byte) (int, error) { return len(p), nil }, func() { close(ended) }), nil
	}, nil)
	c := dial(t, s)
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\n\r\n", chat)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("a client that does not read holds its stream")
	}
}

// leaving is a handler that waits for its client to leave, as a stream or not.
type leaving struct {
	stream  bool
	arrived chan struct{}
	done    chan time.Time
}

func newLeaving(stream bool, n int) *leaving {
	return &leaving{stream, make(chan struct{}, n), make(chan time.Time, n)}
}

func (l *leaving) handle(ctx context.Context, _ *flow.Inbound) (*flow.Reply, error) {
	wait := func() error {
		l.arrived <- struct{}{}
		<-ctx.Done()
		l.done <- time.Now()
		return context.Cause(ctx)
	}
	if !l.stream {
		return nil, wait()
	}
	return streamOf(func([]byte) (int, error) { return 0, wait() }, nil), nil
}

// TestClientLeaves measures how long a leaving goes unnoticed, for every way of
// leaving, with a call and with a stream. The limit is 100 ms; since a loaded
// machine may schedule late, the best of a few tries counts.
func TestClientLeaves(t *testing.T) {
	ways := map[string]func(*net.TCPConn){
		"close":      func(c *net.TCPConn) { c.Close() },
		"reset":      func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
		"half-close": func(c *net.TCPConn) { c.CloseWrite() },
		"after pipelined bytes": func(c *net.TCPConn) {
			io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
			c.Close()
		},
	}
	for _, stream := range []bool{false, true} {
		for name, leave := range ways {
			best := time.Hour
			for try := 0; try < 5 && best > 100*time.Millisecond; try++ {
				l := newLeaving(stream, 1)
				s := start(t, Options{}, l.handle, nil)
				c := dial(t, s)
				fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", chat)
				<-l.arrived
				began := time.Now()
				leave(c.Conn.(*net.TCPConn))
				select {
				case at := <-l.done:
					best = min(best, at.Sub(began))
				case <-time.After(5 * time.Second):
					t.Fatalf("%s (stream %v): never noticed", name, stream)
				}
			}
			if best > 100*time.Millisecond {
				t.Errorf("%s (stream %v): noticed after %v", name, stream, best)
			}
		}
	}
}

// TestLiveClientIsLeftAlone sends bytes ahead, and stays.
func TestLiveClientIsLeftAlone(t *testing.T) {
	for _, stream := range []bool{false, true} {
		release := make(chan struct{})
		var gone atomic.Bool
		arrived := make(chan struct{}, 2)
		s := start(t, Options{}, func(ctx context.Context, in *flow.Inbound) (*flow.Reply, error) {
			wait := func() {
				arrived <- struct{}{}
				<-release
				gone.Store(gone.Load() || ctx.Err() != nil)
			}
			if !stream {
				wait()
				return echo(context.Background(), in)
			}
			n := 0
			return streamOf(func([]byte) (int, error) {
				if n++; n == 1 {
					wait()
				}
				return 0, io.EOF
			}, nil), nil
		}, nil)
		c := dial(t, s)
		one := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", chat)
		io.WriteString(c, one)
		<-arrived
		io.WriteString(c, one+"POST /v1/ch") // a whole request and a part of one
		<-time.After(30 * time.Millisecond)
		close(release)
		for range 2 {
			if resp, _ := readResponse(t, c); resp.StatusCode != 200 {
				t.Fatalf("%d", resp.StatusCode)
			}
		}
		if gone.Load() {
			t.Errorf("stream %v: a live client was taken for gone", stream)
		}
	}
}

// TestThousandLeave has 1,000 clients leave at once; all must be noticed and
// none of those who stay.
func TestThousandLeave(t *testing.T) {
	const n = 1000
	var stayed atomic.Int32
	l := newLeaving(false, n)
	hold := make(chan struct{})
	s := start(t, Options{}, func(ctx context.Context, in *flow.Inbound) (*flow.Reply, error) {
		if string(in.Body) == "stay" {
			l.arrived <- struct{}{}
			<-hold
			if ctx.Err() == nil {
				stayed.Add(1)
			}
			return echo(context.Background(), in)
		}
		return l.handle(ctx, in)
	}, nil)
	conns := make([]*client, n)
	for i := range conns {
		conns[i] = dial(t, s)
		body := []string{"leave", "stay"}[i%2]
		fmt.Fprintf(conns[i], "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", chat, len(body), body)
	}
	for range n {
		<-l.arrived
	}
	began := time.Now()
	for i := 0; i < n; i += 2 {
		conns[i].Close()
	}
	var last time.Time
	for range n / 2 {
		select {
		case at := <-l.done:
			if at.After(last) {
				last = at
			}
		case <-time.After(10 * time.Second):
			t.Fatal("some leaving was never noticed")
		}
	}
	t.Logf("%d leavings noticed within %v", n/2, last.Sub(began))
	close(hold)
	for i := 1; i < n; i += 2 {
		if resp, body := readResponse(t, conns[i]); resp.StatusCode != 200 || body != "stay" {
			t.Fatalf("%d %q", resp.StatusCode, body)
		}
	}
	if stayed.Load() != n/2 {
		t.Fatalf("%d of %d who stayed were left alone", stayed.Load(), n/2)
	}
}

// TestDescriptorsAreReused opens and closes connections beside each other for a
// while: news of a closed one must never end a request on its successor.
func TestDescriptorsAreReused(t *testing.T) {
	var wrong atomic.Int32
	s := start(t, Options{}, func(ctx context.Context, in *flow.Inbound) (*flow.Reply, error) {
		if string(in.Body) == "leave" {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		for range 20 {
			if ctx.Err() != nil {
				wrong.Add(1)
			}
			<-time.After(100 * time.Microsecond)
		}
		return echo(context.Background(), in)
	}, nil)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 40 {
				c, err := net.Dial("tcp", s.addr)
				if err != nil {
					t.Error(err)
					return
				}
				body := []string{"leave", "stay!"}[i%2]
				fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n%s", chat, body)
				if i%2 == 1 {
					if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
						t.Errorf("%v %v", resp, err)
					}
				}
				c.Close()
			}
		})
	}
	wg.Wait()
	if wrong.Load() > 0 {
		t.Fatalf("%d live requests were ended", wrong.Load())
	}
	within(t, 10*time.Second, func() bool { return len(s.conns.all()) == 0 })
}

// TestLeftBeforeTheHandler has a request arrive together with the FIN, behind a
// first request that is slow: the second must not cost anything.
func TestLeftBeforeTheHandler(t *testing.T) {
	var calls atomic.Int32
	s := start(t, Options{}, func(ctx context.Context, _ *flow.Inbound) (*flow.Reply, error) {
		calls.Add(1)
		<-ctx.Done()
		return nil, &providers.Error{Kind: providers.Canceled, Message: "gone", Cause: context.Cause(ctx)}
	}, nil)
	c := dial(t, s)
	one := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\n\r\n", chat)
	io.WriteString(c, one+one)
	within(t, 5*time.Second, func() bool { return calls.Load() == 1 })
	c.Conn.(*net.TCPConn).CloseWrite()
	for range 2 {
		resp, body := readResponse(t, c)
		wantError(t, resp, body, 499, codeOf(body))
	}
	if calls.Load() != 1 {
		t.Fatalf("the handler was called %d times", calls.Load())
	}
}
