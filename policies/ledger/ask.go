package ledger

import (
	"context"
	"slices"
	"time"

	"farthing/policies/ledger/core"
	"farthing/policies/ledger/place"
	"farthing/providers"
)

// retryFor is how long a draw is tried while the store does not answer.
const retryFor = 250 * time.Millisecond

// maxMisdated is how often an ask is dated anew: each answer brings the store's
// time, so once is enough unless a clock jumps at that moment.
const maxMisdated = 4

// ask is a Hold that waits for the store.
type ask struct {
	offers []Offer
	draws  core.Ask
	drawn  []drawn // beside draws
	free   int     // index of the first offer that needs no money, or -1; offers after it are not looked at
	result chan result

	left     bool // nobody waits for it any more
	expiry   bool // it has waited long enough: no further try
	misdated int  // how often the store's time was in neither window
}

// drawn says what a draw stands for.
type drawn struct {
	offer  int
	places []*place.Place
}

type result struct {
	hold    *Hold
	refusal *Refusal
}

// newAsk turns offers into draws, up to the first that needs none.
func (l *Ledger) newAsk(now time.Time, offers []Offer) *ask {
	a := &ask{offers: offers, free: -1, result: make(chan result, 1)}
	l.date(a, now)
	return a
}

// date writes the ask's draws for the windows of a time.
func (l *Ledger) date(a *ask, now time.Time) {
	a.draws, a.drawn = nil, nil // a late call may still be read
	at := l.storeTime(now)
	for i := range a.offers {
		o := &a.offers[i]
		d, mine := o.draw(), drawn{offer: i}
		for _, n := range o.Nodes {
			for _, p := range l.windows.Of(n, at) {
				mine.places = append(mine.places, p)
				d.Path = append(d.Path, p.Wire())
			}
		}
		if len(d.Path) == 0 || d.Full == 0 {
			a.free = i
			return
		}
		a.draws, a.drawn = append(a.draws, d), append(a.drawn, mine)
	}
}

// wait waits for the store's answer, for at most retryFor while there is none to
// be had, and for as long as ctx lasts.
func (l *Ledger) wait(ctx context.Context, a *ask) (*Hold, *Refusal) {
	timer := time.NewTimer(retryFor)
	defer timer.Stop()
	for {
		select {
		case r := <-a.result:
			if r.refusal != nil && r.refusal.Reason == OverBudget {
				l.confirm(ctx, r.refusal)
			}
			return r.hold, r.refusal
		case <-ctx.Done():
			return l.leave(a)
		case <-timer.C:
			if l.expire(a) {
				timer.Reset(retryFor)
			}
		}
	}
}

// leave gives up an ask whose client is gone. What is granted to it later goes
// back; a hold that has come already is the caller's to settle.
func (l *Ledger) leave(a *ask) (*Hold, *Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.left = true
	l.remove(a)
	select {
	case r := <-a.result:
		if r.hold != nil {
			return r.hold, nil
		}
	default:
	}
	return nil, &Refusal{Reason: Canceled}
}

// expire ends an ask that has waited long enough for a store that does not
// answer. It is true if there is reason to wait on.
func (l *Ledger) expire(a *ask) (again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.r.MayDraw() && !l.down {
		return true
	}
	a.expiry = true
	if !slices.Contains(l.flying, a) {
		l.settleDown(a)
	}
	return false
}

// window is the one that the store picked for a place of a draw. It goes by what
// was asked: the place itself may have moved on while the call was on its way.
func (a *ask) window(draw, place int, r core.Reading) core.Window {
	return a.draws[draw].Path[place].Window(r.Next)
}

// remove takes an ask out of the queue.
func (l *Ledger) remove(a *ask) {
	if i := slices.Index(l.asks, a); i >= 0 {
		l.asks = slices.Delete(l.asks, i, i+1)
	}
}

// settleDown answers an ask without the store: with a free offer, out of the
// offline allowance, or with a refusal.
func (l *Ledger) settleDown(a *ask) {
	l.remove(a)
	if a.left {
		return
	}
	now := l.clock()
	if h := l.holdOffline(now, a); h != nil {
		a.result <- result{hold: h}
		return
	}
	if a.free >= 0 {
		a.result <- result{hold: l.holdFree(now, a)}
		return
	}
	l.stats.StoreDown++
	reason := StoreDown
	if l.r.Forgotten() {
		reason = StoreBehind
	}
	a.result <- result{refusal: &Refusal{Reason: reason}}
}

// holdOffline makes a hold that the store learns of later, past any limit: for
// budgets that only warn, or out of this replica's allowance for a store that is
// down.
func (l *Ledger) holdOffline(now time.Time, a *ask) *Hold {
	for i, d := range a.draws {
		full := providers.Money(d.Full)
		warns := true
		for _, p := range a.drawn[i].places {
			warns = warns && !p.Enforced()
		}
		if !warns && l.spare+full > l.offline {
			continue
		}
		at := l.storeTime(now)
		h := l.newHold(a, a.drawn[i].offer, full, at)
		h.cells = l.cellsOf(h.nodes, at)
		for _, name := range h.cells {
			l.r.Hold(name, 0, d.Full)
		}
		if !warns {
			h.outage = l.outage
			l.spare += full
		}
		l.stats.Offline++
		return h
	}
	return nil
}

// deliver hands an ask the store's grant.
func (l *Ledger) deliver(a *ask, g *core.Grant, at time.Time) {
	switch {
	case g.Draw == core.Misdated && (a.left || a.misdated >= maxMisdated):
		l.settleDown(a)
	case g.Draw == core.Misdated:
		a.misdated++
		l.date(a, l.clock())
		l.asks = append(l.asks, a)
	case g.Draw == core.Refused && a.free >= 0 && !a.left:
		a.result <- result{hold: l.holdFree(l.clock(), a)}
	case g.Draw == core.Refused:
		l.stats.Refusals++
		a.result <- result{refusal: a.refusal(g)}
	default:
		l.granted(a, g, at)
	}
}

// granted makes the hold out of a grant, or lets the money go back if nobody
// waits for it.
func (l *Ledger) granted(a *ask, g *core.Grant, at time.Time) {
	mine := a.drawn[g.Draw]
	o := &a.offers[mine.offer]
	granted := providers.Money(g.Nanos)
	amount := min(granted, o.cost(o.output(granted)))
	if a.left {
		amount = 0
	}
	var cells []core.Cell
	for i, p := range mine.places {
		cell := a.window(g.Draw, i, g.Tried[0][i]).Cell
		l.r.Hold(cell, g.Nanos, int64(amount))
		cells = append(cells, cell)
		p.Saw(cell, g.Tried[0][i])
		l.warn(p, g.Tried[0][i])
	}
	if a.left {
		return
	}
	h := l.newHold(a, mine.offer, amount, at)
	h.cells = cells
	h.Left, h.LeftNode = tightest(mine.places, g.Tried[0], granted-amount)
	a.result <- result{hold: h}
}

// warn counts a grant that a budget in mode warn would have refused.
func (l *Ledger) warn(p *place.Place, r core.Reading) {
	if p.Enforced() || p.Left(r) >= 0 {
		return
	}
	name := p.Node.Name
	if _, known := l.stats.WouldRefuse[name]; !known && len(l.stats.WouldRefuse) >= maxWarned {
		name = p.Node.Budget
	}
	l.stats.WouldRefuse[name]++
}
