package leave

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// pair is a connection from both ends.
func pair(t *testing.T) (server, client *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

func raw(t *testing.T, c *net.TCPConn) syscall.RawConn {
	t.Helper()
	rc, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

func TestPoller(t *testing.T) {
	gone := make(chan uint64, 8)
	p, err := New(func(id uint64) { gone <- id })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const big = 1<<40 + 7 // numbers keep all their bits
	early, earlyClient := pair(t)
	earlyClient.Close() // before anybody watches
	if err := p.Add(raw(t, early), big); err != nil {
		t.Fatal(err)
	}
	talks, talksClient := pair(t)
	if err := p.Add(raw(t, talks), 2); err != nil {
		t.Fatal(err)
	}
	io.WriteString(talksClient, "bytes that nobody reads")
	closed, _ := pair(t)
	if err := p.Add(raw(t, closed), 3); err != nil {
		t.Fatal(err)
	}
	p.Remove(3)
	closed.Close() // by ourselves: nobody has left
	for _, want := range []uint64{big, 2} {
		select {
		case id := <-gone:
			if id != want {
				t.Fatalf("%d has gone, want %d", id, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%d was never told", want)
		}
		talksClient.CloseWrite()
	}
	p.Close()
	if err := p.Add(raw(t, talks), 4); err == nil {
		t.Error("a closed poller watches")
	}
	select {
	case id := <-gone:
		t.Errorf("%d has gone too", id)
	default:
	}
}
