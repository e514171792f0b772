package ledger

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger/core"
	"farthing/providers"
)

// memory is a store in memory that can be hurt.
type memory struct {
	mu      sync.Mutex
	state   *core.State
	run     string
	ahead   time.Duration // its clock against ours
	away    bool          // answers with an error at once
	silent  bool          // does not answer at all
	deaf    bool          // carries steps out and loses the answer
	durable time.Duration
	takes   time.Duration // before a step is carried out
	late    time.Duration // and from then to its answer
	steps   []core.Step
}

var errAway = errors.New("away")

func newMemory() *memory { return &memory{state: core.NewState(), run: "run"} }

func (m *memory) Step(ctx context.Context, st core.Step) (core.Answer, error) {
	m.mu.Lock()
	takes := m.takes
	m.mu.Unlock()
	time.Sleep(takes)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps = append(m.steps, st)
	if m.silent {
		m.mu.Unlock()
		<-ctx.Done()
		m.mu.Lock()
		return core.Answer{}, ctx.Err()
	}
	if m.away {
		return core.Answer{}, errAway
	}
	a := m.state.Step(time.Now().Add(m.ahead).UnixMilli(), m.run, &st)
	late := m.late
	m.mu.Unlock()
	time.Sleep(late)
	m.mu.Lock()
	if m.deaf {
		return core.Answer{}, errAway
	}
	return a, nil
}

func (m *memory) Cells(context.Context, string, string) ([]core.Cell, error) { return nil, nil }

func (m *memory) Read(_ context.Context, cells []core.Cell) (core.View, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away || m.silent {
		return core.View{}, errAway
	}
	return m.state.Read(time.Now().Add(m.ahead).UnixMilli(), m.run, cells), nil
}

func (m *memory) Durable(ctx context.Context) error {
	select {
	case <-time.After(m.durable):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *memory) counter(c core.Cell) core.Counter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x := m.state.Cells[c]; x != nil {
		return *x
	}
	return core.Counter{}
}

func node(name string, limit providers.Money, w budget.Window) *budget.Node {
	return &budget.Node{Name: name, Budget: name, Config: &budget.Config{}, Limits: budget.Limits{{Amount: limit, Window: w}}}
}

// cost is an offer of a fixed amount.
func cost(amount providers.Money, nodes ...*budget.Node) Offer {
	return Offer{Target: "x", Nodes: nodes, Fixed: amount.Pico(), MaxOutput: 1, MinOutput: 1}
}

// bubble runs a test on a clock of its own with a ledger that has joined.
func bubble(t *testing.T, o Options, test func(t *testing.T, m *memory, l *Ledger)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		l := New(m, o)
		if err := l.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, m, l)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = l.Close(ctx) // a test that cares has closed it and looked
	})
}

func hold(t *testing.T, l *Ledger, offers ...Offer) *Hold {
	t.Helper()
	h, r := l.Hold(t.Context(), time.Now(), offers)
	if r != nil {
		t.Fatalf("refused: %+v", r)
	}
	return h
}

func refused(t *testing.T, l *Ledger, offers ...Offer) *Refusal {
	t.Helper()
	h, r := l.Hold(t.Context(), time.Now(), offers)
	if r == nil {
		t.Fatalf("held: %+v", h)
	}
	return r
}

func TestHowMuchIsHeld(t *testing.T) {
	full := Offer{Fixed: 1_000_000, PerOutput: 10_000, MaxOutput: 1000, Likely: 300, MinOutput: 50} // 1000 + 10 a token
	client := full
	client.ClientLimit = true
	unlearned := full
	unlearned.Likely = 0
	for _, test := range []struct {
		name   string
		offer  Offer
		left   providers.Money
		output int64 // 0: refused
	}{
		{"twenty times the whole is left", full, 220_000, 1000},
		{"less is left: the likely output", full, 219_999, 300},
		{"the likely output just fits", full, 4000, 300},
		{"what fits", full, 3999, 299},
		{"the least just fits", full, 1500, 50},
		{"less than the least", full, 1499, 0},
		{"a client's own limit is left alone longer", client, 22_000, 1000},
		{"and lowered near the limit", client, 21_999, 300},
		{"nothing learned: the whole while it fits", unlearned, 11_000, 1000},
		{"nothing learned: what fits", unlearned, 10_990, 999},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
				test.offer.Nodes = []*budget.Node{node("n", test.left, budget.Total)}
				h, r := l.Hold(t.Context(), time.Now(), []Offer{test.offer})
				if test.output == 0 {
					if r == nil || r.Reason != OverBudget || r.Need != 1500 {
						t.Fatalf("%+v, %+v", h, r)
					}
					return
				}
				if r != nil || h.Output != test.output || h.Clamped != (h.Output < 1000) || h.Amount != providers.Money(1000+10*h.Output) {
					t.Fatalf("%+v, %+v", h, r)
				}
				if h.Left != test.left-h.Amount {
					t.Errorf("%d left beside a hold of %d out of %d", h.Left, h.Amount, test.left)
				}
				l.Settle(h, Cost{})
			})
		})
	}
}

func TestFirstOfferThatFits(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		narrow, wide := node("narrow", 10, budget.Day), node("wide", 1000, budget.Month)
		h := hold(t, l, cost(20, wide, narrow), cost(15, narrow), cost(8, wide, narrow))
		if h.Offer != 2 || h.Amount != 8 || h.LeftNode != narrow || h.Left != 2 {
			t.Errorf("%+v", h)
		}
		r := refused(t, l, cost(2000, wide), cost(5, narrow))
		if r.Node != narrow || len(r.Nodes) != 2 || r.Held != 8 || r.Left != 2 || r.Need != 5 {
			t.Errorf("the day ends before the month: %+v", r)
		}
		l.Settle(h, Cost{Amount: 3})
		synctest.Wait()
		time.Sleep(time.Second)
		if left, n, known := l.Left(time.Now(), []*budget.Node{wide, narrow}); !known || n != narrow || left != 2 {
			t.Errorf("what the store last said: %d of %v, %v", left, n, known)
		}
	})
}

func TestWhenSpentIsTheStrictest(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		a, b, c := node("a", 1, budget.Day), node("b", 1, budget.Day), node("c", 1, budget.Day)
		b.Config.WhenSpent.Model = "small"
		c.Config.WhenSpent.Action = "refuse"
		if r := refused(t, l, cost(2, a), cost(2, b)); r.WhenSpent.Model != "small" {
			t.Errorf("%+v", r)
		}
		if r := refused(t, l, cost(2, a, c), cost(2, b)); r.WhenSpent.Action != "refuse" || len(r.Nodes) != 3 {
			t.Errorf("%+v", r)
		}
	})
}

func TestStoreAway(t *testing.T) {
	for _, how := range []string{"away", "silent"} {
		t.Run(how, func(t *testing.T) {
			bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
				n := node("n", 100, budget.Total)
				h := hold(t, l, cost(10, n))
				m.set(func() { m.away, m.silent = how == "away", how == "silent" })
				time.Sleep(3 * time.Second)
				begin := time.Now()
				if r := refused(t, l, cost(10, n)); r.Reason != StoreDown {
					t.Errorf("%+v", r)
				}
				if took := time.Since(begin); took != retryFor {
					t.Errorf("refused after %s", took)
				}
				if own := hold(t, l, cost(10, n), Offer{Target: "own", MaxOutput: 5}); own.Offer != 1 {
					t.Errorf("%+v", own)
				} else {
					l.Settle(own, Cost{})
				}
				l.Settle(h, Cost{Amount: 7})
				m.set(func() { m.away, m.silent = false, false })
				time.Sleep(3 * time.Second)
				if c := m.counter("n|total"); c.Settled != 7 || c.Has != 0 {
					t.Errorf("after its return the store has %+v", c)
				}
				l.Settle(hold(t, l, cost(10, n)), Cost{})
			})
		})
	}
}

func TestAnswerLost(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 100, budget.Total)
		m.set(func() { m.deaf = true })
		if r := refused(t, l, cost(60, n)); r.Reason != StoreDown {
			t.Fatalf("%+v", r)
		}
		m.set(func() { m.deaf = false })
		time.Sleep(2 * time.Second)
		if c := m.counter("n|total"); c.Has != 0 {
			t.Errorf("what a lost answer granted was not given back: %+v", c)
		}
		l.Settle(hold(t, l, cost(100, n)), Cost{Amount: 100})
	})
}

func TestOfflineAllowance(t *testing.T) {
	bubble(t, Options{Offline: 50}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 1000, budget.Total)
		l.Settle(hold(t, l, cost(10, n)), Cost{Amount: 10})
		time.Sleep(time.Second)
		m.set(func() { m.away = true })
		a, b := hold(t, l, cost(30, n)), hold(t, l, cost(20, n))
		if r := refused(t, l, cost(1, n)); r.Reason != StoreDown {
			t.Errorf("%+v", r)
		}
		l.Settle(a, Cost{Amount: 25})
		c := hold(t, l, cost(5, n))
		m.set(func() { m.away = false })
		time.Sleep(2 * time.Second)
		if x := m.counter("n|total"); x.Settled != 35 || x.Has != 25 {
			t.Errorf("the store learned %+v", x)
		}
		l.Settle(b, Cost{Amount: 20})
		l.Settle(c, Cost{Amount: 5})
		m.set(func() { m.away = true })
		time.Sleep(2 * time.Second)
		d := hold(t, l, cost(50, n)) // a new outage, a new allowance
		m.set(func() { m.away = false })
		l.Settle(d, Cost{})
		time.Sleep(2 * time.Second)
		if x := m.counter("n|total"); x.Settled != 60 || x.Has != 0 {
			t.Errorf("in the end the store has %+v", x)
		}
	})
}

func TestWarningBudgetsNeverRefuse(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 10, budget.Total)
		n.Config.Mode = "warn"
		a := hold(t, l, cost(8, n))
		b := hold(t, l, cost(8, n))
		m.set(func() { m.away = true })
		c := hold(t, l, cost(8, n))
		m.set(func() { m.away = false })
		for _, h := range []*Hold{a, b, c} {
			l.Settle(h, Cost{Amount: 8})
		}
		time.Sleep(2 * time.Second)
		if x := m.counter("n|total"); x.Settled != 24 || x.Has != 0 {
			t.Errorf("%+v", x)
		}
		if s := l.Stats(); s.WouldRefuse["n"] != 1 || s.Offline != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestClientLeaves(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 100, budget.Total)
		m.set(func() { m.silent = true })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if h, r := l.Hold(ctx, time.Now(), []Offer{cost(100, n)}); r == nil || r.Reason != Canceled {
			t.Fatalf("%+v, %+v", h, r)
		}
		m.set(func() { m.silent = false })
		time.Sleep(3 * time.Second)
		l.Settle(hold(t, l, cost(100, n)), Cost{})
	})
}

func TestClockOfTheStoreDates(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 100, budget.Day)
		m.set(func() { m.ahead = 72 * time.Hour })
		h := hold(t, l, cost(10, n)) // the last answer is of another day
		if want := time.Now().Add(72 * time.Hour); h.At.Sub(want).Abs() > time.Second {
			t.Errorf("held at %s, the store's time is %s", h.At, want)
		}
		l.Settle(h, Cost{Amount: 4})
		time.Sleep(time.Second)
		label := budget.Day.At(h.At, time.UTC).Label
		if c := m.counter(core.CellOf("n", label)); c.Settled != 4 {
			t.Errorf("booked %+v on %s", c, label)
		}
	})
}

func TestSettledAfterItsWindow(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 100, budget.Hour)
		h := hold(t, l, cost(90, n))
		first := core.CellOf("n", budget.Hour.At(h.At, time.UTC).Label)
		time.Sleep(90 * time.Minute)
		g := hold(t, l, cost(90, n)) // another hour, another hundred
		l.Settle(h, Cost{Amount: 80})
		l.Settle(g, Cost{Amount: 70})
		time.Sleep(time.Second)
		second := core.CellOf("n", budget.Hour.At(g.At, time.UTC).Label)
		if a, b := m.counter(first), m.counter(second); a.Settled != 80 || b.Settled != 70 || a.Has+b.Has != 0 {
			t.Errorf("%+v, then %+v", a, b)
		}
	})
}

func TestFreeOfferBilledAfterAll(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 100, budget.Total)
		h := hold(t, l, Offer{Target: "x", Nodes: []*budget.Node{n}, MaxOutput: 3})
		l.Settle(h, Cost{Amount: 120})
		time.Sleep(time.Second)
		if c := m.counter("n|total"); c.Settled != 120 || c.Has != 0 {
			t.Errorf("%+v", c)
		}
		if r := refused(t, l, cost(1, n)); r.Left != 0 || r.Spent != 120 {
			t.Errorf("a budget past its limit is closed: %+v", r)
		}
	})
}

func TestNothingIsDrawnBeforeItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.durable = 2 * time.Second
		begin := time.Now()
		l := New(m, Options{})
		n := node("n", 100, budget.Total)
		if r := refused(t, l, cost(1, n)); r.Reason != StoreDown {
			t.Errorf("%+v", r)
		}
		if err := l.Ready(t.Context()); err != nil || time.Since(begin) < m.durable {
			t.Errorf("ready after %s, %v", time.Since(begin), err)
		}
		l.Settle(hold(t, l, cost(1, n)), Cost{Amount: 1})
		time.Sleep(time.Second)
		begin = time.Now()
		if err := l.Close(t.Context()); err != nil || time.Since(begin) < m.durable {
			t.Errorf("closed after %s, %v", time.Since(begin), err)
		}
		if len(m.state.Replicas) != 0 {
			t.Errorf("still registered: %v", m.state.Replicas)
		}
	})
}

func TestClose(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 100, budget.Total)
		h := hold(t, l, cost(10, n))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() {
			time.Sleep(100 * time.Millisecond)
			if r := refused(t, l, cost(1, n)); r.Reason != Closing {
				t.Errorf("%+v", r)
			}
			l.Settle(h, Cost{Amount: 10})
		}()
		if err := l.Close(ctx); err != nil {
			t.Error(err)
		}
		if c := m.counter("n|total"); c.Settled != 10 || c.Has != 0 {
			t.Errorf("%+v", c)
		}
	})
}

func TestCloseWithOpenHolds(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		hold(t, l, cost(10, node("n", 100, budget.Total)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Close(ctx); err == nil {
			t.Error("closed without a word")
		}
		time.Sleep(time.Minute)
		v, err := m.Read(t.Context(), []core.Cell{"n|total"})
		if err != nil || v.Cells[0].Unconfirmed != 10 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func TestStoreThatForgotTooMuch(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 1000, budget.Total)
		for range 3 {
			l.Settle(hold(t, l, cost(10, n)), Cost{Amount: 10})
			time.Sleep(20 * time.Minute)
		}
		m.set(func() { m.state, m.run = core.NewState(), "another" })
		time.Sleep(2 * time.Second)
		if r := refused(t, l, cost(1, n)); r.Reason != StoreBehind {
			t.Errorf("%+v", r)
		}
		if s := l.Stats(); !s.StoreBehind {
			t.Errorf("%+v", s)
		}
	})
}

func TestStoreThatForgotALittleGetsItAgain(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 1000, budget.Total)
		open := hold(t, l, cost(100, n))
		for range 3 {
			l.Settle(hold(t, l, cost(10, n)), Cost{Amount: 10})
			time.Sleep(time.Minute)
		}
		m.set(func() { m.state, m.run = core.NewState(), "another" })
		time.Sleep(5 * time.Second)
		if c := m.counter("n|total"); c.Settled != 30 || c.Has != 100 {
			t.Errorf("%+v", c)
		}
		l.Settle(open, Cost{Amount: 1})
	})
}

func TestManyHoldsShareACall(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		n := node("n", 1000, budget.Total)
		var before, after int
		m.set(func() { m.takes, before = time.Millisecond, len(m.steps) })
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { l.Settle(hold(t, l, cost(10, n)), Cost{Amount: 10}) })
		}
		wg.Wait()
		m.set(func() { after = len(m.steps) })
		if calls := after - before; calls > 3 {
			t.Errorf("%d calls for 50 holds", calls)
		}
	})
}

func TestParseWhenDown(t *testing.T) {
	for text, want := range map[string]providers.Money{"": 0, "refuse": 0, "up to $50 per replica": 50 * providers.Dollar, "up to 0.5 per replica": providers.Dollar / 2} {
		if got, err := ParseWhenDown(text); err != nil || got != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"allow", "up to $50", "$50 per replica", "up to $-1 per replica", "up to much per replica", "up to $0 per replica"} {
		if got, err := ParseWhenDown(text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}
