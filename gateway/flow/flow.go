package flow

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"farthing/gateway/flow/send"
	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/policies/estimate"
	"farthing/policies/key"
	"farthing/policies/ledger"
	"farthing/providers"
)

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

	sends   send.Parts
	running sync.WaitGroup     // calls that are not settled yet
	cutOff  context.CancelFunc // ends every attempt: the shutdown's last resort
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
	shutdown, cutOff := context.WithCancel(context.Background())
	f.cutOff = cutOff
	f.sends = send.Parts{Ledger: p.Ledger, Estimator: p.Estimator, Telemetry: p.Telemetry, Shutdown: shutdown}
	f.state.Store(state)
	return f
}

// Load makes state serve from now on. Requests on their way keep theirs.
func (f *Flow) Load(state *State) { f.state.Store(state) }

// State is what serves now.
func (f *Flow) State() *State { return f.state.Load() }

// cutWithin is how long attempts that were cut off may take to settle.
const cutWithin = 5 * time.Second

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
		select {
		case <-done:
		case <-time.After(cutWithin):
			f.log.Error("requests did not end although they were cut off")
		}
	}
	f.cutOff()
}

// unavailable is the answer to what nothing can serve now.
func unavailable(message string) *providers.Error {
	return &providers.Error{Kind: providers.Unavailable, Message: message}
}
