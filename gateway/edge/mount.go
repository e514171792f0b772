package edge

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"farthing/providers"
)

// Mount serves everything at and below prefix ("/metrics", "/admin/v1/",
// "/dashboard/") by h, on the operations listener if there is one. The path is
// not shortened. Call it before Serve. The request is a copy that h may keep;
// its context ends when the client leaves. The answer is collected and sent whole.
//
// fiber's own adaptor is not used: its requests share the server's buffers.
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
	w := &answer{header: http.Header{}}
	if err := s.answer(ctx, c, w, h); err != nil {
		s.fail(c, err)
		return
	}
	w.WriteHeader(http.StatusOK)
	if w.header.Get("Content-Type") == "" && w.body.Len() > 0 {
		w.header.Set("Content-Type", http.DetectContentType(w.body.Bytes()))
	}
	out := &c.Response().Header
	for name, values := range w.header {
		if name == "Content-Type" {
			out.SetContentType(values[0])
			continue
		}
		for _, v := range values {
			addHeader(c, name, v)
		}
	}
	c.Status(w.status)
	c.Response().SetBodyRaw(w.body.Bytes())
}

func (s *Server) answer(ctx context.Context, c *fiber.Ctx, w *answer, h http.Handler) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(p)
		}
	}()
	r, err := request(ctx, c)
	if err != nil {
		return &providers.Error{Kind: providers.Invalid, Message: "the path is not a valid URL", Cause: err}
	}
	h.ServeHTTP(w, r)
	return nil
}

// request copies the request in net/http's words.
func request(ctx context.Context, c *fiber.Ctx) (*http.Request, error) {
	in := c.Request()
	uri := string(in.Header.RequestURI())
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return nil, err
	}
	body := bytes.Clone(in.Body())
	r := &http.Request{
		Method: string(in.Header.Method()), URL: u, RequestURI: uri, Host: string(in.Header.Host()),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		RemoteAddr: c.Context().RemoteAddr().String(), TLS: c.Context().TLSConnectionState(),
	}
	in.Header.VisitAll(func(name, v []byte) {
		if string(name) != "Host" {
			r.Header.Add(string(name), string(v))
		}
	})
	return r.WithContext(ctx), nil
}

// answer is the http.ResponseWriter of a mounted handler.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is the header to be sent.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader fixes the status; the first call counts.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

// Write adds to the body.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
