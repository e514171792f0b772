package flow

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/policies/estimate"
	"farthing/policies/key"
	"farthing/providers/catalog"
)

// TestPanicEndsCall has a bug strike in a request: the panic goes on to the edge,
// and the call is closed all the same, so that a stop does not wait for it.
func TestPanicEndsCall(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	tel, err := telemetry.New(t.Context(), "", "test")
	if err != nil {
		t.Fatal(err)
	}
	recorder, err := record.NewRecorder(nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	f := New(Parts{
		Keys: key.NewRing(nil, key.File{Local: &key.Key{Name: key.LocalName}}, time.Now, logger), Estimator: estimate.New(),
		Recorder: recorder, Telemetry: tel, Log: logger,
	}, &State{Book: catalog.Embedded(), Zone: time.UTC, Open: true}) // without names: the bug
	in := &Inbound{Local: true, Received: time.Now(), Body: []byte(`{"model":"auto","messages":[{"role":"user","content":"Hello"}]}`)}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = f.Chat(t.Context(), in)
	}()
	drained := make(chan struct{})
	go func() {
		f.Drain(context.Background())
		close(drained)
	}()
	select {
	case <-drained:
	case <-time.After(10 * time.Second):
		t.Fatal("the call is still open")
	}
	if !strings.Contains(log.String(), "kind=internal") {
		t.Errorf("the log has nothing of it: %q", log.String())
	}
}
