package ledger

import (
	"context"
	"strconv"
	"sync"
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger/core"
	"farthing/policies/ledger/place"
	"farthing/policies/ledger/replica"
	"farthing/providers"
)

// Store is the durable record that a ledger draws from.
type Store interface {
	// Step carries out one step of the protocol. After an error it is unknown
	// whether it was carried out, and it may be carried out yet.
	Step(ctx context.Context, st core.Step) (core.Answer, error)
	// Read shows the counters of some cells, all at one moment.
	Read(ctx context.Context, cells []core.Cell) (core.View, error)
	// Cells lists the cells of the nodes <budget>/… in the window with this
	// label that were ever charged, in no set order.
	Cells(ctx context.Context, budget, label string) ([]core.Cell, error)
	// Durable returns when what was answered before is as durable as the store
	// makes it.
	Durable(ctx context.Context) error
}

// Options are a ledger's settings.
type Options struct {
	Zone    *time.Location  // of the budgets' windows; nil: UTC
	Offline providers.Money // what may be held while the store is down (ParseWhenDown); 0: nothing
	Clock   func() time.Time
}

// Ledger makes holds and settles them. It is safe for concurrent use.
type Ledger struct {
	store   Store
	offline providers.Money
	clock   func() time.Time
	wake    chan struct{} // a note to the loop that there is something to do
	done    chan struct{} // closed when the loop has ended
	stop    context.CancelFunc

	mu       sync.Mutex
	r        *replica.Replica
	windows  *place.Windows
	offset   time.Duration // the store's clock less ours
	asks     []*ask        // waiting for the next call
	flying   []*ask        // in the call on its way
	down     bool          // the last step was not answered
	failures int           // in a row
	lastCall time.Time
	waiting  int             // the doubt whose durability is being waited for
	outage   int             // number of the present or next outage, from 1
	spare    providers.Money // what was held or spent of its allowance
	open     int             // holds not settled
	openSum  providers.Money
	serial   int64
	closing  bool
	ready    chan struct{} // closed when draws may begin for the first time
	quiet    chan struct{} // closed when the ledger is closing and all is settled and booked
	stats    Stats
	reads    map[core.Cell]readAt
}

// New makes a ledger on a store and starts talking to it. Close ends it.
func New(store Store, o Options) *Ledger {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &Ledger{
		store: store, offline: o.Offline, clock: o.Clock, stop: stop,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		ready: make(chan struct{}), quiet: make(chan struct{}), outage: 1,
		r: replica.New(), windows: place.New(o.Zone), reads: map[core.Cell]readAt{},
	}
	l.stats.WouldRefuse = map[string]int64{}
	go l.run(ctx)
	return l
}

// Hold sets money aside for the first of the offers that fits. An offer that
// costs nothing or charges no budget always fits, whatever the store does. now
// is the caller's clock; windows go by the store's.
func (l *Ledger) Hold(ctx context.Context, now time.Time, offers []Offer) (*Hold, *Refusal) {
	l.mu.Lock()
	a := l.newAsk(now, offers)
	switch {
	case l.closing:
		l.mu.Unlock()
		return nil, &Refusal{Reason: Closing}
	case len(a.draws) == 0 && a.free < 0:
		l.mu.Unlock()
		return nil, &Refusal{Reason: NoOffer}
	case len(a.draws) == 0:
		h := l.holdFree(now, a)
		l.mu.Unlock()
		return h, nil
	}
	l.asks = append(l.asks, a)
	l.mu.Unlock()
	l.nudge()
	return l.wait(ctx, a)
}

// Settle books what an attempt was billed and gives the rest of its hold back.
// It is queued and never fails; a second call for the same hold is counted and
// otherwise ignored. A bill above the hold is charged in full.
func (l *Ledger) Settle(h *Hold, c Cost) {
	if h.settled.Swap(true) {
		l.mu.Lock()
		l.stats.SettledTwice++
		l.mu.Unlock()
		return
	}
	l.mu.Lock()
	cost := max(c.Amount, 0)
	held := h.Amount
	if len(h.cells) == 0 && cost > 0 {
		held = 0 // a free offer was billed after all
		h.cells = l.cellsOf(h.nodes, h.At)
	}
	for _, name := range h.cells {
		l.r.Settle(name, int64(held), int64(cost))
	}
	if h.outage == l.outage {
		l.spare += cost - h.Amount
	}
	l.count(h, cost, c.Source)
	l.noteQuiet()
	l.mu.Unlock()
	l.nudge()
}

// count keeps the figures of a settlement.
func (l *Ledger) count(h *Hold, cost providers.Money, source providers.UsageSource) {
	l.open--
	l.openSum -= h.Amount
	l.stats.Settled++
	l.stats.SettledSum += cost
	if source == providers.UsageEstimated || source == providers.UsageLost {
		l.stats.Estimated++
	}
	if cost > h.Amount {
		l.stats.Overruns++
		l.stats.OverrunSum += cost - h.Amount
	}
}

// nudge tells the loop that there is something to do.
func (l *Ledger) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// storeTime is the store's time as far as it is known here.
func (l *Ledger) storeTime(now time.Time) time.Time { return now.Add(l.offset) }

// cellsOf finds the cells of some nodes' windows at a time of the store.
func (l *Ledger) cellsOf(nodes []*budget.Node, at time.Time) []core.Cell {
	var list []core.Cell
	for _, n := range nodes {
		for _, p := range l.windows.Of(n, at) {
			w, _ := p.Present()
			list = append(list, w.Cell)
		}
	}
	return list
}

// newHold makes a hold whose cells already carry the money.
func (l *Ledger) newHold(a *ask, offer int, amount providers.Money, at time.Time) *Hold {
	o := &a.offers[offer]
	l.serial++
	l.open++
	l.openSum += amount
	l.stats.Holds++
	h := &Hold{
		ID: l.r.Name() + "-" + strconv.FormatInt(l.serial, 36), Offer: offer, Output: o.output(amount),
		Amount: amount, At: at, nodes: o.Nodes,
	}
	h.Clamped = h.Output < o.MaxOutput
	return h
}

// holdFree takes the ask's offer that needs no money.
func (l *Ledger) holdFree(now time.Time, a *ask) *Hold {
	o := &a.offers[a.free]
	h := l.newHold(a, a.free, o.cost(o.MaxOutput), l.storeTime(now))
	h.Output, h.Clamped = o.MaxOutput, false
	return h
}
