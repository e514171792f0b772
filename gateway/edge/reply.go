package edge

import (
	"context"
	"io"
	"strings"

	"github.com/gofiber/fiber/v2"

	"farthing/gateway/flow"
	"farthing/providers"
)

// whole writes an answer that is there in full. Its bytes are not copied.
func whole(c *fiber.Ctx, r *flow.Reply) {
	head(c, r)
	c.Response().SetBodyRaw(r.Body)
}

// stream writes an answer that is pulled. fasthttp sends what each Read returns
// as a chunk of its own and flushes it; the headers go out before the first.
func (s *Server) stream(c *fiber.Ctx, r *flow.Reply, cn *conn, cancel context.CancelCauseFunc) {
	head(c, r)
	h := &c.Response().Header
	h.Set(fiber.HeaderCacheControl, "no-cache")
	h.Set("X-Accel-Buffering", "no") // nginx would collect events
	st := &stream{s: s, src: r.Stream, cn: cn, cancel: cancel}
	if !c.Request().Header.IsHTTP11() {
		s.collect(c, st)
		return
	}
	if strings.HasPrefix(r.ContentType, "text/event-stream") {
		st.beat(c.Context().Conn(), s.o.Heartbeat)
	}
	c.Response().ImmediateHeaderFlush = true
	c.Response().SetBodyStream(st, -1)
}

// collect sends a stream whole: HTTP/1.0 knows no chunks.
func (s *Server) collect(c *fiber.Ctx, st *stream) {
	defer st.Close()
	b, err := io.ReadAll(io.LimitReader(st, int64(s.o.BodyLimit)+1))
	switch {
	case err != nil:
		s.fail(c, err)
	case len(b) > s.o.BodyLimit:
		s.fail(c, &providers.Error{Kind: providers.Invalid, Message: "this answer is too long for HTTP/1.0: use HTTP/1.1"})
	default:
		c.Response().SetBodyRaw(b)
	}
}

func head(c *fiber.Ctx, r *flow.Reply) {
	h := &c.Response().Header
	if r.Status != 0 {
		c.Status(r.Status)
	}
	h.SetContentType(fiber.MIMEApplicationJSON)
	if r.ContentType != "" {
		h.SetContentType(r.ContentType)
	}
	for _, kv := range r.Header {
		addHeader(c, kv[0], kv[1])
	}
}

// addHeader adds a header to the answer. Line breaks in it would be headers of
// somebody else's making: fasthttp's Add writes them out as they are.
func addHeader(c *fiber.Ctx, name, value string) {
	if framing(name) || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f }) {
		return
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		value = breaks.Replace(value)
	}
	c.Response().Header.Add(name, value)
}

var breaks = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

// framing says that a header describes how an answer is framed, which the
// server alone decides.
func framing(name string) bool {
	return strings.EqualFold(name, "content-length") || strings.EqualFold(name, "transfer-encoding") ||
		strings.EqualFold(name, "connection") || strings.EqualFold(name, "content-type") || name == ""
}
