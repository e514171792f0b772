package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"time"

	"github.com/gofiber/fiber/v2"

	"farthing/gateway/flow"
	"farthing/providers"
)

// handle is the way of one request: copy in, call, write out.
func (s *Server) handle(e endpoint, h flow.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		cn := connOf(c.Context().Conn())
		ctx, cancel := context.WithCancelCause(context.Background())
		if !cn.begin(cancel) {
			cancel(errLeft)
			s.fail(c, errLeft)
			return nil
		}
		reply, err := s.call(ctx, c, &e, cn, h)
		if err == nil && reply.Stream != nil {
			s.stream(c, reply, cn, cancel)
			return nil
		}
		cn.end()
		cancel(errAnswered)
		var r *refusal
		switch {
		case errors.As(err, &r):
			s.refuse(c, r.status, r.err)
		case err != nil:
			s.fail(c, err)
		default:
			whole(c, reply)
		}
		return nil
	}
}

// call runs the handler. A panic in it is an internal error, not the end of the
// process.
func (s *Server) call(ctx context.Context, c *fiber.Ctx, e *endpoint, cn *conn, h flow.Handler) (reply *flow.Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			reply, err = nil, s.panicked(p)
		}
	}()
	in, err := s.inbound(c, e, cn)
	if err != nil {
		return nil, err
	}
	reply, err = h(ctx, in)
	if err == nil && reply == nil {
		err = errors.New("edge: the handler gave neither a reply nor an error")
	}
	return reply, err
}

// panicked logs a panic and makes the error that stands for it.
func (s *Server) panicked(p any) error {
	s.o.Log.Error("panic in a handler", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return &providers.Error{Kind: providers.Internal, Message: "internal error", Cause: fmt.Errorf("panic: %v", p)}
}

// Open opens the configured listeners, which Run serves. ctx bounds only the
// opening.
func (s *Server) Open(ctx context.Context) (err error) {
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}}
	if s.dataAt, err = lc.Listen(ctx, "tcp", s.o.Listen); err != nil || s.admin == s.data {
		return err
	}
	if s.adminAt, err = lc.Listen(ctx, "tcp", s.o.AdminListen); err != nil {
		return errors.Join(err, s.dataAt.Close())
	}
	return nil
}

// Addr is where the data plane and the operations surface listen; they are the
// same unless the latter has a listener of its own.
func (s *Server) Addr() (data, operations string) {
	data = s.dataAt.Addr().String()
	if s.adminAt == nil {
		return data, data
	}
	return data, s.adminAt.Addr().String()
}

// Run serves the opened listeners until Shutdown (nil) or a failure.
func (s *Server) Run() error {
	if s.adminAt == nil {
		return s.Serve(s.dataAt)
	}
	failed := make(chan error, 2)
	go func() { failed <- s.ServeAdmin(s.adminAt) }()
	go func() { failed <- s.Serve(s.dataAt) }()
	err := <-failed
	if err != nil { // the other one must not stay alone
		err = errors.Join(err, s.adminAt.Close(), s.dataAt.Close())
	}
	return errors.Join(err, <-failed)
}

// Serve serves the data plane, and the operations surface if it has no listener
// of its own, until Shutdown (nil) or a failure.
func (s *Server) Serve(ln net.Listener) error { return s.serve(s.data, ln) }

// ServeAdmin serves the operations surface on its own listener.
func (s *Server) ServeAdmin(ln net.Listener) error { return s.serve(s.admin, ln) }

func (s *Server) serve(app *fiber.App, ln net.Listener) error {
	ln = &listener{ln, s.conns}
	if s.o.TLSCert != "" || s.o.TLSKey != "" {
		cert, err := tls.LoadX509KeyPair(s.o.TLSCert, s.o.TLSKey)
		if err != nil {
			return errors.Join(fmt.Errorf("server.tls: %w", err), ln.Close())
		}
		ln = tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	return app.Listener(ln)
}

// Shutdown stops accepting and waits for the requests under way until ctx ends.
// What is then left is cancelled with a cause of kind Unavailable, given a second
// to say goodbye, and cut; the error is then ctx's. The server cannot be used again.
func (s *Server) Shutdown(ctx context.Context) error {
	done := make(chan error, 2)
	apps := 1
	go func() { done <- s.data.ShutdownWithContext(ctx) }()
	if s.admin != s.data {
		apps++
		go func() { done <- s.admin.ShutdownWithContext(ctx) }()
	}
	var err error
	for range apps {
		err = errors.Join(err, <-done)
	}
	if ctx.Err() != nil {
		s.cut()
	}
	s.conns.close()
	return err
}

// cut cancels what is under way and waits a second for it to end.
func (s *Server) cut() {
	late := time.NewTimer(time.Second)
	defer late.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for busy := true; busy; {
		busy = false
		for _, c := range s.conns.all() {
			busy = c.cut(errShutdown) || busy
		}
		select {
		case <-late.C:
			return
		case <-tick.C:
		}
	}
}
