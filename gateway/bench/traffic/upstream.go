package traffic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What the upstream has: two models, of which one streams its events as people
// see them come, one for each Pace, and the other as fast as they go. Whole
// answers are the same of both.
const (
	Paced = "paced"
	Fast  = "fast"

	Events = 200
	Pace   = 2 * time.Millisecond
)

// patience bounds the wait for anything that comes at once.
const patience = 20 * time.Second

var (
	wholeAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1760000000,"model":"fast","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("The smaller model answers this as well. ", 10) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":500,"completion_tokens":81,"total_tokens":581}}`

	// An event carries the upstream's clock as its text.
	eventHead = []byte(`data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"fast","choices":[{"index":0,"delta":{"content":"`)
	eventTail = []byte(` "},"finish_reason":null}]}` + "\n\n")
	lastEvent = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"fast","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	usage     = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"fast","choices":[],"usage":{"prompt_tokens":500,"completion_tokens":2000,"total_tokens":2500}}` + "\n\n"
	done      = "data: [DONE]\n\n"
)

// ServeUpstream answers on net/http until ctx ends.
func ServeUpstream(ctx context.Context, serving func(address string)) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("the upstream cannot listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", complete)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	serving(listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// complete answers a chat completion.
func complete(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // nobody is there to be told
	}
	if bytes.Contains(body, []byte(`"stream":true`)) {
		stream(w, bytes.Contains(body, []byte(`"`+Paced+`"`)), bytes.Contains(body, []byte("include_usage")))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, wholeAnswer)
}

// stream sends every event by itself, as providers do.
func stream(w http.ResponseWriter, paced, withUsage bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	flusher := http.NewResponseController(w)
	var pace <-chan time.Time
	if paced {
		ticker := time.NewTicker(Pace)
		defer ticker.Stop()
		pace = ticker.C
	}
	var event []byte
	for i := range Events {
		if paced && i > 0 {
			<-pace
		}
		event = append(event[:0], eventHead...)
		event = strconv.AppendInt(event, time.Now().UnixNano(), 10)
		event = append(event, eventTail...)
		if _, err := w.Write(event); err != nil || flusher.Flush() != nil {
			return // the client has gone
		}
	}
	_, _ = io.WriteString(w, lastEvent)
	if withUsage {
		_, _ = io.WriteString(w, usage)
	}
	_, _ = io.WriteString(w, done)
}
