//go:build unix

package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	idleFor  = 60 * time.Second // how long an unused connection is kept
	joinBody = 16 << 10         // up to this size the body goes out in one write with the header
)

// plainWire speaks HTTP/1.1 without TLS: to engines, on this machine above all,
// where the client's own work is a good part of the time a call takes.
// net/http's transport runs two goroutines for each connection and hands each
// call from one to the other; here the caller writes and reads by itself, for
// half of the processor time. The messages are read by net/http's parser.
//
// Having no goroutine that waits on an idle connection, it looks whether the
// peer has closed it before it uses it again.
type plainWire struct {
	addr string
	dial net.Dialer
	max  int

	mu    sync.Mutex
	idle  []*plainConn // the last used at the end
	sweep *time.Timer  // set while something is idle
}

// newWire is plainWire for http and net/http's transport for https.
func newWire(scheme, host string, connect time.Duration, maxIdle int) wire {
	if scheme != "http" {
		return newNetWire(connect, maxIdle)
	}
	addr := host
	if _, _, err := net.SplitHostPort(host); err != nil {
		addr = host + ":80"
	}
	return &plainWire{addr: addr, max: maxIdle, dial: net.Dialer{Timeout: connect, KeepAliveConfig: keepAlive}}
}

// plainConn is one connection. Its reader counts what a header may still take.
type plainConn struct {
	net.Conn
	raw    syscall.RawConn
	r      *bufio.Reader
	buf    []byte // of the request's header
	budget int64  // bytes that may still be read; negative means any number
	unused time.Time
}

var errHeader = fmt.Errorf("the answer's header is longer than %d bytes", maxHeader)

// Read reads from the connection within the budget.
func (c *plainConn) Read(p []byte) (int, error) {
	if c.budget < 0 {
		return c.Conn.Read(p)
	}
	if c.budget == 0 {
		return 0, errHeader
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.budget)])
	c.budget -= int64(n)
	return n, err
}

// alive says that the peer has neither closed the connection nor sent anything
// unasked.
func (c *plainConn) alive() bool {
	var b [1]byte
	var peek error
	err := c.raw.Read(func(fd uintptr) bool {
		_, _, peek = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return true
	})
	return err == nil && errors.Is(peek, unix.EAGAIN)
}

// take is a connection that was idle, or nil.
func (w *plainWire) take() *plainConn {
	for {
		w.mu.Lock()
		n := len(w.idle)
		if n == 0 {
			w.mu.Unlock()
			return nil
		}
		c := w.idle[n-1]
		w.idle[n-1] = nil
		w.idle = w.idle[:n-1]
		w.mu.Unlock()
		if time.Since(c.unused) < idleFor && c.alive() {
			return c
		}
		c.Close()
	}
}

func (w *plainWire) give(c *plainConn) {
	c.unused = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.idle) >= w.max {
		c.Close()
		return
	}
	w.idle = append(w.idle, c)
	if w.sweep == nil {
		w.sweep = time.AfterFunc(idleFor, w.expire)
	}
}

// expire closes what has been idle for too long or was closed by the peer.
func (w *plainWire) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.idle[:0]
	for _, c := range w.idle {
		if time.Since(c.unused) < idleFor && c.alive() {
			kept = append(kept, c)
		} else {
			c.Close()
		}
	}
	clear(w.idle[len(kept):])
	w.idle = kept
	w.sweep = nil
	if len(kept) > 0 {
		w.sweep = time.AfterFunc(idleFor, w.expire)
	}
}

func (w *plainWire) closeIdle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.idle {
		c.Close()
	}
	w.idle = nil
	if w.sweep != nil {
		w.sweep.Stop()
		w.sweep = nil
	}
}

func (w *plainWire) connect(ctx context.Context) (*plainConn, error) {
	nc, err := w.dial.DialContext(ctx, "tcp", w.addr)
	if err != nil {
		return nil, err
	}
	c := &plainConn{Conn: nc}
	if c.raw, err = nc.(syscall.Conn).SyscallConn(); err != nil {
		nc.Close()
		return nil, err
	}
	c.r = bufio.NewReaderSize(c, 8<<10)
	return c, nil
}

// roundTrip sends r over an idle connection, and over the next if that turns
// out dead before it has taken a byte, else over a new one.
func (w *plainWire) roundTrip(ctx context.Context, r *http.Request, body []byte, sent *atomic.Bool) (*http.Response, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c, fresh := w.take(), false
		if c == nil {
			var err error
			if c, err = w.connect(ctx); err != nil {
				return nil, err
			}
			fresh = true
		}
		// A deadline in the past wakes whoever reads or writes.
		undo := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
		n, err := c.send(r, body)
		sent.Store(n > 0)
		switch {
		case err == nil:
			return w.answer(c, r, c.rest(body), undo)
		case n > 0: // the peer may have said why before it closed
			return w.answer(c, r, nil, undo)
		}
		undo()
		c.Close()
		if fresh || ctx.Err() != nil {
			return nil, err
		}
	}
}

// send writes the header, and a small body with it, and says how many bytes of
// that the system took.
func (c *plainConn) send(r *http.Request, body []byte) (int, error) {
	b := append(c.buf[:0], r.Method...)
	b = append(b, ' ')
	b = append(b, r.URL.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, r.Host...)
	b = append(b, "\r\n"...)
	for name, values := range r.Header {
		for _, v := range values {
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
			b = append(b, "\r\n"...)
		}
	}
	if len(body) > 0 || r.Method != http.MethodGet && r.Method != http.MethodHead {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	if len(body) <= joinBody {
		b = append(b, body...)
	}
	c.buf = b
	return c.Write(b)
}

// rest writes a large body beside the reader, since a peer may answer, and wait
// for its answer to be read, before it has read all. The channel brings how
// that ended; it is nil if the body has gone out with the header.
func (c *plainConn) rest(body []byte) <-chan error {
	if len(body) <= joinBody {
		return nil
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(body)
		wrote <- err
	}()
	return wrote
}

// answer reads the answer's header.
func (w *plainWire) answer(c *plainConn, r *http.Request, wrote <-chan error, undo func() bool) (*http.Response, error) {
	c.budget = maxHeader
	resp, err := http.ReadResponse(c.r, r)
	for err == nil && resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
		resp, err = http.ReadResponse(c.r, r)
	}
	c.budget = -1
	if err != nil {
		undo()
		c.Close()
		if wrote != nil {
			<-wrote // nobody reads the body's bytes any more when the call is over
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the connection was closed before the answer")
		}
		return nil, err
	}
	b := &plainBody{w: w, c: c, src: resp.Body, undo: undo, wrote: wrote, keep: !resp.Close && resp.StatusCode != http.StatusSwitchingProtocols}
	if resp.Body == http.NoBody {
		b.release(true)
	}
	resp.Body = b
	return resp, nil
}

// plainBody gives its connection back at the end of the answer, and closes it
// when the answer is left before its end.
type plainBody struct {
	w     *plainWire
	c     *plainConn
	src   io.ReadCloser
	undo  func() bool
	wrote <-chan error
	keep  bool
	once  sync.Once
}

// Read reads the next bytes.
func (b *plainBody) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if err != nil {
		b.release(err == io.EOF)
	}
	return n, err
}

// Close ends the call. It may be called while a Read waits.
func (b *plainBody) Close() error {
	b.release(false)
	return nil
}

// release lets go of the connection. undo is false if the call's context ended:
// its deadline may strike at any moment, so that nobody must use it again.
func (b *plainBody) release(complete bool) {
	b.once.Do(func() {
		if b.undo() && complete && b.keep && b.c.r.Buffered() == 0 && b.written() {
			b.w.give(b.c)
			return
		}
		b.c.Close()
		if b.wrote != nil {
			<-b.wrote
		}
	})
}

// written says that the whole request went out.
func (b *plainBody) written() bool {
	if b.wrote == nil {
		return true
	}
	select {
	case err := <-b.wrote:
		b.wrote = nil
		return err == nil
	default:
		return false
	}
}
