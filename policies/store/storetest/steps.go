package storetest

import (
	"testing"
	"time"

	"farthing/policies/ledger/core"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// machine takes the same steps on a store and on core.State.
type machine struct {
	t       *rapid.T
	store   Store
	model   *core.State
	run     string // as the store last named it
	now     int64  // of the store
	numbers map[string]int64
	sent    []core.Step
}

var (
	machineReplicas = []string{"a", "b"}
	machineNodes    = []string{"all", "people/ada", "people/(none)", "tags/x|y {z}"}
	machineLabels   = []string{"2026-11", "2026-12"}
)

// steps compares a store with the definition, step by step: well-formed steps,
// late and repeated ones, and ones that a correct replica would never send.
func steps(t *testing.T, open func(t *testing.T) Store) {
	rapid.Check(t, func(rt *rapid.T) {
		s := open(t)
		defer s.Close()
		m := &machine{t: rt, store: s, model: core.NewState(), numbers: map[string]int64{}}
		step := func(rt *rapid.T) { m.t = rt; m.compare(m.step()) }
		rt.Repeat(map[string]func(*rapid.T){
			"step": step, "step again": step, "step once more": step, "step and step": step,
			"read": func(rt *rapid.T) { m.t = rt; m.read() },
			"late": func(rt *rapid.T) { m.t = rt; m.late() },
			"hurt": func(rt *rapid.T) { m.t = rt; m.hurt() },
		})
	})
}

func (m *machine) late() {
	if len(m.sent) == 0 {
		m.t.Skip("nothing was sent")
	}
	m.compare(rapid.SampledFrom(m.sent).Draw(m.t, "late"))
}

// hurt brings the store back in another run, or lets a lease lapse.
func (m *machine) hurt() {
	ctx := m.t.Context()
	name := rapid.SampledFrom(machineReplicas).Draw(m.t, "lapses")
	r := m.model.Replicas[name]
	switch rapid.IntRange(0, 4).Draw(m.t, "how") {
	case 0:
		if err := m.store.Crash(ctx); err != nil {
			m.t.Fatal(err)
		}
	case 1, 2:
		if r == nil {
			m.t.Skip("no such replica")
		}
		if err := m.store.Lapse(ctx, name); err != nil {
			m.t.Fatal(err)
		}
		r.Lease = 1
	default:
		m.t.Skip("a store is not always hurt")
	}
}

func (m *machine) compare(st core.Step) {
	got, err := m.store.Step(m.t.Context(), st)
	if err != nil {
		m.t.Fatalf("%+v: %v", st, err)
	}
	m.now, m.run = got.Now, got.Run
	want := m.model.Step(got.Now, got.Run, &st)
	byCell := cmpopts.SortSlices(func(a, b core.Amount) bool { return a.Cell < b.Cell })
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), byCell); d != "" {
		m.t.Fatalf("%+v\nanswers (- core, + store):\n%s", st, d)
	}
	m.sent = append(m.sent, st)
}

func (m *machine) read() {
	var cells []core.Cell
	for _, node := range machineNodes {
		for _, label := range machineLabels {
			cells = append(cells, core.CellOf(node, label))
		}
	}
	got, err := m.store.Read(m.t.Context(), cells)
	if err != nil {
		m.t.Fatal(err)
	}
	want := m.model.Read(got.Now, m.run, cells)
	want.Recovering = got.Recovering // a crash since the last step is the store's alone to know
	if d := cmp.Diff(want, got); d != "" {
		m.t.Fatalf("a read (- core, + store):\n%s", d)
	}
}

// step makes a step of a replica that is mostly where it should be.
func (m *machine) step() core.Step {
	t := m.t
	name := rapid.SampledFrom(machineReplicas).Draw(t, "replica")
	m.numbers[name]++
	st := core.Step{Replica: name, Boot: "boot", Number: m.numbers[name]}
	if rapid.IntRange(0, 19).Draw(t, "odd boot") == 0 {
		st.Boot = "other boot"
	}
	known := m.model.Replicas[name]
	likely := core.Call
	switch {
	case known == nil || known.Run == "":
		likely, known = core.Begin, &core.Replica{}
	case known.Run == "begun "+m.run:
		likely = core.Declare
	case known.Run != m.run:
		likely = core.Begin
	}
	st.Kind = likely
	if rapid.IntRange(0, 9).Draw(t, "odd kind") == 0 {
		st.Kind = rapid.SampledFrom([]core.Kind{core.Begin, core.Declare, core.Call, core.SignOff}).Draw(t, "kind")
	}
	switch st.Kind {
	case core.Begin:
		st.Found = rapid.SampledFrom([]int64{0, known.Number}).Draw(t, "found")
	case core.Declare:
		st.Has = m.amounts(2000, 1<<50)
		st.Done = rapid.Bool().Draw(t, "done")
		st.Recovering = rapid.Bool().Draw(t, "recovering")
	case core.Call:
		m.call(&st, known)
	}
	return st
}

func (m *machine) call(st *core.Step, known *core.Replica) {
	t := m.t
	st.Answered = known.Number
	if rapid.IntRange(0, 39).Draw(t, "lost writes") == 0 {
		st.Answered++
	}
	st.Waited = rapid.IntRange(0, 9).Draw(t, "waited") == 0
	st.Has = m.amounts(2000, 1<<50)
	if rapid.Bool().Draw(t, "batch") {
		st.Batch = core.Batch{Number: known.Booked + 1, Costs: m.amounts(500, 1<<40)}
		if rapid.IntRange(0, 9).Draw(t, "odd batch") == 0 {
			st.Batch.Number += rapid.SampledFrom([]int64{-1, 1}).Draw(t, "off")
		}
		if st.Batch.Number == 0 {
			st.Batch.Costs = nil
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "asks") {
		var ask core.Ask
		for range rapid.IntRange(1, 3).Draw(t, "draws") {
			ask = append(ask, m.draw())
		}
		st.Asks = append(st.Asks, ask)
	}
}

// amounts names some cells, each once. Now and then an amount is as large as an
// amount can be.
func (m *machine) amounts(most, large int64) []core.Amount {
	var list []core.Amount
	for _, node := range machineNodes {
		for _, label := range machineLabels {
			if rapid.IntRange(0, 3).Draw(m.t, "named") > 0 {
				continue
			}
			n := rapid.Int64Range(0, most).Draw(m.t, "nanos")
			if rapid.IntRange(0, 49).Draw(m.t, "is large") == 0 {
				n += large
			}
			list = append(list, core.Amount{Cell: core.CellOf(node, label), Nanos: n})
		}
	}
	return list
}

func (m *machine) draw() core.Draw {
	t := m.t
	d := core.Draw{Need: rapid.Int64Range(0, 800).Draw(t, "need")}
	d.Likely = d.Need + rapid.Int64Range(0, 800).Draw(t, "likely")
	d.Full = d.Likely + rapid.Int64Range(0, 800).Draw(t, "full")
	d.Comfort = d.Full * rapid.SampledFrom([]int64{1, 2, 20}).Draw(t, "comfort")
	for _, node := range machineNodes {
		if rapid.Bool().Draw(t, "on the path") {
			d.Path = append(d.Path, m.place(node))
		}
	}
	return d
}

// place puts the store's time into the present window, into the next, or into
// neither. Bounds are far enough away that they do not pass during the test.
func (m *machine) place(node string) core.Place {
	t := m.t
	hour := time.Hour.Milliseconds()
	start := m.now - m.now%hour + hour*rapid.SampledFrom([]int64{-4, -4, -4, -4, -2, -2, 2}).Draw(t, "shift")
	if m.now == 0 {
		start = 0
	}
	p := core.Place{
		Limit: rapid.SampledFrom([]int64{core.Unlimited, 0, 1000, 5000, 20_000, 1<<53 - 1}).Draw(t, "limit"),
		Now:   core.Window{Cell: core.CellOf(node, machineLabels[0]), Start: start - 2*hour, End: start},
		Next:  core.Window{Cell: core.CellOf(node, machineLabels[1]), Start: start, End: start + 8*hour},
	}
	if rapid.IntRange(0, 3).Draw(t, "present") > 0 {
		p.Now.Start, p.Now.End = 0, core.Forever
	}
	return p
}
