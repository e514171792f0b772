package replica

import (
	"time"

	"farthing/policies/ledger/core"
)

// BatchEvery is how long settlements wait for company. What they leave of a hold
// is given back meanwhile.
const BatchEvery = 50 * time.Millisecond

const (
	batchKept = 10 * time.Minute // a store that came back with older data gets batches again for so long
)

// outbox is what was settled here and is not known to be booked, and the booked
// batches of the last ten minutes. Its numbers run without a gap.
type outbox struct {
	batches []batch
	last    int64 // number of the last batch made
	booked  int64 // number of the last one that the store has booked
	made    time.Time

	pending map[core.Cell]int64 // not yet in a batch
	order   []core.Cell
}

type batch struct {
	number int64
	costs  []core.Amount
	acked  time.Time
}

// add settles some money of a cell.
func (o *outbox) add(c core.Cell, cost int64) {
	if _, ok := o.pending[c]; !ok {
		o.order = append(o.order, c)
	}
	o.pending[c] += cost
}

// empty says that everything is booked.
func (o *outbox) empty() bool { return len(o.pending) == 0 && o.booked == o.last }

// due says when the next batch is to be sent, if there is one.
func (o *outbox) due() (time.Time, bool) {
	switch {
	case o.booked < o.last || len(o.order) >= core.MaxCells:
		return time.Time{}, true
	case len(o.order) > 0:
		return o.made.Add(BatchEvery), true
	}
	return time.Time{}, false
}

// next is the batch to send now: one that was sent and not booked, or a new one.
func (o *outbox) next(now time.Time) core.Batch {
	if o.booked == o.last {
		at, ok := o.due()
		if !ok || now.Before(at) {
			return core.Batch{}
		}
		o.make(now)
	}
	b := o.batches[len(o.batches)-int(o.last-o.booked)]
	return core.Batch{Number: b.number, Costs: b.costs}
}

func (o *outbox) make(now time.Time) {
	n := min(len(o.order), core.MaxCells)
	b := batch{number: o.last + 1, costs: make([]core.Amount, n)}
	for i, c := range o.order[:n] {
		b.costs[i] = core.Amount{Cell: c, Nanos: o.pending[c]}
		delete(o.pending, c)
	}
	o.order = append(o.order[:0], o.order[n:]...)
	o.batches = append(o.batches, b)
	o.last, o.made = b.number, now
}

// move takes the store's word for which batch it booked last. owe is told how
// much more (or less) the replica has of a cell for it. It is false if the store
// lacks batches that are no longer kept: what is kept is then numbered on from
// what the store knows.
func (o *outbox) move(booked int64, now time.Time, owe func(core.Cell, int64)) (complete bool) {
	first := o.last - int64(len(o.batches)) + 1
	complete = booked+1 >= first && booked <= o.last
	if !complete {
		o.renumber(booked, owe)
		return false
	}
	for i := range o.batches {
		b := &o.batches[i]
		was, is := b.number <= o.booked, b.number <= booked
		switch {
		case is && !was:
			b.acked = now
			b.owe(owe, -1)
		case was && !is:
			b.owe(owe, 1)
		}
	}
	o.booked = booked
	o.forget(now)
	return true
}

func (o *outbox) renumber(booked int64, owe func(core.Cell, int64)) {
	for i := range o.batches {
		b := &o.batches[i]
		if b.number <= o.booked {
			b.owe(owe, 1)
		}
		b.number = booked + 1 + int64(i)
	}
	o.booked, o.last = booked, booked+int64(len(o.batches))
}

func (b *batch) owe(owe func(core.Cell, int64), sign int64) {
	for _, x := range b.costs {
		owe(x.Cell, sign*x.Nanos)
	}
}

// forget lets go of batches that were booked long ago.
func (o *outbox) forget(now time.Time) {
	n := 0
	for n < len(o.batches) && o.batches[n].number <= o.booked && now.Sub(o.batches[n].acked) > batchKept {
		n++
	}
	o.batches = o.batches[n:]
}
