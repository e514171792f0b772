// Package upstream is the only HTTP client of the gateway: it carries one call
// to a provider or an engine and says exactly how far the call came.
//
// A Client stands for one base URL with its credentials, timeouts and pooled
// connections. Do sends a Call and returns as soon as the answer's headers are
// there; the body is pulled by the caller, so that a stream costs no goroutine
// of ours. Every error is a *Failure around a *providers.Error, and its Sent
// field says whether any byte of the request was written: what was never sent
// cannot be billed, what was sent may be.
//
// A call is repeated here only when it met a pooled connection that had died
// and nothing of it was written. Redirects are refused, because they would carry
// credentials to another host. A Breaker keeps calls away from a target that
// keeps failing; Get asks a server on this machine who it is.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"farthing/providers"
)

// Options describe one provider or engine.
type Options struct {
	URL      string      // base, e.g. https://api.openai.com/v1; a call's path is appended to it
	Header   [][2]string // sent with every call and stronger than the call's own: credentials above all
	Timeouts providers.Timeouts
	MaxIdle  int // idle connections kept; 0 means 256
}

// Call is one request.
type Call struct {
	Method string // "" means POST with a body and GET without
	Path   string // appended to the base URL; may carry a query
	Header [][2]string
	Body   []byte // must not be changed afterwards
	Stream bool   // ask for server-sent events
}

// Response is an answer of any status but a redirect. Body must be closed;
// closing it before its end breaks the call off.
type Response struct {
	Status int
	Header http.Header // Get(name) reads one; Content-Encoding is already undone
	Body   io.ReadCloser
}

// Client calls one base URL. It is safe for concurrent use.
type Client struct {
	base   *url.URL
	header [][2]string
	limits limits
	wire   wire
}

// wire carries one request over pooled connections and sets sent once the first
// byte of it may have left.
type wire interface {
	roundTrip(ctx context.Context, r *http.Request, body []byte, sent *atomic.Bool) (*http.Response, error)
	closeIdle()
}

// limits are a call's timeouts as plain durations.
type limits struct{ connect, firstByte, betweenBytes, total time.Duration }

// New makes a client. It fails if the URL is not absolute http or https.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("not a URL: %w", err)
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("not an http or https URL: %q", o.URL)
	}
	base.Path = strings.TrimRight(base.Path, "/")
	t := o.Timeouts.WithDefaults()
	c := &Client{base: base, header: o.Header, limits: limits{
		connect: time.Duration(t.Connect), firstByte: time.Duration(t.FirstByte),
		betweenBytes: time.Duration(t.BetweenBytes), total: time.Duration(t.Total),
	}}
	if o.MaxIdle <= 0 {
		o.MaxIdle = 256
	}
	c.wire = newWire(base.Scheme, base.Host, c.limits.connect, o.MaxIdle)
	return c, nil
}

// With is the same client, over the same connections, sending these headers
// with every call instead of its own: another of a provider's keys.
func (c *Client) With(header [][2]string) *Client {
	d := *c
	d.header = header
	return &d
}

// Close lets go of the idle connections. Calls under way go on.
func (c *Client) Close() { c.wire.closeIdle() }

// Do sends the call and returns when the answer's headers have come. The error
// is a *Failure. When ctx ends the call is broken off at once, its body too.
func (c *Client) Do(ctx context.Context, call Call) (*Response, error) {
	w := newWatch(ctx, c.limits)
	r, err := c.request(w.ctx, &call)
	if err != nil {
		w.stop()
		return nil, &Failure{Err: &providers.Error{Kind: providers.Internal, Message: "the request cannot be built", Cause: err}}
	}
	var sent atomic.Bool
	resp, err := c.wire.roundTrip(w.ctx, r, call.Body, &sent)
	if err != nil {
		defer w.stop()
		return nil, c.failure(w.ctx, err, sent.Load())
	}
	if to := resp.Header.Get("Location"); resp.StatusCode >= 300 && resp.StatusCode < 400 {
		resp.Body.Close()
		w.stop()
		return nil, &Failure{Sent: true, Err: &providers.Error{
			Kind: providers.Upstream, Status: resp.StatusCode,
			Message: fmt.Sprintf("%s answered with a redirect, which is not followed", c.base.Host), Cause: fmt.Errorf("redirect to %q", to),
		}}
	}
	b := &body{client: c, watch: w, src: resp.Body}
	if err := b.decode(resp.Header); err != nil {
		b.Close()
		return nil, &Failure{Sent: true, Err: &providers.Error{
			Kind: providers.Upstream, Status: resp.StatusCode,
			Message: fmt.Sprintf("%s sent an answer that cannot be read", c.base.Host), Cause: err,
		}}
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: b}, nil
}

// request builds the request without its body.
func (c *Client) request(ctx context.Context, call *Call) (*http.Request, error) {
	u := *c.base
	path, query, _ := strings.Cut(call.Path, "?")
	if unescaped, err := url.PathUnescape(path); err == nil {
		u.RawPath, u.Path = c.base.EscapedPath()+path, c.base.Path+unescaped
	} else {
		return nil, err
	}
	if query != "" {
		u.RawQuery = query
	}
	method := call.Method
	if method == "" {
		method = http.MethodGet
		if len(call.Body) > 0 {
			method = http.MethodPost
		}
	}
	h := make(http.Header, len(call.Header)+len(c.header)+4)
	h["Accept-Encoding"] = []string{"identity"}
	h["User-Agent"] = []string{"farthing"}
	if len(call.Body) > 0 {
		h["Content-Type"] = []string{"application/json"}
	}
	if call.Stream {
		h["Accept"] = []string{"text/event-stream"}
	}
	for _, list := range [2][][2]string{call.Header, c.header} {
		for _, kv := range list {
			name := http.CanonicalHeaderKey(kv[0])
			if ours(name) {
				continue
			}
			if !sound(name, kv[1]) {
				return nil, fmt.Errorf("the header %q cannot be sent: it holds a line break or a blank in its name", name)
			}
			h[name] = []string{kv[1]}
		}
	}
	r := &http.Request{Method: method, URL: &u, Host: u.Host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	return r.WithContext(ctx), nil
}

// ours says that a header belongs to the connection, or to the framing of the
// message, and is not a caller's to set.
func ours(name string) bool {
	switch name {
	case "Host", "Content-Length", "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Accept-Encoding", "Expect", "":
		return true
	}
	return false
}

// sound says that a header is one line of the message and no more.
func sound(name, value string) bool {
	return !strings.ContainsAny(value, "\r\n\x00") &&
		!strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f })
}

// ReadAll reads a whole answer of at most max bytes and closes it. The error is
// a *Failure; a longer answer is one of kind Upstream.
func ReadAll(r *Response, max int64) ([]byte, error) {
	defer r.Body.Close()
	size := int64(512)
	if r.ContentLength() > 0 {
		size = min(r.ContentLength(), max) + 1
	}
	b := make([]byte, 0, size)
	for {
		n, err := r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > max:
			return nil, &Failure{Sent: true, Err: &providers.Error{
				Kind: providers.Upstream, Status: r.Status,
				Message: fmt.Sprintf("the provider's answer is longer than %d bytes", max),
			}}
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return b, err
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

// ContentLength is the body's announced length, or -1 if none was announced.
func (r *Response) ContentLength() int64 {
	var n int64
	if _, err := fmt.Sscan(r.Header.Get("Content-Length"), &n); err != nil || n < 0 {
		return -1
	}
	return n
}
