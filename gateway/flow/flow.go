package flow

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/policies/estimate"
	"farthing/policies/key"
	"farthing/policies/ledger"
	"farthing/providers"
)

// drainLimit bounds how long the answer of a client that has left is read to
// its end, where breaking it off would not stop its billing.
const drainLimit = 30 * time.Second

// maxAnswer bounds an answer that is not streamed.
const maxAnswer = 64 << 20

// Flow serves requests. It is made once; what a file says is in its State.
type Flow struct {
	state     atomic.Pointer[State]
	keys      *key.Ring
	estimator *estimate.Estimator
	ledger    *ledger.Ledger
	recorder  *record.Recorder
	telemetry *telemetry.Telemetry
	log       *slog.Logger
	adminKey  string

	running  sync.WaitGroup // calls that are not settled yet
	shutdown context.Context
	cutOff   context.CancelFunc // ends every attempt: the shutdown's last resort
}

// Parts are what a Flow is made of.
type Parts struct {
	Keys      *key.Ring
	Estimator *estimate.Estimator
	Ledger    *ledger.Ledger
	Recorder  *record.Recorder
	Telemetry *telemetry.Telemetry
	Log       *slog.Logger
	AdminKey  string // may read every receipt
}

// New makes a Flow that serves state.
func New(p Parts, state *State) *Flow {
	f := &Flow{keys: p.Keys, estimator: p.Estimator, ledger: p.Ledger, recorder: p.Recorder, telemetry: p.Telemetry, log: p.Log, adminKey: p.AdminKey}
	f.shutdown, f.cutOff = context.WithCancel(context.Background())
	f.state.Store(state)
	return f
}

// Load makes state serve from now on. Requests on their way keep theirs.
func (f *Flow) Load(state *State) { f.state.Store(state) }

// State is what serves now.
func (f *Flow) State() *State { return f.state.Load() }

// Drain waits until every request has ended and is settled. When ctx ends
// first, the attempts still running are cut off, settled as such, and waited
// for.
func (f *Flow) Drain(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		f.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		f.cutOff()
		<-done
	}
	f.cutOff()
}

// unavailable is the answer to what nothing can serve now.
func unavailable(message string) *providers.Error {
	return &providers.Error{Kind: providers.Unavailable, Message: message}
}
