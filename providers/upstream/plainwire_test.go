//go:build unix

package upstream

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"farthing/providers"
)

func idle(w *plainWire) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.idle)
}

// once makes a call and reads its answer.
func once(t *testing.T, ctx context.Context, c *Client) {
	t.Helper()
	resp, err := c.Do(ctx, Call{Body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAll(resp, 100); err != nil {
		t.Fatal(err)
	}
}

func TestIdleConnectionsExpire(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	c := client(t, s.URL, providers.Timeouts{})
	w := c.wire.(*plainWire)
	once(t, t.Context(), c)
	w.expire()
	if idle(w) != 1 || w.sweep == nil {
		t.Fatal("a fresh connection expired")
	}
	w.idle[0].unused = time.Now().Add(-idleFor)
	w.expire()
	if idle(w) != 0 || w.sweep != nil {
		t.Fatal("an old connection is kept")
	}
	once(t, t.Context(), c)
	s.CloseClientConnections()
	for end := time.Now().Add(5 * time.Second); idle(w) > 0 && time.Now().Before(end); {
		w.expire()
	}
	if idle(w) != 0 {
		t.Fatal("a connection that the peer has closed is kept")
	}
}

func TestNoMoreIdleThanAllowed(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	c, err := New(Options{URL: s.URL, MaxIdle: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var open []*Response
	for range 3 {
		resp, err := c.Do(t.Context(), Call{Body: []byte("x")})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, resp)
	}
	for _, resp := range open {
		if _, err := ReadAll(resp, 10); err != nil {
			t.Fatal(err)
		}
	}
	if n := idle(c.wire.(*plainWire)); n != 1 {
		t.Fatalf("%d idle connections, want 1", n)
	}
}

// TestLateCancelHarmsNobody ends contexts right after their answers: the
// connection has another user by then.
func TestLateCancelHarmsNobody(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	c := client(t, s.URL, providers.Timeouts{})
	for range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		once(t, ctx, c)
		go cancel()
	}
}

func TestLeftAnswerClosesItsConnection(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) })
	c := client(t, s.URL, providers.Timeouts{})
	resp, err := c.Do(t.Context(), Call{Body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Read(make([]byte, 10))
	resp.Body.Close()
	if n := idle(c.wire.(*plainWire)); n != 0 {
		t.Fatal("a connection with half an answer in it is kept")
	}
}
