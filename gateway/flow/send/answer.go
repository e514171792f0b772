package send

import (
	"context"
	"errors"
	"io"
	"net/textproto"
	"strings"

	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/sse"
	"farthing/providers/upstream"
)

// Answer is a provider's answer as far as the client may see it.
type Answer struct {
	Status int
	Header [][2]string   // the provider's request ids and limits, named x-upstream-…
	Body   []byte        // of an answer that was not streamed
	Stream io.ReadCloser // of one that is; nil: Body is everything
}

// whole reads an answer that is not streamed and settles it.
func (a *Attempt) whole(ctx context.Context, response *upstream.Response) (*Answer, error) {
	body, err := upstream.ReadAll(response, maxAnswer)
	if err != nil {
		return nil, a.fail(cut, a.blame(ctx, err))
	}
	out, err := a.relay.Body(body)
	if err != nil {
		return nil, a.fail(a.spoilt(), err)
	}
	a.finish(complete, nil)
	return &Answer{Status: response.Status, Header: upstreamHeader(response.Header), Body: out}, nil
}

// stream reads up to the first event that the client would see, so that a
// stream that begins with an error can still fall back; the rest is pulled by
// whoever serves the client.
func (a *Attempt) stream(ctx context.Context, response *upstream.Response) (*Answer, error) {
	s := &stream{attempt: a, ctx: ctx, body: response.Body, frames: sse.NewReader(response.Body, 0)}
	if err := s.begin(); err != nil {
		response.Body.Close()
		return nil, a.fail(s.ending(), err)
	}
	return &Answer{Status: response.Status, Header: upstreamHeader(response.Header), Stream: s}, nil
}

// refusal turns an answer with an error status into an error.
func (a *Attempt) refusal(response *upstream.Response) error {
	body, err := upstream.ReadAll(response, maxRefusal)
	if err != nil {
		return a.fail(refused, err)
	}
	_, _ = a.relay.Body(body) // for the meter: some providers bill what they refuse, and say so
	e := openai.ParseError(response.Status, response.Header.Get, body)
	e.Header = append(e.Header, upstreamHeader(response.Header)...)
	return a.fail(refused, e)
}

// spoilt is how an answer ended that cannot be passed on: refused by the
// provider's own word, or else cut short, since what was generated is billed.
func (a *Attempt) spoilt() ending {
	if a.relay.Refused() && len(a.relay.Meter().Text) == 0 {
		return refused
	}
	return cut
}

// upstreamHeader passes the provider's request ids and limit headers on, under
// names of their own.
func upstreamHeader(h map[string][]string) [][2]string {
	var out [][2]string
	for name, values := range h {
		lower := strings.ToLower(name)
		if len(values) == 0 || strings.Contains(lower, "organization") || strings.Contains(lower, "project") {
			continue
		}
		if strings.HasSuffix(lower, "request-id") || strings.Contains(lower, "ratelimit") || strings.HasPrefix(lower, "openai-") {
			out = append(out, [2]string{"x-upstream-" + strings.TrimPrefix(lower, "x-"), values[0]})
		}
	}
	return out
}

// upstreamID is the provider's id of the call, for its support.
func upstreamID(h map[string][]string) string {
	for _, name := range [...]string{"X-Request-Id", "Request-Id", "Apim-Request-Id"} {
		if v := textproto.MIMEHeader(h).Get(name); v != "" {
			return v
		}
	}
	return ""
}

func isEventStream(h map[string][]string) bool {
	return strings.HasPrefix(strings.ToLower(textproto.MIMEHeader(h).Get("Content-Type")), "text/event-stream")
}

// fail settles an attempt that brought no answer and returns why.
func (a *Attempt) fail(e ending, err error) error {
	var known *providers.Error
	if !errors.As(err, &known) {
		err = providers.AsError(err)
	}
	a.finish(e, err)
	return err
}
