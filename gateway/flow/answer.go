package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/sse"
	"farthing/providers/upstream"
)

// whole reads an answer that is not streamed, settles it and replies.
func (a *attempt) whole(ctx context.Context, response *upstream.Response) (*Reply, error) {
	body, err := upstream.ReadAll(response, maxAnswer)
	if err != nil {
		return nil, a.fail(cut, a.blame(ctx, err))
	}
	out, err := a.relay.Body(body)
	if err != nil {
		return nil, a.fail(a.spoilt(), err)
	}
	a.finish(complete, outcomeOK, nil)
	c := a.call
	c.finished(a)
	h := append(a.headers(), [2]string{"x-farthing-cost-usd", c.receipt.Cost.String()})
	h = append(h, upstreamHeader(response.Header)...)
	c.close(outcomeOK, "")
	return &Reply{Status: response.Status, ContentType: "application/json", Header: h, Body: out}, nil
}

// spoilt is how an answer ended that cannot be passed on: refused by the
// provider's own word, or else cut short, since what was generated is billed.
func (a *attempt) spoilt() ending {
	if a.relay.Refused() && len(a.relay.Meter().Text) == 0 {
		return refused
	}
	return cut
}

// blame turns the error of a call that we cut off ourselves into its reason.
func (a *attempt) blame(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return &providers.Error{Kind: providers.Canceled, Message: errLeft.Error(), Cause: err}
	case a.call.flow.shutdown.Err() != nil:
		return &providers.Error{Kind: providers.Unavailable, Message: errShutdown.Error(), Cause: err}
	}
	return err
}

// stream reads up to the first event that the client would see, so that a
// stream that begins with an error can still fall back, and replies with the
// rest as a reader.
func (a *attempt) stream(ctx context.Context, response *upstream.Response) (*Reply, error) {
	s := &stream{attempt: a, ctx: ctx, body: response.Body, frames: sse.NewReader(response.Body, 0)}
	if err := s.begin(); err != nil {
		response.Body.Close()
		return nil, a.fail(s.ending(), err)
	}
	h := append(a.headers(), upstreamHeader(response.Header)...)
	return &Reply{Status: response.Status, ContentType: "text/event-stream", Header: h, Stream: s}, nil
}

// stream is an answer on its way to the client: one reader that pulls the
// provider's events, passes their bytes, and meters them. It settles when the
// answer ends or, after the client has left, when it was drained.
type stream struct {
	attempt *attempt
	ctx     context.Context
	body    io.Closer
	frames  *sse.Reader

	mu      sync.Mutex
	pending []byte      // for the client, already metered
	ended   bool        // nothing more comes from the provider
	failure error       // why it ended, if not well
	done    atomic.Bool // settled and recorded
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

// Read gives the client the next bytes. After the end of the answer comes our
// closing comment with what it cost.
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
// the next pull.
func (s *stream) pull() {
	relay := s.attempt.relay
	frame, err := s.frames.Next()
	switch {
	case errors.Is(err, io.EOF):
		s.ended = true
		s.pending, s.failure = relay.End()
	case err != nil && relay.Meter().Complete:
		s.ended, s.pending = true, nil // the connection broke after the answer's end
	case err != nil:
		s.ended, s.failure = true, s.attempt.blame(s.ctx, err)
		s.pending = openai.ErrorEvent(providers.AsError(s.failure))
	default:
		if s.pending, err = relay.Frame(frame); err != nil {
			s.ended, s.failure = true, err
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

// end settles, records, and leaves the closing comment as the last bytes.
func (s *stream) end() {
	s.done.Store(true)
	a := s.attempt
	s.body.Close()
	outcome, message := outcomeOK, ""
	if s.failure != nil {
		e := providers.AsError(s.failure)
		outcome, message = e.Kind.String(), e.Message
	}
	a.finish(s.ending(), outcome, s.failure)
	c := a.call
	c.finished(a)
	s.pending = fmt.Appendf(nil, ": farthing {\"id\":%q,\"target\":%q,\"cost_usd\":%q}\n\n", c.receipt.ID, c.receipt.Target, c.receipt.Cost.String())
	c.close(outcome, message)
}

// Close is called by the edge when it is done with the stream. When the answer
// has not ended the client has left: the rest is read without it until it ends
// or is cut off.
func (s *stream) Close() error {
	if !s.done.Load() {
		s.attempt.gone()
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

// upstreamHeader passes the provider's request ids and limit headers on, under
// names of their own.
func upstreamHeader(h map[string][]string) [][2]string {
	var out [][2]string
	for name, values := range h {
		lower := strings.ToLower(name)
		if len(values) > 0 && (strings.HasSuffix(lower, "request-id") || strings.Contains(lower, "ratelimit") || strings.HasPrefix(lower, "openai-")) &&
			!strings.Contains(lower, "organization") && !strings.Contains(lower, "project") {
			out = append(out, [2]string{"x-upstream-" + strings.TrimPrefix(lower, "x-"), values[0]})
		}
	}
	return out
}

// upstreamID is the provider's id of the call, for its support.
func upstreamID(h interface{ Get(string) string }) string {
	for _, name := range [...]string{"X-Request-Id", "Request-Id", "Apim-Request-Id"} {
		if v := h.Get(name); v != "" {
			return v
		}
	}
	return ""
}
