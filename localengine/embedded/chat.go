//go:build cgo

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"farthing/localengine/embedded/tokens"
	"farthing/localengine/embedded/wire"
)

// errClientGone ends a run whose client has left or does not take its stream.
var errClientGone = errors.New("the client has gone")

// chat answers POST /v1/chat/completions. A place in the queue is taken before
// the body is read, so that the memory of waiting requests is bounded.
func (s *server) chat(w http.ResponseWriter, r *http.Request, e *engine) {
	if !s.queue.enter() {
		wire.QueueFull(cap(s.queue.places) - 1).Write(w)
		return
	}
	defer s.queue.leave()
	body, bad := readBody(w, r, maxChatBody)
	if bad != nil {
		bad.Write(w)
		return
	}
	c, bad := wire.ParseChat(body, e.name, e.defaultTemperature)
	if bad != nil {
		bad.Write(w)
		return
	}
	now := time.Now()
	prompt, err := e.prompt(r.Context(), c, now)
	if err != nil {
		s.failed(w, nil, err)
		return
	}
	if c.Stream {
		s.chatStream(w, r, e, c, prompt, now)
		return
	}
	o := &wire.Whole{Completion: wire.NewCompletion("chat.completion", e.name, e.owner, now)}
	out, a, err := s.generate(r.Context(), e, c, prompt, func() error { return nil }, o.Add)
	if err != nil {
		s.failed(w, nil, err)
		return
	}
	o.Write(w, out.finish, wire.NewUsage(out.prompt, out.completion, a.ReasoningTokens))
}

func (s *server) chatStream(w http.ResponseWriter, r *http.Request, e *engine, c *wire.Chat, prompt []int32, now time.Time) {
	st := wire.NewStream(w, wire.NewCompletion("chat.completion.chunk", e.name, e.owner, now), c.IncludeUsage)
	out, a, err := s.generate(r.Context(), e, c, prompt, st.Begin, st.Add)
	if err != nil {
		s.failed(w, st, err)
		return
	}
	// An error means that the client has gone.
	_ = st.End(out.finish, wire.NewUsage(out.prompt, out.completion, a.ReasoningTokens))
}

// generate waits for the engine and runs the request on it. begin is called
// when its turn has come, send with each new piece of text.
func (s *server) generate(ctx context.Context, e *engine, c *wire.Chat, prompt []int32, begin func() error, send func(wire.Delta) error) (out outcome, a *wire.Answer, err error) {
	a = &wire.Answer{Split: e.marks.Splitter(), Text: tokens.Text{Stops: c.Stops}, Send: func(d wire.Delta) error {
		if err := send(d); err != nil {
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
		return nil
	}}
	waited := s.queue.run(ctx, func() {
		defer func() {
			if p := recover(); p != nil {
				// What the library left behind cannot be trusted: this
				// process must end, and its supervisor starts a new one.
				err = fmt.Errorf("the engine failed: %v", p)
				slog.Error("panic in the engine", "panic", p, "stack", string(debug.Stack()))
				s.fail(err)
			}
		}()
		if err = begin(); err != nil {
			err = fmt.Errorf("%w: %w", errClientGone, err)
			return
		}
		if out, err = e.run(ctx, prompt, c.MaxTokens, tokens.NewSampler(c.Sampling), a.Token); err == nil {
			err = a.Finish()
		}
	})
	if waited != nil {
		err = waited
	}
	return out, a, err
}

// failed tells the client why there is no answer, or no more of it. st is the
// stream that may have begun, or nil.
func (s *server) failed(w http.ResponseWriter, st *wire.Stream, err error) {
	var bad *wire.Error
	switch {
	case errors.As(err, &bad):
	case errors.Is(err, errClientGone), errors.Is(err, context.Canceled):
		s.meter.cancelled.Add(1)
		return
	case errors.Is(err, errStopping):
		bad = &wire.Error{Status: http.StatusServiceUnavailable, Kind: "unavailable_error", Code: "shutting_down", Message: "The engine is being stopped."}
	default:
		slog.Error("request failed", "err", err)
		bad = wire.Internal("The engine could not answer: " + err.Error())
	}
	if st != nil && st.Begun {
		// Without [DONE]: this stream is not complete.
		_ = st.Event(bad.Body()) // an error means that the client has gone
		return
	}
	bad.Write(w)
}
