package edge

import (
	"context"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"farthing/gateway/edge/nethttp"
	"farthing/providers"
)

// Mount serves everything at and below prefix ("/metrics", "/admin/v1/",
// "/dashboard/") by h, on the operations listener if there is one. The path is
// not shortened. Call it before Serve. The request's context ends when the client
// leaves. The answer is collected and sent whole.
func (s *Server) Mount(prefix string, h http.Handler) {
	f := func(c *fiber.Ctx) error { s.mounted(c, h); return nil }
	prefix = strings.TrimRight(prefix, "/")
	s.admin.All(prefix, f)
	s.admin.All(prefix+"/*", f)
}

func (s *Server) mounted(c *fiber.Ctx, h http.Handler) {
	cn := connOf(c.Context().Conn())
	ctx, cancel := context.WithCancelCause(context.Background())
	if !cn.begin(cancel) {
		cancel(errLeft)
		s.fail(c, errLeft)
		return
	}
	defer func() {
		cn.end()
		cancel(errAnswered)
	}()
	var w nethttp.Answer
	if err := s.answer(ctx, c, &w, h); err != nil {
		s.fail(c, err)
		return
	}
	status, header, body := w.Finish()
	for name, values := range header {
		if name == "Content-Type" {
			c.Response().Header.SetContentType(values[0])
			continue
		}
		for _, v := range values {
			addHeader(c, name, v)
		}
	}
	c.Status(status)
	c.Response().SetBodyRaw(body)
}

func (s *Server) answer(ctx context.Context, c *fiber.Ctx, w *nethttp.Answer, h http.Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(p)
		}
	}()
	r, err := nethttp.Request(ctx, c)
	if err != nil {
		return &providers.Error{Kind: providers.Invalid, Message: "the path is not a valid URL", Cause: err}
	}
	h.ServeHTTP(w, r)
	return nil
}
