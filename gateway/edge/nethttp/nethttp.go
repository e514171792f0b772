// Package nethttp lets a net/http handler serve a request of the edge's server:
// Request copies it in net/http's words, Answer collects what the handler
// writes. fiber's own adaptor is not used, since its requests share the server's
// buffers.
package nethttp

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/gofiber/fiber/v2"
)

// Request is a copy of the request that the handler may keep. The error is that
// of a path that is no URL.
func Request(ctx context.Context, c *fiber.Ctx) (*http.Request, error) {
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

// Answer is the http.ResponseWriter of a handler. Its zero value is empty.
type Answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is the header to be sent.
func (a *Answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

// WriteHeader fixes the status; the first call counts.
func (a *Answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

// Write adds to the body.
func (a *Answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// Finish gives what the handler has written, with what it left to defaults. The
// content type stands in the header like any other.
func (a *Answer) Finish() (status int, header http.Header, body []byte) {
	a.WriteHeader(http.StatusOK)
	if a.Header().Get("Content-Type") == "" && a.body.Len() > 0 {
		a.header.Set("Content-Type", http.DetectContentType(a.body.Bytes()))
	}
	return a.status, a.header, a.body.Bytes()
}
