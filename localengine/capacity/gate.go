// Package capacity owns admission to a self-hosted engine. Engines hardly ever
// refuse: they queue without bound, and everybody waits. So the gateway lets in
// as many requests as the engine serves at once, keeps the rest in a bounded
// queue in order of arrival, and predicts how long a newcomer would wait, which
// is what the decision weighs against the price of a paid target.
package capacity

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"farthing/providers"
)

// Gate admits requests to one engine. Its zero value admits everybody.
type Gate struct {
	name   string
	places int // served at once; 0: no limit, requests are only counted
	queue  int // may wait

	mu       sync.Mutex
	inFlight int
	waiting  list.List     // of chan struct{}: closed when the place is given
	mean     time.Duration // of the service times seen, recent ones counting more
}

// NewGate makes a gate for the engine called name.
func NewGate(name string, places, queue int) *Gate {
	return &Gate{name: name, places: places, queue: queue}
}

// Enter waits for a place for at most maxWait. Whoever enters must call Leave.
// A full queue or a wait in vain is an error of kind Unavailable; a client that
// leaves meanwhile, of kind Canceled.
func (g *Gate) Enter(ctx context.Context, maxWait time.Duration) error {
	g.mu.Lock()
	if g.places == 0 || g.inFlight < g.places {
		g.inFlight++
		g.mu.Unlock()
		return nil
	}
	switch {
	case maxWait <= 0:
		g.mu.Unlock()
		return g.full("no place is free, and nothing waits for one")
	case g.waiting.Len() >= g.queue:
		g.mu.Unlock()
		return g.full("its queue is full")
	}
	place := make(chan struct{})
	turn := g.waiting.PushBack(place)
	g.mu.Unlock()

	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-place:
		return nil
	case <-ctx.Done():
		g.giveUp(turn)
		return &providers.Error{Kind: providers.Canceled, Message: "the client left while waiting for " + g.name, Cause: ctx.Err()}
	case <-timer.C:
		g.giveUp(turn)
		return g.full(fmt.Sprintf("no place came free within %v", maxWait))
	}
}

func (g *Gate) full(why string) error {
	return &providers.Error{
		Kind: providers.Unavailable, Code: "engine_busy",
		Message: "engine " + g.name + " is busy: " + why, RetryAfter: max(time.Second, g.Wait()),
	}
}

// giveUp takes a waiter out. If its place came in the same moment, the place
// goes to the next in line.
func (g *Gate) giveUp(turn *list.Element) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn.Value.(chan struct{}):
		g.pass()
	default:
		g.waiting.Remove(turn)
	}
}

// Leave gives the place up and notes how long the request was served.
func (g *Gate) Leave(served time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mean == 0 {
		g.mean = served
	}
	g.mean += (served - g.mean) / 8
	g.pass()
}

// pass hands a free place to the longest waiting, or frees it. g.mu is held.
func (g *Gate) pass() {
	first := g.waiting.Front()
	if first == nil {
		g.inFlight--
		return
	}
	g.waiting.Remove(first)
	close(first.Value.(chan struct{}))
}

// Wait predicts how long a request that came now would wait for its place: the
// queue ahead of it, itself included, × the mean service time ÷ the places. That
// is the first form, until the engine's step time is fitted.
func (g *Gate) Wait() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.places == 0 || g.inFlight < g.places {
		return 0
	}
	return time.Duration(g.waiting.Len()+1) * g.mean / time.Duration(g.places)
}

// Load counts the requests inside and in the queue.
func (g *Gate) Load() (inFlight, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inFlight, g.waiting.Len()
}
