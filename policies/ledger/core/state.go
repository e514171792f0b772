package core

import (
	"cmp"
	"slices"
)

// State is what a store keeps for the ledger.
type State struct {
	Run      string // the run of the store under which the data was last complete
	Mark     int64  // time of the last step outside a recovery; time never goes back behind it
	Applied  int64  // Σ of all batches booked
	Replicas map[string]*Replica
	Has      map[string]map[Cell]int64 // by replica; no zero stands in it
	Cells    map[Cell]*Counter
}

// Replica is what the store knows of one gateway process.
type Replica struct {
	Number int64  // last call
	Booked int64  // last batch
	Boot   string // the process that called last
	Run    string // the run to which all was declared; "begun <run>" between Begin and the last Declare
	Lease  int64  // until when it counts as alive
}

// Counter is the money of one cell. It has no expiry.
type Counter struct {
	Settled int64
	Has     int64 // Σ over the replicas
	End     int64 // end of its window
}

// NewState is a store that was never used.
func NewState() *State {
	return &State{Replicas: map[string]*Replica{}, Has: map[string]map[Cell]int64{}, Cells: map[Cell]*Counter{}}
}

// begun marks a replica that has begun to declare to this run.
func begun(run string) string { return "begun " + run }

// Step carries out one step at the given clock reading under the given run of
// the store, and answers it.
func (s *State) Step(clock int64, run string, st *Step) Answer {
	a := Answer{Now: max(clock, s.Mark), Run: run, Recovering: s.Run != run}
	r := s.Replicas[st.Replica]
	if r == nil {
		r = &Replica{}
	}
	a.Booked = r.Booked
	switch {
	case st.Kind == Begin && r.Number > st.Found && r.Boot != st.Boot && r.Boot != "":
		a.Status = Old
		return a
	case st.Number <= r.Number:
		a.Status = Stale
		return a
	}
	switch st.Kind {
	case Begin:
		s.begin(r, st, &a)
	case Declare:
		s.declare(r, st, &a)
	case Call:
		s.call(r, st, &a)
	case SignOff:
		s.signOff(r, st, &a)
	}
	return a
}

func (s *State) begin(r *Replica, st *Step, a *Answer) {
	r.Number, r.Boot, r.Run = st.Number, st.Boot, begun(a.Run)
	s.Replicas[st.Replica] = r
	s.tick(a)
	for cell, nanos := range s.Has[st.Replica] {
		a.Has = append(a.Has, Amount{cell, nanos})
	}
	slices.SortFunc(a.Has, func(x, y Amount) int { return cmp.Compare(x.Cell, y.Cell) })
}

func (s *State) declare(r *Replica, st *Step, a *Answer) {
	if r.Run != begun(a.Run) || r.Boot != st.Boot || st.Done && st.Recovering && !a.Recovering {
		a.Status = New
		return
	}
	r.Number = st.Number
	s.replace(st.Replica, st.Has)
	if st.Done {
		r.Run, r.Lease = a.Run, a.Now+Lease
		s.endRecovery(a, false)
	}
	s.tick(a)
}

func (s *State) call(r *Replica, st *Step, a *Answer) {
	switch {
	case r.Run != a.Run || r.Boot != st.Boot:
		a.Status = New
		return
	case r.Number < st.Answered:
		s.lost()
		a.Status, a.Recovering = Behind, true
		return
	case st.Batch.Number != 0 && st.Batch.Number != r.Booked+1:
		a.Status = Behind
		return
	}
	r.Number = st.Number
	s.replace(st.Replica, st.Has)
	if st.Batch.Number != 0 {
		s.book(st.Batch.Costs)
		r.Booked, a.Booked = st.Batch.Number, st.Batch.Number
	}
	a.Renewed = r.Lease < s.Mark
	r.Lease = a.Now + Lease
	s.endRecovery(a, st.Waited)
	s.tick(a)
	if !a.Recovering && !a.Renewed {
		for _, ask := range st.Asks {
			a.Grants = append(a.Grants, s.grant(a.Now, st.Replica, ask))
		}
	}
}

func (s *State) signOff(r *Replica, st *Step, a *Answer) {
	if r.Run != a.Run || r.Boot != st.Boot || len(s.Has[st.Replica]) > 0 {
		a.Status = New
		return
	}
	delete(s.Replicas, st.Replica)
	s.tick(a)
}

// tick moves the mark, which stands still during a recovery.
func (s *State) tick(a *Answer) {
	if !a.Recovering {
		s.Mark = a.Now
	}
}

// lost opens a recovery in a store that has forgotten acknowledged writes
// although it is the same run: everybody has to declare anew.
func (s *State) lost() {
	s.Run = ""
	for _, r := range s.Replicas {
		r.Run = ""
	}
}

// endRecovery ends it when every replica whose lease had not lapsed before it
// has declared all it has, or when one that has waited a lease says so.
func (s *State) endRecovery(a *Answer, waited bool) {
	if !a.Recovering {
		return
	}
	for _, r := range s.Replicas {
		if !waited && r.Lease >= s.Mark && r.Run != a.Run {
			return
		}
	}
	s.Run, a.Recovering = a.Run, false
}

// replace puts what the replica says it has in the place of what was known.
func (s *State) replace(replica string, has []Amount) {
	for _, x := range has {
		s.give(replica, x.Cell, x.Nanos-s.Has[replica][x.Cell])
	}
}

// give adds to what the replica has of a cell.
func (s *State) give(replica string, cell Cell, nanos int64) {
	if nanos == 0 {
		return
	}
	mine := s.Has[replica]
	if mine == nil {
		mine = map[Cell]int64{}
		s.Has[replica] = mine
	}
	if mine[cell] += nanos; mine[cell] == 0 {
		delete(mine, cell)
	}
	s.counter(cell).Has += nanos
}

func (s *State) book(costs []Amount) {
	for _, x := range costs {
		s.counter(x.Cell).Settled += x.Nanos
		s.Applied += x.Nanos
	}
}

func (s *State) counter(cell Cell) *Counter {
	c := s.Cells[cell]
	if c == nil {
		c = &Counter{}
		s.Cells[cell] = c
	}
	return c
}
