// Package replica is one gateway process as the ledger's protocol sees it: which
// step to send next, and what an answer means. It is pure and takes no lock:
// time comes in, steps go out, answers come in. The ledger locks it and talks to
// the store; tests put a store that loses calls and writes in between.
//
// The rules. One step is in flight at a time, each with a greater number. What
// the store is told of a cell is all there is of it: open holds and settlements
// that are not known to be booked. A step without an answer may have been
// carried out, or may be yet; its cells are named again, without what it asked.
//
// Start with Replica.Next and Replica.Answer.
package replica

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"farthing/policies/ledger/core"
)

// cell is what this replica has of a budget's window.
type cell struct {
	name   core.Cell
	open   int64 // Σ of open holds
	owed   int64 // Σ of settlements that are not known to be booked
	dirty  bool  // the store may believe something else
	queued bool  // stands in Replica.dirty, where a cell named out of its turn stays
}

func (c *cell) has() int64 { return c.open + c.owed }

// phase is how far a replica has made itself known in this run of the store.
type phase uint8

const (
	beginning phase = iota // must say that it is here
	declaring              // saying all it has
	joined                 // makes the usual calls
)

// partSize is how many cells one part of a declaration names.
const partSize = 500

// Replica is one process. It is not safe for concurrent use.
type Replica struct {
	name     string
	boot     string
	number   int64 // of the last step sent
	answered int64 // of the last step that was answered and that the store keeps

	phase      phase
	run        string    // run of the store that answered last
	heard      time.Time // since when a recovery may last, on this process's clock
	recovering bool      // nothing is granted at present
	begunIn    bool      // Begin was answered in a recovery
	declare    []core.Cell
	doubts     int  // rises when draws must wait for something to be durable
	durable    bool // and is set when it is
	forgotten  bool // the store lacks batches that are no longer kept here: closed for paid

	cells map[core.Cell]*cell
	dirty []*cell
	out   outbox
	keep  int // how many cells are kept before settled ones are looked for
	limit int // and how many this time
}

// keepCells is how many cells are kept before settled ones are looked for.
const keepCells = 10_000

// New is a process that has not called yet.
func New() *Replica {
	name := newName()
	return &Replica{
		name: name, boot: name, cells: map[core.Cell]*cell{}, keep: keepCells, limit: keepCells,
		out: outbox{pending: map[core.Cell]int64{}},
	}
}

// newName is a name that no other replica has.
func newName() string {
	var bits [8]byte
	_, _ = rand.Read(bits[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(bits[:])
}

// Name is how the store knows the process.
func (r *Replica) Name() string { return r.name }

// Joined says that the process has declared all it has and makes the usual calls.
func (r *Replica) Joined() bool { return r.phase == joined }

// Joining says that the process has called the store and not declared all it has
// yet.
func (r *Replica) Joining() bool { return r.number > 0 && r.phase != joined }

// Recovering says that the store grants nothing until every replica has declared
// what it has.
func (r *Replica) Recovering() bool { return r.recovering }

// Forgotten says that the store lacks settlements that are no longer kept here:
// nothing is drawn any more.
func (r *Replica) Forgotten() bool { return r.forgotten }

// Unbooked is how many batches are made and not known to be booked.
func (r *Replica) Unbooked() int64 { return r.out.last - r.out.booked }

// Doubt is the number of the answer that must be durable before anything is
// drawn, or 0 if there is none. Durable takes that number back when it is.
func (r *Replica) Doubt() int {
	if r.phase != joined || r.durable {
		return 0
	}
	return r.doubts
}

// Durable says that the answer of a doubt is durable.
func (r *Replica) Durable(doubt int) {
	if doubt == r.doubts {
		r.durable = true
	}
}

// Due says when there is something to tell the store, if there is.
func (r *Replica) Due(lastCall time.Time) (time.Time, bool) {
	at, ok := r.out.due()
	if told := lastCall.Add(BatchEvery); len(r.dirty) > 0 && (!ok || told.Before(at)) {
		return told, true
	}
	return at, ok
}

// Quiet says that there is nothing left, and that the store knows it.
func (r *Replica) Quiet() bool {
	if !r.out.empty() {
		return false
	}
	for _, c := range r.cells {
		if c.dirty || c.has() != 0 {
			return false
		}
	}
	return true
}

// MayDraw says whether an ask can be granted now.
func (r *Replica) MayDraw() bool {
	return r.phase == joined && r.durable && !r.recovering && !r.forgotten
}

func (r *Replica) cell(name core.Cell) *cell {
	c := r.cells[name]
	if c == nil {
		r.dropSettled()
		c = &cell{name: name}
		r.cells[name] = c
	}
	return c
}

// has is what there is of a cell, which need not be known here.
func (r *Replica) has(name core.Cell) int64 {
	if c := r.cells[name]; c != nil {
		return c.has()
	}
	return 0
}

// dropSettled forgets cells of which nothing is had, once there are twice as
// many as were left the last time.
func (r *Replica) dropSettled() {
	if len(r.cells) < r.limit {
		return
	}
	for name, c := range r.cells {
		if !c.dirty && c.has() == 0 {
			delete(r.cells, name)
		}
	}
	r.limit = max(r.keep, 2*len(r.cells))
}

// touch notes that the store is to be told what there is of a cell.
func (r *Replica) touch(c *cell) {
	c.dirty = true
	if !c.queued {
		c.queued = true
		r.dirty = append(r.dirty, c)
	}
}

// Hold opens a hold on a cell out of what was granted there. What is granted and
// not held goes back; what is held beyond it the store learns with the next step.
func (r *Replica) Hold(name core.Cell, granted, held int64) {
	c := r.cell(name)
	c.open += held
	if held != granted {
		r.touch(c)
	}
}

// Settle turns an open hold into a settlement.
func (r *Replica) Settle(name core.Cell, held, cost int64) {
	c := r.cell(name)
	c.open -= held
	if cost != 0 {
		c.owed += cost
		r.out.add(name, cost)
	}
	r.touch(c)
}

// owe is the outbox's word for what became of a batch.
func (r *Replica) owe(name core.Cell, nanos int64) {
	c := r.cell(name)
	c.owed += nanos
	r.touch(c)
}

// Next makes the next step to send, with these asks if it can carry them.
func (r *Replica) Next(now time.Time, asks []core.Ask) core.Step {
	r.number++
	st := core.Step{Replica: r.name, Boot: r.boot, Number: r.number}
	switch r.phase {
	case beginning:
		st.Kind = core.Begin
	case declaring:
		st.Kind, st.Recovering = core.Declare, r.begunIn
		n := min(len(r.declare), partSize)
		st.Done = n == len(r.declare)
		for _, name := range r.declare[:n] {
			st.Has = append(st.Has, core.Amount{Cell: name, Nanos: r.has(name)})
		}
	default:
		st.Kind, st.Answered, st.Asks = core.Call, r.answered, asks
		st.Waited = r.recovering && now.Sub(r.heard) >= core.Lease*time.Millisecond
		st.Batch = r.out.next(now)
		st.Has = r.say(st.Batch, asks)
	}
	return st
}

// say lists what there is of the cells that the store is to be told of: those of
// the batch, whose money leaves in the same step, those asked for, and the ones
// that have waited longest.
func (r *Replica) say(b core.Batch, asks []core.Ask) []core.Amount {
	list := make([]core.Amount, 0, len(b.Costs)+len(r.dirty))
	for _, x := range b.Costs {
		c := r.cell(x.Cell)
		c.dirty = false
		list = append(list, core.Amount{Cell: x.Cell, Nanos: c.has() - x.Nanos})
	}
	add := func(c *cell) {
		if c != nil && c.dirty {
			c.dirty = false
			list = append(list, core.Amount{Cell: c.name, Nanos: c.has()})
		}
	}
	eachCell(asks, func(name core.Cell) { add(r.cells[name]) })
	n := 0
	for n < len(r.dirty) && len(list) < core.MaxCells {
		r.dirty[n].queued = false
		add(r.dirty[n])
		n++
	}
	r.dirty = append(r.dirty[:0], r.dirty[n:]...)
	return list
}

// eachCell visits every cell that asks name.
func eachCell(asks []core.Ask, visit func(core.Cell)) {
	for _, ask := range asks {
		for _, d := range ask {
			for _, p := range d.Path {
				visit(p.Now.Cell)
				visit(p.Next.Cell)
			}
		}
	}
}

// Unanswered is called when a step brought no answer that counts. What it asked
// may have been granted, so its cells are named again.
func (r *Replica) Unanswered(st *core.Step) {
	for _, x := range st.Has {
		r.touch(r.cell(x.Cell))
	}
	eachCell(st.Asks, func(name core.Cell) { r.touch(r.cell(name)) })
	if st.Kind == core.Begin || st.Kind == core.Declare {
		r.phase = beginning
	}
}

// Answer takes the answer to the last step sent.
func (r *Replica) Answer(now time.Time, st *core.Step, a *core.Answer) {
	if a.Status == core.OK { // what was refused left no number in the store
		r.answered = st.Number
	}
	if a.Run != r.run || a.Recovering && !r.recovering || a.Status == core.New || a.Status == core.Behind {
		r.run, r.heard = a.Run, now
	}
	r.recovering = a.Recovering
	switch a.Status {
	case core.OK:
		r.taken(now, st, a)
	case core.Stale:
		r.Unanswered(st)
	case core.New:
		r.Unanswered(st)
		r.phase = beginning
	case core.Behind:
		r.Unanswered(st)
		if st.Batch.Number != 0 && a.Booked != st.Batch.Number-1 {
			r.align(a.Booked, now)
		} else {
			r.phase = beginning
		}
	case core.Old:
		r.Unanswered(st)
		r.rename()
	}
}

// taken takes the answer to a step that was carried out.
func (r *Replica) taken(now time.Time, st *core.Step, a *core.Answer) {
	switch st.Kind {
	case core.Begin:
		r.align(a.Booked, now)
		r.begunIn, r.phase = a.Recovering, declaring
		r.declare = slices.Collect(maps.Keys(r.cells))
		for _, x := range a.Has {
			if r.cells[x.Cell] == nil {
				r.declare = append(r.declare, x.Cell)
			}
		}
	case core.Declare:
		r.declare = r.declare[len(st.Has):]
		if st.Done {
			r.phase = joined
			r.doubt()
		}
	case core.Call:
		if st.Batch.Number != 0 {
			r.out.move(a.Booked, now, func(name core.Cell, nanos int64) { r.cell(name).owed += nanos })
		}
		if a.Renewed {
			r.doubt()
		}
	}
}

// align takes the store's word for what it has booked.
func (r *Replica) align(booked int64, now time.Time) {
	if !r.out.move(booked, now, r.owe) {
		r.forgotten = true
	}
}

// doubt makes draws wait until what was just answered is durable.
func (r *Replica) doubt() {
	r.doubts++
	r.durable = false
}

// rename begins as somebody else: the store has seen a later process under this
// name. What it believes that one to have stays charged.
func (r *Replica) rename() {
	r.name, r.phase = newName(), beginning
	r.out.renumber(0, r.owe)
}

// SignOff makes the last step, for a replica that is quiet.
func (r *Replica) SignOff() core.Step {
	r.number++
	return core.Step{Kind: core.SignOff, Replica: r.name, Boot: r.boot, Number: r.number}
}
