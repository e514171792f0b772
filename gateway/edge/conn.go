package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"farthing/gateway/edge/leave"
)

// conns are the open connections of all listeners. Each is known by a number
// that is never used again, so that news of a closed connection cannot hit the
// next one on the same file descriptor.
type conns struct {
	stall time.Duration
	max   int
	poll  *leave.Poller

	mu   sync.Mutex
	last uint64
	open map[uint64]*conn
}

func newConns(o Options) (*conns, error) {
	cs := &conns{stall: o.Stall, max: o.MaxConns, open: map[uint64]*conn{}}
	p, err := leave.New(func(id uint64) {
		if c := cs.byID(id); c != nil {
			c.left()
		}
	})
	if err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	cs.poll = p
	return cs, nil
}

func (cs *conns) byID(id uint64) *conn {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.open[id]
}

// all is a snapshot of the open connections.
func (cs *conns) all() []*conn {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	list := make([]*conn, 0, len(cs.open))
	for _, c := range cs.open {
		list = append(list, c)
	}
	return list
}

// close ends the poller and every connection.
func (cs *conns) close() {
	for _, c := range cs.all() {
		c.Close()
	}
	cs.poll.Close()
}

// adopt counts a connection and has it watched. It returns nil if there are too
// many, or if it is gone already.
func (cs *conns) adopt(nc net.Conn) *conn {
	c := &conn{Conn: nc, cs: cs, remote: nc.RemoteAddr().String()}
	if ap, err := netip.ParseAddrPort(c.remote); err == nil {
		c.remote = ap.Addr().Unmap().String()
		c.loopback = ap.Addr().Unmap().IsLoopback()
	}
	cs.mu.Lock()
	if len(cs.open) >= cs.max {
		cs.mu.Unlock()
		nc.SetWriteDeadline(time.Now().Add(time.Second))
		io.WriteString(nc, full)
		nc.Close()
		return nil
	}
	cs.last++
	c.id = cs.last
	cs.open[c.id] = c
	cs.mu.Unlock()
	if sc, ok := nc.(syscall.Conn); ok {
		if rc, err := sc.SyscallConn(); err != nil || cs.poll.Add(rc, c.id) != nil {
			c.Close()
			return nil
		}
	}
	return c
}

const fullBody = `{"error":{"message":"too many connections","type":"server_error","code":"too_many_connections","param":null}}`

var full = fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"+
	"Retry-After: 1\r\nContent-Length: %d\r\n\r\n%s", len(fullBody), fullBody)

// listener hands out watched connections, and outlives the errors that a busy
// machine causes: the server takes any error of Accept for the end.
type listener struct {
	net.Listener
	cs *conns
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		switch {
		case err == nil:
			if c := l.cs.adopt(nc); c != nil {
				return c, nil
			}
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS),
			errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.ECONNABORTED):
			time.Sleep(20 * time.Millisecond) // until some connection has closed
		default:
			return nil, err
		}
	}
}

// conn is a watched connection.
type conn struct {
	net.Conn
	cs       *conns
	id       uint64
	remote   string // the peer's address without its port
	loopback bool
	linger   atomic.Bool // the peer may still be sending; closing at once would destroy the answer

	mu     sync.Mutex
	gone   bool
	cancel context.CancelCauseFunc // of the request under way
	once   sync.Once
}

// connOf finds the connection beneath what the server holds.
func connOf(nc net.Conn) *conn {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	c, _ := nc.(*conn)
	return c
}

// begin makes cancel the one to be called when the client leaves. It is false
// if the client has left.
func (c *conn) begin(cancel context.CancelCauseFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gone {
		c.cancel = cancel
	}
	return !c.gone
}

// end takes it back.
func (c *conn) end() {
	c.mu.Lock()
	c.cancel = nil
	c.mu.Unlock()
}

// left notes that the client has gone.
func (c *conn) left() {
	c.mu.Lock()
	c.gone = true
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel(errLeft)
	}
}

// cut ends the request under way and says whether there was one.
func (c *conn) cut(cause error) bool {
	c.mu.Lock()
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
	return cancel != nil
}

// Write bounds each 64 KiB by the stall limit: a client that stops reading
// must not hold an answer for ever.
func (c *conn) Write(p []byte) (n int, err error) {
	for {
		piece := p[n:min(len(p), n+64<<10)]
		if err := c.SetWriteDeadline(time.Now().Add(c.cs.stall)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(piece)
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// Close forgets the connection and closes it. After an answer to a request that
// was not read to its end it reads on for a moment: a close with unread bytes
// resets the connection, and the client would lose the answer.
func (c *conn) Close() error {
	var err error
	c.once.Do(func() {
		if t, ok := c.Conn.(*net.TCPConn); ok && c.linger.Load() {
			t.CloseWrite()
			t.SetReadDeadline(time.Now().Add(2 * time.Second))
			io.Copy(io.Discard, t)
		}
		c.cs.mu.Lock()
		delete(c.cs.open, c.id)
		c.cs.mu.Unlock()
		c.cs.poll.Remove(c.id)
		err = c.Conn.Close()
		c.left() // nobody is there for what is still under way
	})
	return err
}
