package ledger

import (
	"context"
	"slices"
	"time"

	"farthing/policies/ledger/core"
)

// Paces of the one conversation with the store.
const (
	heartbeat     = time.Second
	callTimeout   = time.Second
	pollEvery     = 100 * time.Millisecond // while somebody waits for the end of a recovery
	firstRetry    = 20 * time.Millisecond  // after a failure; then twice as long each time
	lastRetry     = time.Second
	placesPerCall = 400 // of all asks that travel together
)

// run makes one call after another until ctx ends, or until all is said: one more
// call then could begin a conversation that nobody ends.
func (l *Ledger) run(ctx context.Context) {
	defer close(l.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		l.mu.Lock()
		if l.allSaid() {
			l.mu.Unlock()
			return
		}
		now := l.clock()
		wait := l.nextCall().Sub(now)
		if wait > 0 {
			l.mu.Unlock()
			timer.Reset(wait)
			select {
			case <-ctx.Done():
			case <-l.wake:
			case <-timer.C:
			}
			continue
		}
		l.lastCall = now
		st := l.r.Next(now, l.board())
		l.mu.Unlock()
		l.talk(ctx, st)
	}
}

// nextCall says when the next call is due.
func (l *Ledger) nextCall() time.Time {
	switch {
	case l.failures > 0 && len(l.asks) > 0:
		return l.lastCall.Add(min(firstRetry<<min(l.failures-1, 10), pollEvery))
	case l.failures > 0:
		return l.lastCall.Add(min(firstRetry<<min(l.failures-1, 10), lastRetry))
	case !l.r.Joined(), len(l.asks) > 0 && l.r.MayDraw():
		return time.Time{}
	}
	due := l.lastCall.Add(heartbeat)
	soonest := func(t time.Time) {
		if t.Before(due) {
			due = t
		}
	}
	if len(l.asks) > 0 {
		soonest(l.lastCall.Add(pollEvery))
	}
	if t, ok := l.r.Due(l.lastCall); ok {
		soonest(t)
	}
	return due
}

// board takes asks into the call that is about to be sent. A store that did not
// answer is first called without any, so that nobody waits for it in vain.
func (l *Ledger) board() []core.Ask {
	l.flying = nil
	if !l.r.MayDraw() || l.down {
		return nil
	}
	var asks []core.Ask
	n, places := 0, 0
	for n < len(l.asks) && places < placesPerCall {
		a := l.asks[n]
		n++
		l.flying = append(l.flying, a)
		asks = append(asks, a.draws)
		for _, d := range a.draws {
			places += len(d.Path)
		}
	}
	l.asks = slices.Delete(l.asks, 0, n)
	return asks
}

// talk sends a step and takes what comes of it.
func (l *Ledger) talk(ctx context.Context, st core.Step) {
	sent := l.clock()
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	answer, err := l.store.Step(limited, st)
	cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Calls++
	now := l.clock()
	if err != nil {
		l.failed(&st)
		l.noteQuiet()
		return
	}
	l.down, l.failures = false, 0
	l.offset = time.UnixMilli(answer.Now).Sub(sent.Add(now.Sub(sent) / 2))
	l.r.Answer(now, &st, &answer)
	if answer.Status != core.OK {
		l.failures++ // not down, but no reason to hurry in a circle
		l.again()
	} else {
		l.hand(&answer)
	}
	if doubt := l.r.Doubt(); doubt != 0 && l.waiting != doubt {
		l.waiting = doubt
		go l.awaitDurable(ctx, doubt)
	}
	l.noteReady()
	l.noteQuiet()
}

// noteReady is called whenever draws may have become possible. An outage is over
// when they are: what was held meanwhile is known to the store then.
func (l *Ledger) noteReady() {
	if !l.r.MayDraw() {
		return
	}
	if l.spare != 0 {
		l.outage++
		l.spare = 0
	}
	select {
	case <-l.ready:
	default:
		close(l.ready)
	}
}

// hand gives the asks of a call their grants. A call that could not grant
// anything puts them back.
func (l *Ledger) hand(answer *core.Answer) {
	if len(answer.Grants) != len(l.flying) {
		l.again()
		return
	}
	at := time.UnixMilli(answer.Now).UTC()
	flying := l.flying
	l.flying = nil
	for i, a := range flying {
		l.deliver(a, &answer.Grants[i], at)
	}
}

// failed takes note that a step was not answered.
func (l *Ledger) failed(st *core.Step) {
	l.stats.CallErrors++
	l.down = true
	l.failures++
	l.r.Unanswered(st)
	l.again()
}

// again puts the asks of a call back at the head of the queue, but for those
// that have waited long enough and those that nobody waits for.
func (l *Ledger) again() {
	flying := l.flying
	l.flying = nil
	kept := make([]*ask, 0, len(flying)+len(l.asks))
	for _, a := range flying {
		if !a.expiry && !a.left {
			kept = append(kept, a)
		}
	}
	l.asks = append(kept, l.asks...)
	for _, a := range flying {
		if a.expiry {
			l.settleDown(a)
		}
	}
}

// awaitDurable lets draws begin once what was answered is durable.
func (l *Ledger) awaitDurable(ctx context.Context, doubt int) {
	err := l.store.Durable(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.waiting = 0 // the next answered call tries again
		return
	}
	l.r.Durable(doubt)
	l.noteReady()
	l.nudge()
}
