//go:build cgo

package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"farthing/localengine/embedded/wire"
)

// Bounds of the server.
const (
	maxChatBody     = 8 << 20
	maxTokenizeBody = 1 << 20 // encoding takes some hundred bytes of memory for each byte of text
	maxTokenizing   = 8       // requests
	bodyTimeout     = 30 * time.Second
	drainTimeout    = 30 * time.Second
)

// ErrParentGone is what Serve returns when Options.ParentPipe has ended.
var ErrParentGone = errors.New("the parent process has gone")

var errStopping = errors.New("the engine is being stopped")

// server is the engine behind HTTP.
type server struct {
	engine     atomic.Pointer[engine] // nil while the model loads
	queue      *queue
	tokenizing chan struct{}
	meter      *meter
	fatal      chan error
}

// Serve listens, loads the model and answers until ctx ends; then it takes no
// more requests, lets those it has finish for up to 30 seconds, and returns
// nil. It returns an error when it cannot listen or load, when the engine
// fails in a way that only a new process mends, and ErrParentGone.
//
// There is no authentication: the server is meant for loopback, behind the
// gateway. Serve and the library under it log through slog's default logger.
// Serve may be called again after it has returned.
func Serve(ctx context.Context, o Options) error {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cmp.Or(o.Listen, "127.0.0.1:0"))
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if a, ok := ln.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		slog.Warn("the engine asks nobody for a key and is reachable from other machines", "listen", a.String())
	}
	s := newServer(o)
	base, cancel := context.WithCancelCause(context.Background())
	defer cancel(errStopping)
	h := &http.Server{
		Handler:           s.routes(),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(ln) }()
	loaded := make(chan error, 1)
	go func() { loaded <- s.load(base, o, ln.Addr().String()) }()

	err = s.wait(ctx, o.ParentPipe, served, loaded)
	return errors.Join(err, s.stop(h, cancel, loaded, err == nil))
}

func newServer(o Options) *server {
	m := &meter{}
	return &server{
		queue:      newQueue(max(0, cmp.Or(o.Queue, DefaultQueue)), m),
		tokenizing: make(chan struct{}, maxTokenizing),
		meter:      m,
		fatal:      make(chan error, 1),
	}
}

// load makes the model ready and says so.
func (s *server) load(ctx context.Context, o Options, addr string) error {
	e, err := load(ctx, o)
	if err != nil {
		return err
	}
	e.meter = s.meter
	s.engine.Store(e)
	if o.Ready != nil {
		o.Ready(addr, e.name)
	}
	return nil
}

// wait returns nil when ctx ends and else why the server cannot go on. It puts
// load's result back for stop to take.
func (s *server) wait(ctx context.Context, parent io.Reader, served <-chan error, loaded chan error) error {
	orphaned := make(chan struct{})
	if parent != nil {
		go func() {
			_, _ = io.Copy(io.Discard, parent) // any end of it means the same
			close(orphaned)
		}()
	}
	loading := loaded
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-orphaned:
			return ErrParentGone
		case err := <-served:
			return fmt.Errorf("engine: %w", err)
		case err := <-s.fatal:
			return err
		case err := <-loading:
			loaded <- err
			if loading = nil; err != nil {
				return fmt.Errorf("engine: %w", err)
			}
		}
	}
}

// stop ends the server, gently if there is a reason to, and frees the model
// once no handler can use it.
func (s *server) stop(h *http.Server, cancel context.CancelCauseFunc, loaded <-chan error, drain bool) error {
	if s.engine.Load() == nil || !drain {
		cancel(errStopping)
	}
	err := shutdown(h, drainTimeout)
	if err != nil {
		cancel(errStopping)
		// Requests notice within a step.
		err = shutdown(h, drainTimeout)
	}
	<-loaded // its error, if any, is wait's to tell
	if e := s.engine.Load(); e != nil && err == nil {
		e.close()
	}
	if err != nil {
		return fmt.Errorf("engine: some requests did not end: %w", errors.Join(err, h.Close()))
	}
	return nil
}

func shutdown(h *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return h.Shutdown(ctx)
}

// fail ends Serve with err.
func (s *server) fail(err error) {
	select {
	case s.fatal <- err:
	default: // an earlier failure ends it already
	}
}

// handler answers requests with a loaded engine.
type handler func(http.ResponseWriter, *http.Request, *engine)

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	route := func(method, path string, h handler) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			e := s.engine.Load()
			switch {
			case r.Method != method && (method != http.MethodGet || r.Method != http.MethodHead):
				w.Header().Set("Allow", method)
				(&wire.Error{Status: http.StatusMethodNotAllowed, Kind: "invalid_request_error", Code: "method_not_allowed", Message: path + " takes " + method + " only."}).Write(w)
			case e == nil && path != "/metrics":
				wire.Loading().Write(w)
			default:
				h(w, r, e)
			}
		})
	}
	route(http.MethodPost, "/v1/chat/completions", s.chat)
	route(http.MethodPost, "/tokenize", s.tokenize)
	route(http.MethodGet, "/v1/models", s.models)
	route(http.MethodGet, "/health", func(w http.ResponseWriter, _ *http.Request, _ *engine) {
		wire.WriteJSON(w, map[string]string{"status": "ok"})
	})
	route(http.MethodGet, "/metrics", func(w http.ResponseWriter, _ *http.Request, _ *engine) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		running, waiting := s.queue.counts()
		s.meter.write(w, running, waiting)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		(&wire.Error{Status: http.StatusNotFound, Kind: "invalid_request_error", Code: "not_found", Message: "There is nothing at " + wire.Clip(r.URL.Path) + "."}).Write(w)
	})
	return mux
}

// models answers GET /v1/models.
func (s *server) models(w http.ResponseWriter, _ *http.Request, e *engine) {
	wire.WriteJSON(w, map[string]any{"object": "list", "data": []any{map[string]any{
		"id": e.name, "object": "model", "created": 0, "owned_by": e.owner, "max_model_len": e.context,
	}}})
}

// tokenize answers POST /tokenize: {"content": TEXT} gives {"tokens": [IDS]}.
// Names of special tokens in the text are plain text, as they are in messages.
func (s *server) tokenize(w http.ResponseWriter, r *http.Request, e *engine) {
	select {
	case s.tokenizing <- struct{}{}:
		defer func() { <-s.tokenizing }()
	default:
		wire.QueueFull(maxTokenizing).Write(w)
		return
	}
	body, bad := readBody(w, r, maxTokenizeBody)
	if bad != nil {
		bad.Write(w)
		return
	}
	in := struct {
		Content *string `json:"content"`
	}{}
	if bad = wire.DecodeJSON(body, &in); bad == nil && in.Content == nil {
		bad = wire.Invalid("content", "missing_required_parameter", "content is missing.")
	}
	if bad != nil {
		bad.Write(w)
		return
	}
	ids, err := e.encode(r.Context(), *in.Content)
	if err != nil {
		s.failed(w, nil, err)
		return
	}
	if ids == nil {
		ids = []int32{} // [] and not null
	}
	wire.WriteJSON(w, map[string]any{"tokens": ids})
}

// readBody reads the whole body, at most limit bytes and not longer than
// bodyTimeout.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *wire.Error) {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, &wire.Error{Status: http.StatusUnsupportedMediaType, Kind: "invalid_request_error", Code: "unsupported_encoding", Message: "The request body must not be compressed."}
	}
	ctl := http.NewResponseController(w)
	_ = ctl.SetReadDeadline(time.Now().Add(bodyTimeout)) // cannot fail on net/http's own connections
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	// With a deadline left standing the server would take its passing for the
	// client's leaving.
	_ = ctl.SetReadDeadline(time.Time{})
	if over := (*http.MaxBytesError)(nil); errors.As(err, &over) {
		return nil, wire.TooLarge(limit)
	}
	if err != nil {
		return nil, wire.Invalid("", "unreadable_body", "The request body could not be read to its end.")
	}
	return body, nil
}
