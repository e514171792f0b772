package edge

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"farthing/gateway/edge/local"
	"farthing/gateway/flow"
	"farthing/providers"
)

// keepBody is the size from which a body's buffer is taken from the server
// instead of copied: the server would keep it as long as the connection.
const keepBody = 16 << 10

// refusal is an error whose status no kind has.
type refusal struct {
	status int
	err    *providers.Error
}

func (r *refusal) Error() string { return r.err.Error() }

// inbound copies the request in.
func (s *Server) inbound(c *fiber.Ctx, e *endpoint, cn *conn) (*flow.Inbound, error) {
	in := &flow.Inbound{Endpoint: e.name, Format: e.format, Remote: cn.remote, Received: time.Now()}
	if strings.Contains(e.path, ":id") {
		in.ID = strings.Clone(c.Params("id"))
	}
	o := local.Request{Peer: cn.loopback, HTTP11: c.Request().Header.IsHTTP11()}
	encoding, err := readHeader(c, &in.Header, &o)
	if err != nil {
		return nil, err
	}
	if in.Body, err = s.body(c, encoding); err != nil {
		return nil, err
	}
	o.Body = len(in.Body) > 0
	in.Local = s.o.LoopbackOnly && o.Local()
	return in, nil
}

// readHeader copies the headers that mean something, in one pass.
func readHeader(c *fiber.Ctx, h *flow.Header, o *local.Request) (encoding string, err error) {
	var bearer, apiKey, googKey, bad string
	var looped bool
	text := func(dst *string, name, value []byte) {
		if *dst == "" {
			*dst = string(value)
		}
		if !utf8.Valid(value) {
			bad = string(name)
		}
	}
	c.Request().Header.VisitAll(func(name, v []byte) {
		switch string(name) {
		case "Authorization":
			if scheme, token, ok := strings.Cut(string(v), " "); ok && strings.EqualFold(scheme, "bearer") {
				text(&bearer, name, []byte(strings.TrimSpace(token)))
			}
		case "X-Api-Key":
			text(&apiKey, name, v)
		case "X-Goog-Api-Key":
			text(&googKey, name, v)
		case "X-Farthing-Tags":
			text(&h.Tags, name, v)
		case "X-Farthing-Session":
			text(&h.Session, name, v)
		case "X-Farthing-User":
			text(&h.User, name, v)
		case "X-Farthing-Max-Cost-Usd":
			text(&h.MaxCost, name, v)
		case "X-Farthing-Good-Answer-Worth-Usd":
			text(&h.GoodAnswerWorth, name, v)
		case "X-Farthing-Explain":
			h.Explain = string(v) == "1"
		case "Traceparent":
			text(&h.Traceparent, name, v)
		case "Tracestate":
			text(&h.Tracestate, name, v)
		case "Openai-Beta", "Anthropic-Version", "Anthropic-Beta", "Idempotency-Key":
			h.Forward = append(h.Forward, [2]string{strings.ToLower(string(name)), string(v)})
		case "Via":
			looped = looped || names(string(v), flow.Hop) // sent on by us: it would go round in a circle
		case "Host":
			o.Host = string(v)
		case "Origin":
			o.Origin = string(v)
		case "Content-Type":
			o.ContentType = string(v)
		case "Content-Encoding":
			encoding = strings.ToLower(strings.TrimSpace(string(v)))
		case "Forwarded", "X-Real-Ip":
			o.Forwarded = true
		default:
			o.Forwarded = o.Forwarded || bytes.HasPrefix(name, []byte("X-Forwarded-"))
		}
	})
	h.Key = cmp.Or(bearer, apiKey, googKey)
	switch {
	case looped:
		err = &refusal{fiber.StatusLoopDetected, &providers.Error{
			Kind: providers.Invalid, Code: "loop_detected",
			Message: "this request has passed through farthing already: a target's URL leads back here",
		}}
	case bad != "":
		err = &providers.Error{
			Kind: providers.Invalid, Code: "invalid_header",
			Message: fmt.Sprintf("the header %s is not valid UTF-8", strings.ToLower(bad)),
		}
	}
	return encoding, err
}

// names says whether a Via header lists the name as a hop.
func names(via, name string) bool {
	for hop := range strings.SplitSeq(via, ",") {
		f := strings.Fields(hop)
		if len(f) > 1 && strings.EqualFold(f[1], name) {
			return true
		}
	}
	return false
}

// body takes the request's body over, unpacked. fiber's own c.Body() unpacks
// past the limit.
func (s *Server) body(c *fiber.Ctx, encoding string) ([]byte, error) {
	raw := c.Request().Body()
	switch encoding {
	case "", "identity":
		if len(raw) < keepBody {
			return bytes.Clone(raw), nil
		}
		return c.Request().SwapBody(nil), nil
	case "gzip", "x-gzip":
		b, err := unpack(raw, s.o.BodyLimit)
		c.Request().ReleaseBody(keepBody)
		return b, err
	}
	c.Set(fiber.HeaderAcceptEncoding, "gzip, identity")
	return nil, &refusal{fiber.StatusUnsupportedMediaType, &providers.Error{
		Kind: providers.Invalid, Code: "unsupported_encoding",
		Message: fmt.Sprintf("content-encoding %q is not understood: send gzip, or the body as it is", strings.ToValidUTF8(encoding, "?")),
	}}
}

var errNotGzip = &providers.Error{
	Kind: providers.Invalid, Code: "invalid_encoding",
	Message: "the body is said to be gzip, but cannot be unpacked",
}

// unpack undoes gzip and stops one byte past the limit, so that a small body
// that unpacks to a huge one costs no more than the largest plain one.
func unpack(raw []byte, limit int) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, errNotGzip
	}
	var b bytes.Buffer
	b.Grow(min(4*len(raw), limit) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(z, int64(limit)+1))
	switch {
	case n > int64(limit):
		return nil, &providers.Error{Kind: providers.TooLarge, Message: tooLarge(limit)}
	case err != nil:
		return nil, errNotGzip
	}
	return b.Bytes(), nil
}
