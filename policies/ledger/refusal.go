package ledger

import (
	"context"
	"math"
	"slices"
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger/core"
	"farthing/policies/ledger/place"
	"farthing/providers"
)

// Why a hold was refused.
const (
	OverBudget  = "over_budget"  // no offer fits into what is left
	StoreDown   = "store_down"   // the store does not answer, or is in a recovery
	StoreBehind = "store_behind" // the store lacks settlements that are no longer kept here: closed until a restart
	Canceled    = "canceled"     // the client left
	Closing     = "closing"      // the gateway is stopping
	NoOffer     = "no_offer"     // there was nothing to choose from
)

// Refusal says why no offer could be held. The figures are those of one limit,
// the one to wait for: among the offers the one that can fit again soonest, and
// of its spent limits the one that resets last. They are zero unless Reason is
// OverBudget.
type Refusal struct {
	Reason      string
	Node        *budget.Node
	Limit       providers.Money
	Spent       providers.Money
	Held        providers.Money // by live replicas
	Unconfirmed providers.Money // by replicas that do not call
	Left        providers.Money
	Need        providers.Money // the least acceptable hold
	Window      string          // the window's label
	Resets      time.Time       // zero: never

	Nodes     []*budget.Node   // every node that was spent, on any offer
	WhenSpent budget.WhenSpent // the strictest of theirs: refuse before a model before self_hosted

	cell core.Cell
}

// refusal explains a grant that was none.
func (a *ask) refusal(g *core.Grant) *Refusal {
	r := &Refusal{Reason: OverBudget}
	best := int64(math.MaxInt64)
	for i, path := range g.Tried {
		need := providers.Money(a.draws[i].Need)
		last, end := -1, int64(-1)
		for j, p := range a.drawn[i].places {
			if !p.Enforced() || p.Left(path[j]) >= need {
				continue
			}
			r.add(p.Node)
			if w := a.window(i, j, path[j]); w.End > end {
				last, end = j, w.End
			}
		}
		if last >= 0 && (end < best || r.Node == nil) {
			best = end
			r.show(a.drawn[i].places[last], a.window(i, last, path[last]), path[last], need)
		}
	}
	return r
}

// add takes a spent node into account.
func (r *Refusal) add(n *budget.Node) {
	if slices.Contains(r.Nodes, n) {
		return
	}
	r.Nodes = append(r.Nodes, n)
	r.WhenSpent = budget.Strictest([]budget.WhenSpent{r.WhenSpent, n.WhenSpent()})
}

// show takes the figures of one limit.
func (r *Refusal) show(p *place.Place, w core.Window, x core.Reading, need providers.Money) {
	_, label := w.Cell.Split()
	r.Node, r.Limit, r.Need = p.Node, p.Limit.Amount, need
	r.Spent, r.Held = providers.Money(x.Settled), providers.Money(x.Has)
	r.Left = max(0, p.Left(x))
	r.Window, r.Resets, r.cell = label, place.EndOf(w), w.Cell
}

// readAt is what was last read of a cell's unconfirmed money.
type readAt struct {
	at          time.Time
	unconfirmed providers.Money
}

const (
	readEvery   = time.Second // for one cell, so that refused clients cannot load the store
	readTimeout = 100 * time.Millisecond
	maxReads    = 1000
)

// confirm splits what is held into what live replicas hold and the rest.
func (l *Ledger) confirm(ctx context.Context, r *Refusal) {
	now := l.clock()
	l.mu.Lock()
	last, known := l.reads[r.cell]
	l.mu.Unlock()
	if !known || now.Sub(last.at) >= readEvery {
		limited, cancel := context.WithTimeout(ctx, readTimeout)
		v, err := l.store.Read(limited, []core.Cell{r.cell})
		cancel()
		last.at = now
		if err == nil {
			last.unconfirmed = providers.Money(v.Cells[0].Unconfirmed)
		}
		l.mu.Lock()
		if len(l.reads) >= maxReads {
			clear(l.reads)
		}
		l.reads[r.cell] = last
		l.mu.Unlock()
	}
	r.Unconfirmed = min(last.unconfirmed, r.Held)
	r.Held -= r.Unconfirmed
}

// tightest is the enforced limit of a path with the least left, when back is
// given back of what was granted there.
func tightest(places []*place.Place, path []core.Reading, back providers.Money) (left providers.Money, node *budget.Node) {
	for i, p := range places {
		if x := p.Left(path[i]) + back; p.Enforced() && (node == nil || x < left) {
			left, node = x, p.Node
		}
	}
	return max(left, 0), node
}
