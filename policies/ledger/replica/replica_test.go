package replica

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"farthing/policies/ledger/core"

	"pgregory.net/rapid"
)

// world is a store that can lose a suffix of its writes, a network that loses,
// delays and repeats calls, and some replicas. It knows the truth: what every
// replica has and what was ever settled.
type world struct {
	t       *rapid.T
	clock   time.Time
	state   *core.State
	run     int
	history []*core.State // after every step since the last durable one
	limits  map[string]int64
	highest map[string]int64 // the highest limit ever
	members []*member
	late    []core.Step // calls that may arrive yet, or again
	settled map[core.Cell]int64
	overrun map[core.Cell]int64
	losses  bool // the store loses writes; otherwise replicas are killed
}

// member is a replica and the truth about its holds.
type member struct {
	*Replica
	holds  []truth
	killed bool
}

type truth struct {
	cells  []core.Cell
	amount int64
}

const windowLength = 90 * time.Second

var paths = [][]string{{"all"}, {"all", "team"}, {"all", "team", "ada"}, {"all", "bob"}}

func (w *world) runName() string { return fmt.Sprintf("run%d", w.run) }

func (w *world) window(node string, k int64) core.Window {
	length := windowLength.Milliseconds()
	return core.Window{Cell: core.CellOf(node, fmt.Sprint(k)), Start: k * length, End: (k + 1) * length}
}

func (w *world) ask() core.Ask {
	t := w.t
	var ask core.Ask
	for range rapid.IntRange(1, 2).Draw(t, "draws") {
		full := rapid.Int64Range(1, 400).Draw(t, "full")
		d := core.Draw{Full: full, Comfort: full * rapid.SampledFrom([]int64{1, 2, 20}).Draw(t, "comfort")}
		d.Likely = rapid.Int64Range(1, full).Draw(t, "likely")
		d.Need = rapid.Int64Range(1, d.Likely).Draw(t, "need")
		k := w.clock.UnixMilli() / windowLength.Milliseconds()
		for _, node := range rapid.SampledFrom(paths).Draw(t, "path") {
			d.Path = append(d.Path, core.Place{Limit: w.limits[node], Now: w.window(node, k), Next: w.window(node, k+1)})
		}
		ask = append(ask, d)
	}
	return ask
}

// join adds a replica that forgets settled cells at the first opportunity.
func (w *world) join() {
	m := &member{Replica: New()}
	m.keep, m.limit = 1, 1
	w.members = append(w.members, m)
}

func (w *world) step(st core.Step) core.Answer {
	a := w.state.Step(w.clock.UnixMilli(), w.runName(), &st)
	w.history = append(w.history, clone(w.state))
	return a
}

func (w *world) durable() { w.history = w.history[len(w.history)-1:] }

// call makes a member's next call and lets the network do with it what it likes.
func (w *world) call(m *member) {
	var asks []core.Ask
	if m.MayDraw() {
		for range rapid.IntRange(0, 3).Draw(w.t, "asks") {
			asks = append(asks, w.ask())
		}
	}
	st := m.Next(w.clock, asks)
	switch rapid.SampledFrom([]string{"answered", "answered", "answered", "repeated", "answer lost", "call late"}).Draw(w.t, "network") {
	case "call late":
		w.late = append(w.late, st)
		m.Unanswered(&st)
	case "answer lost":
		w.step(st)
		m.Unanswered(&st)
	case "repeated":
		w.late = append(w.late, st)
		fallthrough
	default:
		a := w.step(st)
		m.Answer(w.clock, &st, &a)
		w.take(m, &st, &a)
		w.equal(m, &st, &a)
	}
}

// take makes holds out of grants, as the ledger does.
func (w *world) take(m *member, st *core.Step, a *core.Answer) {
	for i, g := range a.Grants {
		if g.Draw < 0 {
			continue
		}
		held := g.Nanos - min(g.Nanos, rapid.Int64Range(0, 2).Draw(w.t, "rounding"))
		h := truth{amount: held}
		for j, p := range st.Asks[i][g.Draw].Path {
			cell := p.Now.Cell
			if g.Tried[0][j].Next {
				cell = p.Next.Cell
			}
			m.Hold(cell, g.Nanos, held)
			h.cells = append(h.cells, cell)
		}
		m.holds = append(m.holds, h)
	}
}

// equal checks that after an answered call the store knows of the replica what
// the replica has, but for what the call could not name.
func (w *world) equal(m *member, st *core.Step, a *core.Answer) {
	if a.Status != core.OK || st.Kind != core.Call {
		return
	}
	for name, c := range m.cells {
		if known := w.state.Has[m.name][name]; !c.dirty && known != c.has() {
			w.t.Fatalf("the store knows %d of %s, the replica has %d", known, name, c.has())
		}
	}
}

func (w *world) settle(m *member) {
	if len(m.holds) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.holds)-1).Draw(w.t, "hold")
	h := m.holds[i]
	m.holds = append(m.holds[:i:i], m.holds[i+1:]...)
	cost := rapid.Int64Range(0, h.amount).Draw(w.t, "cost")
	if rapid.IntRange(0, 19).Draw(w.t, "overrun") == 0 {
		cost = h.amount + 5
	}
	for _, c := range h.cells {
		m.Settle(c, h.amount, cost)
		w.settled[c] += cost
		w.overrun[c] += max(0, cost-h.amount)
	}
}

// lose brings the store back in another run, without some of its last writes.
func (w *world) lose() {
	i := rapid.IntRange(0, len(w.history)-1).Draw(w.t, "keeps")
	w.state = clone(w.history[i])
	w.run++
	w.history = append(w.history[:0:0], clone(w.state))
}

func (w *world) recovering() bool { return w.state.Run != w.runName() }

// cap is the promise: what is settled and what is held stays within the limit,
// overruns aside. A lowered limit binds draws that come after it.
func (w *world) cap(t *rapid.T) {
	has := map[core.Cell]int64{}
	for _, m := range w.members {
		for _, h := range m.holds {
			for _, c := range h.cells {
				has[c] += h.amount
			}
		}
	}
	for c := range w.settled {
		has[c] += 0
	}
	for c, held := range has {
		node, _ := c.Split()
		if sum := held + w.settled[c] - w.overrun[c]; sum > w.highest[node] {
			t.Fatalf("%s: %d settled and %d held are past the limit of %d", c, w.settled[c], held, w.highest[node])
		}
	}
}

// sums checks the store against itself.
func (w *world) sums(t *rapid.T) {
	var applied int64
	for cell, c := range w.state.Cells {
		applied += c.Settled
		var has int64
		for _, mine := range w.state.Has {
			has += mine[cell]
		}
		if has != c.Has || c.Has < 0 {
			t.Fatalf("%s: replicas have %d, the counter says %d", cell, has, c.Has)
		}
	}
	if applied != w.state.Applied {
		t.Fatalf("batches of %d, counters of %d", w.state.Applied, applied)
	}
}

// finish lets everybody call until all is told, and compares the store with the
// truth.
func (w *world) finish() {
	for round := range 400 {
		quiet := true
		for _, m := range w.members {
			if m.killed {
				continue
			}
			for len(m.holds) > 0 {
				h := m.holds[0]
				m.holds = m.holds[1:]
				for _, c := range h.cells {
					m.Settle(c, h.amount, h.amount)
					w.settled[c] += h.amount
				}
			}
			st := m.Next(w.clock, nil)
			a := w.step(st)
			m.Answer(w.clock, &st, &a)
			quiet = quiet && m.Joined() && m.Quiet()
		}
		w.clock = w.clock.Add(time.Second)
		if quiet {
			w.compare()
			return
		}
		if round == 399 {
			w.t.Fatal("the replicas do not come to rest")
		}
	}
}

// compare holds the store against the truth once the living are at rest. What a
// killed replica held or had not told stays charged.
func (w *world) compare() {
	charged := maps.Clone(w.settled)
	for _, m := range w.members {
		if n := len(w.state.Has[m.name]); n != 0 && !m.killed {
			w.t.Fatalf("a replica at rest has %d cells in the store", n)
		}
		for _, h := range m.holds {
			for _, c := range h.cells {
				charged[c] += h.amount
			}
		}
	}
	for c, n := range charged {
		got := w.counter(c)
		if w.losses && got.Settled != w.settled[c] {
			w.t.Fatalf("%s: %d settled, the store booked %d", c, w.settled[c], got.Settled)
		}
		if got.Settled > w.settled[c] || got.Settled+got.Has < n-w.overrun[c] {
			w.t.Fatalf("%s: %d settled and %d with what was held by the killed, the store has %+v", c, w.settled[c], n, got)
		}
	}
}

func (w *world) counter(c core.Cell) core.Counter {
	if x := w.state.Cells[c]; x != nil {
		return *x
	}
	return core.Counter{}
}

func clone(s *core.State) *core.State {
	c := core.NewState()
	c.Run, c.Mark, c.Applied = s.Run, s.Mark, s.Applied
	for name, r := range s.Replicas {
		copied := *r
		c.Replicas[name] = &copied
	}
	for name, has := range s.Has {
		c.Has[name] = maps.Clone(has)
	}
	for cell, x := range s.Cells {
		copied := *x
		c.Cells[cell] = &copied
	}
	return c
}

// TestCap runs replicas against a store and a network that do their worst.
func TestCap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			t: t, clock: time.Unix(1_790_000_000, 0), state: core.NewState(),
			limits: map[string]int64{"all": 900, "team": 600, "ada": 300, "bob": 500}, highest: map[string]int64{},
			settled: map[core.Cell]int64{}, overrun: map[core.Cell]int64{}, losses: rapid.Bool().Draw(t, "losses"),
		}
		w.history = append(w.history, clone(w.state))
		maps.Copy(w.highest, w.limits)
		for range rapid.IntRange(1, 3).Draw(t, "replicas") {
			w.join()
		}
		t.Repeat(w.actions())
		w.finish()
		w.sums(t)
	})
}

func (w *world) actions() map[string]func(*rapid.T) {
	living := func(t *rapid.T) *member {
		m := rapid.SampledFrom(w.members).Draw(t, "member")
		if m.killed {
			t.Skip("killed")
		}
		return m
	}
	call := func(t *rapid.T) { w.t = t; w.call(living(t)) }
	settle := func(t *rapid.T) { w.t = t; w.settle(living(t)) }
	return map[string]func(*rapid.T){
		"call": call, "call again": call, "call once more": call, "call and call": call,
		"settle": settle, "settle another": settle,
		"late": func(t *rapid.T) {
			if len(w.late) == 0 {
				t.Skip("nothing is late")
			}
			w.step(rapid.SampledFrom(w.late).Draw(t, "call"))
		},
		"durable": func(t *rapid.T) {
			w.durable()
			for _, m := range w.members {
				m.Durable(m.Doubt())
			}
		},
		"time": func(t *rapid.T) {
			if w.recovering() {
				t.Skip("a replica that is cut off for a whole lease in a recovery is not waited for")
			}
			passed := time.Duration(rapid.SampledFrom([]int{10, 100, 300, 2000, 20_000, 40_000}).Draw(t, "ms")) * time.Millisecond
			w.clock = w.clock.Add(passed)
			if passed >= 2*time.Second {
				w.durable()
			}
		},
		"lose": func(t *rapid.T) {
			if !w.losses {
				t.Skip("this store keeps its writes")
			}
			w.t = t
			w.lose()
		},
		"kill": func(t *rapid.T) {
			if w.losses || len(w.members) > 6 {
				t.Skip("in this world replicas live")
			}
			living(t).killed = true
			w.join()
		},
		"lower": func(t *rapid.T) {
			node := rapid.SampledFrom([]string{"all", "team", "ada", "bob"}).Draw(t, "node")
			w.limits[node] -= w.limits[node] / 4
		},
		"": func(t *rapid.T) {
			w.cap(t)
			w.sums(t)
		},
	}
}

// TestMain makes rapid work harder than it does by default, unless told.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": "3000", "rapid.steps": "200"} {
		if !given[name] {
			_ = flag.Set(name, value)
		}
	}
	os.Exit(m.Run())
}
