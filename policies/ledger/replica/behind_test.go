package replica

import (
	"testing"
	"time"

	"farthing/policies/ledger/core"
)

// TestLostAnswerOpensNoRecovery books a batch whose answer is lost. The store
// says that it has that batch; nobody has to declare anew for it.
func TestLostAnswerOpensNoRecovery(t *testing.T) {
	const run = "run"
	now := time.UnixMilli(1_000_000)
	s, r := core.NewState(), New()
	call := func(answered bool) core.Answer {
		t.Helper()
		now = now.Add(BatchEvery)
		st := r.Next(now, nil)
		a := s.Step(now.UnixMilli(), run, &st)
		if answered {
			r.Answer(now, &st, &a)
		} else {
			r.Unanswered(&st)
		}
		return a
	}
	for !r.Joined() {
		call(true)
	}
	cell := core.CellOf("n", "total")
	r.Hold(cell, 0, 10)
	r.Settle(cell, 10, 7)
	call(false)
	if a := call(true); a.Status != core.Behind || a.Booked != 1 {
		t.Fatalf("the batch once more: %+v", a)
	}
	if a := call(true); a.Status != core.OK || a.Recovering {
		t.Errorf("after it: %+v", a)
	}
	if got := s.Cells[cell]; got.Settled != 7 || got.Has != 0 {
		t.Errorf("booked %+v, want 7 settled and nothing held", got)
	}
}

// TestCellsAreQueuedOnce keeps a full batch waiting for a store that is away:
// what the store is to be told does not grow with every try.
func TestCellsAreQueuedOnce(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	r := New()
	r.phase = joined
	for i := range core.MaxCells {
		cell := core.CellOf("n", time.Duration(i).String())
		r.Hold(cell, 0, 1)
		r.Settle(cell, 1, 1)
	}
	for range 20 {
		now = now.Add(time.Second)
		st := r.Next(now, nil)
		r.Unanswered(&st)
	}
	if len(r.dirty) > core.MaxCells {
		t.Errorf("%d cells wait to be told, of %d that there are", len(r.dirty), core.MaxCells)
	}
}
