package send

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/sse"
)

// afterEnd is how long a provider may keep its stream open after the answer's
// end. Reading on to the stream's own end lets the connection be used again.
const afterEnd = 250 * time.Millisecond

// stream is an answer on its way to the client: one reader that pulls the
// provider's events, passes their bytes, and meters them. It settles when the
// answer ends or, after the client has left, when it was drained.
type stream struct {
	attempt *Attempt
	ctx     context.Context
	body    io.Closer
	frames  *sse.Reader

	mu      sync.Mutex
	pending []byte      // for the client, already metered
	ended   bool        // nothing more comes from the provider
	failure error       // why it ended, if not well
	hangUp  *time.Timer // set once the answer has ended: the provider should close now
	done    atomic.Bool // settled
}

// begin pulls up to the first event of the answer. Comments before it commit
// nobody to this provider and are kept for the client.
func (s *stream) begin() error {
	var before []byte
	for !s.attempt.relay.Started() && !s.ended {
		s.pull()
		before = append(before, s.pending...)
	}
	s.pending = before
	return s.failure
}

// Read gives the client the next bytes. After the end of the answer come the
// bytes that Order.Ended returns.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) == 0 {
		if s.done.Load() {
			return 0, io.EOF
		}
		if s.ended {
			s.end()
			continue
		}
		s.pull()
	}
	n := copy(p, s.pending)
	s.pending = s.pending[n:]
	return n, nil
}

// pull takes one event from the provider. What it leaves in pending holds until
// the next pull. A panic ends the answer as any failure does: while it is drained
// nobody else would catch it, and the attempt must settle.
func (s *stream) pull() {
	defer func() {
		if p := recover(); p != nil {
			e := &providers.Error{Kind: providers.Internal, Message: "internal error", Cause: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
			s.ended, s.failure, s.pending = true, e, openai.ErrorEvent(e)
		}
	}()
	relay := s.attempt.relay
	frame, err := s.frames.Next()
	switch {
	case errors.Is(err, io.EOF):
		s.ended = true
		s.pending, s.failure = relay.End()
	case err != nil:
		s.ended = true
		var short error
		if s.pending, short = relay.End(); short != nil { // else the answer was whole before it broke
			s.failure = s.attempt.blame(s.ctx, err)
			s.pending = openai.ErrorEvent(providers.AsError(s.failure))
		}
	default:
		if s.pending, err = relay.Frame(frame); err != nil {
			s.ended, s.failure = true, err
		}
		if relay.Meter().Complete && s.hangUp == nil {
			s.hangUp = time.AfterFunc(afterEnd, func() { s.attempt.cut(errEnded) })
		}
	}
}

// ending says how the stream ended for its bill.
func (s *stream) ending() ending {
	if s.failure == nil {
		return complete
	}
	return s.attempt.spoilt()
}

// end settles and leaves the last bytes.
func (s *stream) end() {
	s.done.Store(true)
	if s.hangUp != nil {
		s.hangUp.Stop()
	}
	s.body.Close()
	s.attempt.finish(s.ending(), s.failure)
	s.pending = s.attempt.Ended(s.failure)
}

// Close is called by the edge when it is done with the stream. When the answer
// has not ended the client has left: the rest is read without it until it ends
// or is cut off.
func (s *stream) Close() error {
	if !s.done.Load() {
		s.attempt.gone(s.ctx)
		go s.drain()
	}
	return nil
}

func (s *stream) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.ended {
		s.pull()
	}
	if !s.done.Load() {
		s.end()
	}
}
