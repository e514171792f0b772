// Package edge is where HTTP ends: the only package that knows fiber.
//
// A request is copied in once, as a flow.Inbound that refers to no buffer of the
// server, and handed to the flow.Handler of its endpoint. What comes back is
// written out whole or pulled as a stream. Errors become statuses by the one
// table in errors.go. Nothing of fiber leaves this package.
//
// The files, in the order in which a request meets them: conn.go accepts and
// counts connections, package leave notices when a client goes, inbound.go
// copies in, serve.go calls the handler, reply.go and stream.go write
// out. mount.go carries the operations surface (admin API, metrics, dashboard),
// which is written against net/http's types.
package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"farthing/gateway/flow"
	"farthing/providers"
)

// Options make a Server. Zero figures mean the defaults given here.
type Options struct {
	Listen      string // host:port of the data plane, for Open
	AdminListen string // host:port of the operations surface; "" means the data plane's
	TLSCert     string // PEM files of all listeners; both or none
	TLSKey      string
	Handlers    map[string]flow.Handler // by endpoint: chat.completions, models, receipts, feedback

	// LoopbackOnly says that every listener of the process is loopback. Only
	// then can a request be Local.
	LoopbackOnly bool

	Ready func(context.Context) error // nil error: a target is usable and the store reachable
	Log   *slog.Logger                // default slog.Default()

	BodyLimit int           // of a request, packed or unpacked: 32 MiB
	MaxConns  int           // connections at a time, all listeners together: 16,384
	Heartbeat time.Duration // silence in a stream before a comment is sent: 15 s
	ReadLimit time.Duration // for a request's header and body to arrive: 2 min
	IdleLimit time.Duration // for a connection between requests: 3 min
	Stall     time.Duration // for a client to take 64 KiB of an answer: 2 min
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Heartbeat, 15*time.Second)
	def(&o.ReadLimit, 2*time.Minute)
	def(&o.IdleLimit, 3*time.Minute)
	def(&o.Stall, 2*time.Minute)
	if o.BodyLimit <= 0 {
		o.BodyLimit = 32 << 20
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 16384
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Server is the gateway's HTTP side.
type Server struct {
	o     Options
	data  *fiber.App
	admin *fiber.App // data itself, unless the operations surface has its own listener
	conns *conns

	dataAt, adminAt net.Listener // once opened; adminAt is nil where they are one
}

// endpoint is a path of the data plane.
type endpoint struct {
	method, path string
	name         string // key of Options.Handlers, and Inbound.Endpoint
	format       providers.Format
}

// endpoints are all paths of the data plane; those without a handler are not found.
var endpoints = []endpoint{
	{fiber.MethodPost, "/v1/chat/completions", "chat.completions", providers.FormatOpenAI},
	{fiber.MethodGet, "/v1/models", "models", providers.FormatOpenAI},
	{fiber.MethodGet, "/v1/receipts/:id", "receipts", providers.FormatOpenAI},
	{fiber.MethodPost, "/v1/feedback", "feedback", providers.FormatOpenAI},
}

// New makes a server that does not listen yet. It fails for a handler whose
// endpoint does not exist, and if the system gives no poller.
func New(o Options) (*Server, error) {
	o = o.withDefaults()
	cs, err := newConns(o)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, conns: cs}
	s.data = s.newApp()
	s.admin = s.data
	if o.AdminListen != "" {
		s.admin = s.newApp()
		s.operations(s.admin)
	}
	s.operations(s.data)
	known := map[string]bool{}
	for _, e := range endpoints {
		known[e.name] = true
		if h := o.Handlers[e.name]; h != nil {
			s.data.Add(e.method, e.path, s.handle(e, h))
		}
	}
	for name := range o.Handlers {
		if !known[name] {
			cs.close()
			return nil, fmt.Errorf("edge: no endpoint is called %q", name)
		}
	}
	// Codex tries a WebSocket here first. This status makes it fall back at
	// once, 404 or 405 after five tries.
	s.data.Get("/v1/responses", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderUpgrade, "HTTP/1.1")
		s.refuse(c, fiber.StatusUpgradeRequired, &providers.Error{
			Kind: providers.Invalid, Code: "websocket_not_supported",
			Message: "WebSockets are not spoken here: send the request by POST",
		})
		return nil
	})
	return s, nil
}

// newApp makes a fiber app. Its WriteTimeout stays 0, since it would cut
// streams: conn bounds each write instead. ReadTimeout starts anew with every
// request and does not touch an answer.
func (s *Server) newApp() *fiber.App {
	app := fiber.New(fiber.Config{
		DisableStartupMessage:        true,
		CaseSensitive:                true,
		BodyLimit:                    s.o.BodyLimit,
		Concurrency:                  s.o.MaxConns + 1024, // conns refuses first, in words
		ReadBufferSize:               16 << 10,
		ReadTimeout:                  s.o.ReadLimit,
		IdleTimeout:                  s.o.IdleLimit,
		DisablePreParseMultipartForm: true, // it would write files
		ErrorHandler:                 s.unserved,
	})
	app.Server().CloseOnShutdown = true
	return app
}

// operations adds what every listener answers about the process.
func (s *Server) operations(app *fiber.App) {
	app.Get("/healthz", func(c *fiber.Ctx) error { return c.SendString("ok\n") })
	app.Get("/readyz", func(c *fiber.Ctx) error {
		if s.o.Ready == nil {
			return c.SendString("ready\n")
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := s.o.Ready(ctx); err != nil {
			return c.Status(fiber.StatusServiceUnavailable).SendString("not ready: " + err.Error() + "\n")
		}
		return c.SendString("ready\n")
	})
}

// unserved answers what no handler could: paths and methods that do not exist,
// requests that the server could not read.
func (s *Server) unserved(c *fiber.Ctx, err error) error {
	status, kind, message := fiber.StatusInternalServerError, providers.Internal, "internal error"
	var fe *fiber.Error
	if errors.As(err, &fe) {
		status, kind, message = fe.Code, providers.Invalid, fe.Message
	}
	code := ""
	switch status {
	case fiber.StatusNotFound:
		kind, code = providers.NotFound, "unknown_url"
		message = fmt.Sprintf("unknown path: %s %s", strings.Clone(c.Method()), strings.ToValidUTF8(c.Path(), "?"))
	case fiber.StatusMethodNotAllowed:
		code, message = "method_not_allowed", "this path does not take "+strings.Clone(c.Method())
	case fiber.StatusRequestEntityTooLarge:
		kind, message = providers.TooLarge, tooLarge(s.o.BodyLimit)
	case fiber.StatusRequestTimeout:
		code, message = "request_timeout", fmt.Sprintf("the request did not arrive within %v", s.o.ReadLimit)
	case fiber.StatusRequestHeaderFieldsTooLarge:
		code, message = "header_too_large", "the request's headers are longer than 16 KiB"
	case fiber.StatusBadRequest, fiber.StatusBadGateway:
		status, message = fiber.StatusBadRequest, "the request is not valid HTTP"
	case fiber.StatusInternalServerError:
		s.o.Log.Error("request failed in the server", "error", err)
	}
	if cn := connOf(c.Context().Conn()); cn != nil && status != fiber.StatusNotFound && status != fiber.StatusMethodNotAllowed {
		cn.linger.Store(true) // the server closes now, and the client may still be sending what is not read
	}
	s.refuse(c, status, &providers.Error{Kind: kind, Code: code, Message: message})
	return nil
}

func tooLarge(limit int) string {
	return fmt.Sprintf("the request's body is longer than %d bytes", limit)
}
