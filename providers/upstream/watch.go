package upstream

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// watch ends a call's context when one of its timeouts has passed. The clock of
// silence runs only while somebody waits for bytes: a client that reads slowly
// is not a provider that is silent. One timer serves all timeouts; it is moved
// when it fires, or to an earlier limit, not at every byte.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	limits limits

	mu       sync.Mutex
	timer    *time.Timer
	armed    time.Time // when it fires next
	started  time.Time
	silentAt time.Time // when waiting becomes too long; zero while nobody waits
	reason   *expiry   // what is then said
}

// newWatch starts the clocks of the whole call and of its first byte.
func newWatch(parent context.Context, l limits) *watch {
	ctx, cancel := context.WithCancelCause(parent)
	now := time.Now()
	w := &watch{
		ctx: ctx, cancel: cancel, limits: l, started: now,
		silentAt: now.Add(l.connect + l.firstByte), reason: errFirst,
	}
	first := min(l.connect+l.firstByte, l.total)
	w.mu.Lock()
	w.armed = now.Add(first)
	w.timer = time.AfterFunc(first, w.fire)
	w.mu.Unlock()
	return w
}

// fire ends the context if a limit has passed, else sets the timer to the next.
func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() != nil {
		return // stopped while this was about to run
	}
	now := time.Now()
	left := w.started.Add(w.limits.total).Sub(now)
	quiet := w.limits.betweenBytes
	if !w.silentAt.IsZero() {
		quiet = w.silentAt.Sub(now)
	}
	switch {
	case left <= 0:
		w.cancel(errTotal)
	case quiet <= 0:
		w.cancel(w.reason)
	default:
		w.armed = now.Add(min(left, quiet))
		w.timer.Reset(min(left, quiet))
	}
}

// waiting says that somebody waits for the next bytes.
func (w *watch) waiting(first bool) {
	w.mu.Lock()
	if first {
		w.silentAt, w.reason = w.started.Add(w.limits.connect+w.limits.firstByte), errFirst
	} else {
		w.silentAt, w.reason = time.Now().Add(w.limits.betweenBytes), errSilence
	}
	if w.silentAt.Before(w.armed) && w.ctx.Err() == nil {
		w.armed = w.silentAt
		w.timer.Reset(time.Until(w.silentAt))
	}
	w.mu.Unlock()
}

// served says that nobody waits any more.
func (w *watch) served() {
	w.mu.Lock()
	w.silentAt = time.Time{}
	w.mu.Unlock()
}

func (w *watch) stop() {
	w.cancel(errFinished)
	w.mu.Lock()
	w.timer.Stop() // after cancel: from then on nobody sets it again
	w.mu.Unlock()
}

// body is an answer's body under its call's timeouts.
type body struct {
	client *Client
	watch  *watch
	src    io.ReadCloser
	gunzip *gzip.Reader
	packed bool // gunzip is made at the first read, since making it reads
	begun  bool
	err    error
	once   sync.Once
}

// decode undoes a Content-Encoding that was not asked for.
func (b *body) decode(h http.Header) error {
	switch enc := strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding"))); enc {
	case "", "identity":
		return nil
	case "gzip", "x-gzip":
		b.packed = true
		h.Del("Content-Encoding")
		h.Del("Content-Length")
		return nil
	default:
		return fmt.Errorf("content encoding %q, although none was asked for", enc)
	}
}

// Read reads the next bytes. Any error but io.EOF is a *Failure.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.watch.waiting(!b.begun)
	n, err := b.read(p)
	b.watch.served()
	b.begun = b.begun || n > 0
	if err != nil {
		b.err = io.EOF
		if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			b.err = b.client.failure(b.watch.ctx, err, true)
		}
	}
	return n, b.err
}

func (b *body) read(p []byte) (int, error) {
	if !b.packed {
		return b.src.Read(p)
	}
	if b.gunzip == nil {
		z, err := gzip.NewReader(b.src)
		if err != nil {
			return 0, err
		}
		b.gunzip = z
	}
	return b.gunzip.Read(p)
}

// Close ends the call. It may be called while a Read waits, and more than once.
func (b *body) Close() error {
	var err error
	b.once.Do(func() {
		b.watch.stop()
		err = b.src.Close()
	})
	return err
}
