package send

import (
	"context"
	"errors"
	"testing"
	"time"

	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/localengine/capacity"
	"farthing/providers"
	"farthing/providers/sse"
)

// attempted makes an attempt at an engine with one place, and says how it is
// settled and how its stream ends.
func attempted(t *testing.T) (a *Attempt, settled chan record.Attempt, ended chan error) {
	t.Helper()
	tel, err := telemetry.New(t.Context(), "", "test")
	if err != nil {
		t.Fatal(err)
	}
	settled, ended = make(chan record.Attempt, 2), make(chan error, 2)
	conn := &Conn{CancelStopsBilling: providers.Unknown, Gate: capacity.NewGate("engine", 1, 1)}
	return New(&Parts{Telemetry: tel, Shutdown: t.Context()}, Order{
		ID: "1", Conn: conn, Target: &providers.Target{Name: "engine/model", Provider: "engine"}, Brief: &providers.Brief{},
		Settled: func(at record.Attempt) { settled <- at },
		Ended:   func(err error) []byte { ended <- err; return nil },
	}), settled, ended
}

// TestPanicSettles has a bug strike while an attempt is sent: it is settled, its
// place at the engine is free, and the panic goes on to whoever answers it.
func TestPanicSettles(t *testing.T) {
	a, settled, _ := attempted(t)
	a.Conn.Client = nil // the bug
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = a.Send(t.Context())
	}()
	if inside, _ := a.Conn.Gate.Load(); inside != 0 || len(settled) != 1 {
		t.Fatalf("%d places are taken, settled %d times", inside, len(settled))
	}
	if at := <-settled; at.Outcome != "internal" || at.UsageSource != providers.UsageEstimated {
		t.Errorf("settled as %+v", at)
	}
}

// bug is a body that panics when it is read.
type bug struct{}

func (bug) Read([]byte) (int, error) { panic("a bug") }
func (bug) Close() error             { return nil }

// TestPanicWhileDrained has a bug strike where nobody but the stream itself could
// catch it, after the client has left.
func TestPanicWhileDrained(t *testing.T) {
	a, settled, ended := attempted(t)
	a.detach(t.Context())
	s := &stream{attempt: a, ctx: t.Context(), body: bug{}, frames: sse.NewReader(bug{}, 0)}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if providers.AsError(err).Kind != providers.Internal || len(settled) != 1 {
			t.Errorf("ended with %v, settled %d times", err, len(settled))
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the stream does not end")
	}
}

// TestWhyEnded tells a client that left from a gateway that goes, which waits for
// no answer's end.
func TestWhyEnded(t *testing.T) {
	for _, c := range []struct {
		name  string
		cause error
		kind  providers.Kind
		waits bool
	}{
		{"the client left", &providers.Error{Kind: providers.Canceled, Message: "left"}, providers.Canceled, true},
		{"the stream was closed early", errors.New("answered"), providers.Canceled, true},
		{"the gateway stops", &providers.Error{Kind: providers.Unavailable, Message: "stopping"}, providers.Unavailable, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _, _ := attempted(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			up := a.detach(ctx)
			defer a.release()
			broke := errors.New("the connection broke")
			cancel(c.cause)
			if err := a.blame(ctx, broke); providers.AsError(err).Kind != c.kind || !errors.Is(err, broke) {
				t.Errorf("blamed %v", err)
			}
			a.gone(ctx)
			if waits := up.Err() == nil; waits != c.waits {
				t.Errorf("waits for the answer's end: %t, want %t", waits, c.waits)
			}
		})
	}
}
