package embedded

import "context"

// queue lets one request run and a bounded number wait, in the order in which
// they came.
type queue struct {
	places chan struct{} // one for each request that is let in, running or not
	engine chan struct{} // held by the one that runs
	meter  *meter
}

func newQueue(waiting int, m *meter) *queue {
	return &queue{places: make(chan struct{}, waiting+1), engine: make(chan struct{}, 1), meter: m}
}

// enter takes a place without waiting; false means that all are taken. Each
// enter that succeeds needs a leave.
func (q *queue) enter() bool {
	select {
	case q.places <- struct{}{}:
		return true
	default:
		q.meter.rejected.Add(1)
		return false
	}
}

func (q *queue) leave() { <-q.places }

// counts says how many requests run and how many wait. The two are read one
// after the other, so for a moment they may disagree by one.
func (q *queue) counts() (running, waiting int) {
	running = len(q.engine)
	return running, max(0, len(q.places)-running)
}

// run waits for the engine and calls f with it. It gives up when ctx ends
// first.
func (q *queue) run(ctx context.Context, f func()) error {
	select {
	case q.engine <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-q.engine }()
	q.meter.requests.Add(1)
	f()
	return nil
}
