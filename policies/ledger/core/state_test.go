package core

import "testing"

const (
	run  = "run"
	next = "next run"
)

var total = Window{Cell: CellOf("n", "total"), End: Forever}

func ask(nanos int64) []Ask {
	return []Ask{{{Full: nanos, Comfort: nanos, Likely: nanos, Need: nanos, Path: []Place{{Limit: 100, Now: total, Next: total}}}}}
}

// join makes a replica known and declares what it has.
func join(s *State, clock int64, run, name string, number int64, has ...Amount) Answer {
	a := s.Step(clock, run, &Step{Kind: Begin, Replica: name, Boot: name, Number: number})
	return s.Step(clock, run, &Step{Kind: Declare, Replica: name, Boot: name, Number: number + 1, Recovering: a.Recovering, Done: true, Has: has})
}

func draw(s *State, clock int64, run, name string, number, nanos int64) Answer {
	return s.Step(clock, run, &Step{Kind: Call, Replica: name, Boot: name, Number: number, Answered: number - 1, Asks: ask(nanos)})
}

func granted(a Answer) int64 {
	var sum int64
	for _, g := range a.Grants {
		sum += g.Nanos
	}
	return sum
}

func TestNothingIsGrantedUntilAllHaveDeclared(t *testing.T) {
	s := NewState()
	join(s, 1000, run, "a", 1)
	join(s, 1000, run, "b", 1)
	draw(s, 1000, run, "a", 3, 60)
	s.Has, s.Cells = map[string]map[Cell]int64{}, map[Cell]*Counter{} // the store lost what a has drawn

	if a := join(s, 2000, next, "b", 4); !a.Recovering {
		t.Fatalf("the recovery ended without a: %+v", a)
	}
	if a := draw(s, 2000, next, "b", 6, 60); granted(a) != 0 {
		t.Fatalf("granted in a recovery: %+v", a)
	}
	join(s, 2000, next, "a", 5, Amount{total.Cell, 60})
	a := draw(s, 2000, next, "b", 7, 60)
	if a.Recovering || len(a.Grants) != 1 || granted(a) != 0 {
		t.Errorf("60 of 100 are a's: %+v", a)
	}
	if a := draw(s, 2000, next, "b", 8, 40); granted(a) != 40 {
		t.Errorf("40 are left: %+v", a)
	}
}

func TestRecoveryEndsWithoutTheMissing(t *testing.T) {
	s := NewState()
	join(s, 1000, run, "a", 1)
	join(s, 1000, run, "b", 1)
	join(s, 2000, next, "b", 3)
	if a := s.Step(2000, next, &Step{Kind: Call, Replica: "b", Boot: "b", Number: 5, Answered: 4}); !a.Recovering {
		t.Fatalf("ended at once: %+v", a)
	}
	waited := Step{Kind: Call, Replica: "b", Boot: "b", Number: 6, Answered: 5, Waited: true, Asks: ask(10)}
	if a := s.Step(2000, next, &waited); a.Recovering || granted(a) != 10 {
		t.Errorf("b has waited a lease: %+v", a)
	}
}

func TestReplicaWithALapsedLeaseIsNotWaitedFor(t *testing.T) {
	s := NewState()
	join(s, 1000, run, "a", 1)
	join(s, 1000, run, "b", 1)
	draw(s, 1000+2*Lease, run, "b", 3, 1)
	if a := join(s, 2000+2*Lease, next, "b", 4); a.Recovering {
		t.Errorf("%+v", a)
	}
}

func TestDeclarationBegunInARecoveryThatHasEnded(t *testing.T) {
	s := NewState()
	join(s, 1000, run, "a", 1)
	begin := Step{Kind: Begin, Replica: "late", Boot: "late", Number: 1}
	a := s.Step(1000, next, &begin)
	if !a.Recovering {
		t.Fatalf("%+v", a)
	}
	join(s, 1000, next, "a", 3)
	done := Step{Kind: Declare, Replica: "late", Boot: "late", Number: 2, Recovering: true, Done: true}
	if a := s.Step(1000, next, &done); a.Status != New {
		t.Errorf("%+v", a)
	}
}

func TestLateAndRepeatedCallsChangeNothing(t *testing.T) {
	s := NewState()
	join(s, 1000, run, "a", 1)
	late := Step{Kind: Call, Replica: "a", Boot: "a", Number: 3, Answered: 2, Asks: ask(10)}
	again := Step{Kind: Call, Replica: "a", Boot: "a", Number: 4, Answered: 2, Asks: ask(10)}
	for _, st := range []*Step{&again, &again, &late} {
		s.Step(1000, run, st)
	}
	if got := s.Cells[total.Cell].Has; got != 10 {
		t.Errorf("%d drawn by one call", got)
	}
}

func TestBatchesAreBookedInOrderAndOnce(t *testing.T) {
	s := NewState()
	join(s, 1000, run, "a", 1)
	book := func(number, batch int64) Answer {
		return s.Step(1000, run, &Step{
			Kind: Call, Replica: "a", Boot: "a", Number: number, Answered: 2,
			Batch: Batch{Number: batch, Costs: []Amount{{total.Cell, 5}}},
		})
	}
	for i, test := range []struct {
		batch  int64
		status Status
		booked int64
	}{{1, OK, 1}, {1, Behind, 1}, {3, Behind, 1}, {2, OK, 2}} {
		if a := book(int64(3+i), test.batch); a.Status != test.status || a.Booked != test.booked {
			t.Errorf("batch %d: %+v", test.batch, a)
		}
	}
	if s.Applied != 10 || s.Cells[total.Cell].Settled != 10 {
		t.Errorf("%+v", s)
	}
}

func TestLostWritesInTheSameRunOpenARecovery(t *testing.T) {
	s := NewState()
	join(s, 1000, run, "a", 1)
	join(s, 1000, run, "b", 1)
	if a := s.Step(1000, run, &Step{Kind: Call, Replica: "a", Boot: "a", Number: 9, Answered: 8}); a.Status != Behind || !a.Recovering {
		t.Fatalf("%+v", a)
	}
	if a := draw(s, 1000, run, "b", 3, 10); a.Status != New {
		t.Errorf("b has to declare as well: %+v", a)
	}
}

func TestOldCopyOfAJournal(t *testing.T) {
	s := NewState()
	join(s, 1000, run, "a", 1)
	copied := Step{Kind: Begin, Replica: "a", Boot: "another boot", Number: 2, Found: 1}
	if a := s.Step(1000, run, &copied); a.Status != Old {
		t.Errorf("%+v", a)
	}
	whole := Step{Kind: Begin, Replica: "a", Boot: "another boot", Number: 3, Found: 2}
	if a := s.Step(1000, run, &whole); a.Status != OK {
		t.Errorf("%+v", a)
	}
}

func TestClockNeverGoesBack(t *testing.T) {
	s := NewState()
	join(s, 5000, run, "a", 1)
	if a := draw(s, 1000, run, "a", 3, 1); a.Now != 5000 {
		t.Errorf("%+v", a)
	}
}

func TestSignOff(t *testing.T) {
	s := NewState()
	join(s, 1000, run, "a", 1)
	draw(s, 1000, run, "a", 3, 10)
	off := Step{Kind: SignOff, Replica: "a", Boot: "a", Number: 4}
	if a := s.Step(1000, run, &off); a.Status != New {
		t.Errorf("signed off with money in hand: %+v", a)
	}
	s.Step(1000, run, &Step{Kind: Call, Replica: "a", Boot: "a", Number: 5, Answered: 3, Has: []Amount{{total.Cell, 0}}})
	off.Number = 6
	if a := s.Step(1000, run, &off); a.Status != OK || len(s.Replicas) != 0 {
		t.Errorf("%+v", a)
	}
}

func TestCellOf(t *testing.T) {
	if node, label := CellOf("tags/a|b", "2026-11").Split(); node != "tags/a|b" || label != "2026-11" {
		t.Errorf("%q, %q", node, label)
	}
}
