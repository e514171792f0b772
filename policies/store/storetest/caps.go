package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger"
	"farthing/policies/ledger/core"
	"farthing/providers"
)

// tree is a budget of three levels with hot limits, and a node that only warns.
func tree(company providers.Money) []*budget.Node {
	node := func(name string, config *budget.Config, limits ...budget.Limit) *budget.Node {
		return &budget.Node{Name: name, Budget: name, Limits: limits, Config: config}
	}
	return []*budget.Node{
		node("company", &budget.Config{}, budget.Limit{Amount: company, Window: budget.Month}, budget.Limit{Amount: company, Window: budget.Total}),
		node("teams/search", &budget.Config{}, budget.Limit{Amount: company * 9 / 10, Window: budget.Day}),
		node("people/ada", &budget.Config{}, budget.Limit{Amount: company * 8 / 10}),
		node("watched", &budget.Config{Mode: "warn"}, budget.Limit{Amount: company / 10}),
	}
}

// load makes holds and settles them for less than they are, and remembers what
// it settled.
type load struct {
	ledger  *ledger.Ledger
	nodes   []*budget.Node
	settled atomic.Int64
	refused atomic.Int64
	granted atomic.Int64
	away    atomic.Int64 // refused because the store answered late
}

// mostAway is how many late answers a test on a busy machine puts up with.
const mostAway = 100

func (w *load) one(ctx context.Context, random *rand.Rand) (*ledger.Hold, error) {
	fixed := providers.Pico(1000 * (1 + random.Int64N(2000)))
	offers := []ledger.Offer{
		{Target: "dear", Nodes: w.nodes, Fixed: fixed, PerOutput: 30_000, MaxOutput: 400, Likely: 100, MinOutput: 20},
		{Target: "cheap", Nodes: w.nodes[1:], Fixed: fixed / 4, PerOutput: 3_000, MaxOutput: 400, MinOutput: 100, ClientLimit: true},
	}
	if random.IntN(2) == 0 {
		offers = offers[:1]
	}
	h, r := w.ledger.Hold(ctx, time.Now(), offers)
	switch {
	case r == nil:
		w.granted.Add(1)
		o := offers[h.Offer]
		if bound := o.Fixed.Add(o.PerOutput.Times(h.Output)).Money(); h.Output < o.MinOutput || h.Output > o.MaxOutput || bound > h.Amount {
			return nil, fmt.Errorf("%d output tokens cost up to %s and %s is held", h.Output, bound, h.Amount)
		}
		return h, nil
	case r.Reason == ledger.OverBudget && r.Node != nil && r.Left < r.Need:
		w.refused.Add(1)
		return nil, nil
	case r.Reason == ledger.StoreDown && w.away.Add(1) < mostAway: // a disk that is busy answers late, and the ledger then refuses
		return nil, nil
	}
	return nil, fmt.Errorf("refused for %s: %+v", r.Reason, r)
}

// work makes a number of holds, one after the other.
func (w *load) work(ctx context.Context, seed uint64, holds int) error {
	random := rand.New(rand.NewPCG(seed, 1))
	for range holds {
		h, err := w.one(ctx, random)
		if err != nil {
			return err
		}
		if h == nil {
			continue
		}
		cost := providers.Money(random.Int64N(int64(h.Amount) + 1))
		w.ledger.Settle(h, ledger.Cost{Amount: cost, Source: providers.UsageProvider})
		if h.Offer == 0 {
			w.settled.Add(int64(cost))
		}
	}
	return nil
}

// watch reads the state again and again until the work is done: no limit may
// ever be passed.
func watch(ctx context.Context, l *ledger.Ledger, nodes []*budget.Node) error {
	for ctx.Err() == nil {
		list, err := l.State(context.WithoutCancel(ctx), nodes)
		if err != nil {
			return err
		}
		for _, s := range list {
			sum := s.Spent + s.Held + s.Unconfirmed
			if s.Node.Config.Mode != "warn" && (sum > s.Limit.Amount || s.Over > 0) || sum+s.Left != s.Limit.Amount+s.Over {
				return fmt.Errorf("%s in %s: %+v", s.Node.Name, s.Window, s)
			}
		}
	}
	return nil
}

// together runs the parts, and the watch until they are done.
func together(t *testing.T, l *ledger.Ledger, nodes []*budget.Node, parts ...func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	errs := make(chan error, len(parts)+1)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		errs <- watch(ctx, l, nodes)
	}()
	var running sync.WaitGroup
	for _, part := range parts {
		running.Go(func() { errs <- part(t.Context()) })
	}
	running.Wait()
	stop()
	<-watched
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

func newLedger(t *testing.T, s ledger.Store) *ledger.Ledger {
	t.Helper()
	l := ledger.New(s, ledger.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := l.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return l
}

func closed(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
}

// hotBudget lets fifty clients loose on one ledger.
func hotBudget(t *testing.T, s Store) {
	const clients, holds = 50, 30
	l := newLedger(t, s)
	w := &load{ledger: l, nodes: tree(6 * providers.Dollar / 1000)}
	var parts []func(context.Context) error
	for i := range clients {
		parts = append(parts, func(ctx context.Context) error { return w.work(ctx, uint64(i), holds) })
	}
	together(t, l, w.nodes, parts...)
	reader := newLedger(t, s)
	closed(t, l)
	if w.granted.Load() == 0 || w.refused.Load() == 0 {
		t.Errorf("%d granted and %d refused: the budget was not hot", w.granted.Load(), w.refused.Load())
	}
	company := stateOf(t, reader, w.nodes[:1])[0]
	if company.Spent != providers.Money(w.settled.Load()) || company.Held+company.Unconfirmed != 0 {
		t.Errorf("%s settled, the store says %+v", providers.Money(w.settled.Load()), company)
	}
	if l.Stats().WouldRefuse["watched"] == 0 {
		t.Error("no grant past the budget that only warns was counted")
	}
	closed(t, reader)
}

func stateOf(t *testing.T, l *ledger.Ledger, nodes []*budget.Node) []ledger.NodeState {
	t.Helper()
	list, err := l.State(t.Context(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var errCut = errors.New("cut off")

// cut is a store that one replica can no longer reach.
type cut struct {
	Store
	off atomic.Bool
}

func (c *cut) Step(ctx context.Context, st core.Step) (core.Answer, error) {
	if c.off.Load() {
		return core.Answer{}, errCut
	}
	return c.Store.Step(ctx, st)
}

// replicas lets four ledgers loose on one store and kills one of them. What it
// held stays charged.
func replicas(t *testing.T, s Store) {
	nodes := tree(6 * providers.Dollar / 1000)
	victim := &cut{Store: s}
	ledgers := []*ledger.Ledger{newLedger(t, victim), newLedger(t, s), newLedger(t, s), newLedger(t, s)}
	var loads []*load
	var parts []func(context.Context) error
	for i, l := range ledgers {
		w := &load{ledger: l, nodes: nodes}
		loads = append(loads, w)
		if i == 0 {
			continue
		}
		for j := range 8 {
			parts = append(parts, func(ctx context.Context) error { return w.work(ctx, uint64(100*i+j), 25) })
		}
	}
	var orphans providers.Money
	parts = append(parts, func(ctx context.Context) error {
		random := rand.New(rand.NewPCG(9, 9))
		for range 6 {
			h, err := loads[0].one(ctx, random)
			if err != nil {
				return err
			}
			if h != nil && h.Offer == 0 {
				orphans += h.Amount
			}
		}
		victim.off.Store(true)
		return nil
	})
	together(t, ledgers[1], nodes, parts...)
	var settled providers.Money
	for i, l := range ledgers[1:] {
		settled += providers.Money(loads[i+1].settled.Load())
		if i > 0 {
			closed(t, l)
		}
	}
	give, stop := context.WithCancel(context.Background())
	stop()
	if err := ledgers[0].Close(give); err == nil {
		t.Error("a ledger with open holds and no store closed without a word")
	}
	settle(t, ledgers[1], nodes[:1], settled, orphans)
	closed(t, ledgers[1])
}

// settle waits until the store's figures are these: the last settlements are on
// their way when the work is done.
func settle(t *testing.T, l *ledger.Ledger, nodes []*budget.Node, spent, held providers.Money) {
	t.Helper()
	var got ledger.NodeState
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		got = stateOf(t, l, nodes)[0]
		if got.Spent == spent && got.Held+got.Unconfirmed == held {
			return
		}
	}
	t.Errorf("%s settled and %s held by the killed, the store says %+v", spent, held, got)
}

// crash brings the store back in another run while holds are open: nothing is
// granted until the replicas have declared them, and nothing is lost.
func crash(t *testing.T, s Store) {
	nodes := tree(6 * providers.Dollar / 1000)
	a, b := newLedger(t, s), newLedger(t, s)
	w := &load{ledger: a, nodes: nodes}
	random := rand.New(rand.NewPCG(3, 3))
	var open []*ledger.Hold
	var held, settled providers.Money
	for range 5 {
		h, err := w.one(t.Context(), random)
		if err != nil || h == nil {
			t.Fatalf("no hold: %v", err)
		}
		if h.Offer == 0 {
			held += h.Amount
		}
		open = append(open, h)
	}
	if err := s.Crash(t.Context()); err != nil {
		t.Fatal(err)
	}
	settle(t, b, nodes[:1], 0, held)
	for _, h := range open {
		a.Settle(h, ledger.Cost{Amount: h.Amount / 2, Source: providers.UsageProvider})
		if h.Offer == 0 {
			settled += h.Amount / 2
		}
	}
	settle(t, b, nodes[:1], settled, 0)
	granted := false
	for deadline := time.Now().Add(10 * time.Second); !granted && time.Now().Before(deadline); {
		h, err := (&load{ledger: b, nodes: nodes}).one(t.Context(), random)
		if granted = err == nil && h != nil; granted {
			b.Settle(h, ledger.Cost{})
		}
	}
	if !granted {
		t.Error("nothing is granted after the recovery")
	}
	closed(t, a)
	closed(t, b)
}

// lapsedLease shows what a replica holds as unconfirmed once its lease lapses,
// and lets it draw again only after a call that renewed it.
func lapsedLease(t *testing.T, s Store) {
	ctx := t.Context()
	cell := core.CellOf("n", "total")
	window := core.Window{Cell: cell, End: core.Forever}
	ask := []core.Ask{{{Full: 5, Comfort: 5, Likely: 5, Need: 5, Path: []core.Place{{Limit: 100, Now: window, Next: window}}}}}
	take := func(st core.Step) core.Answer {
		t.Helper()
		a, err := s.Step(ctx, st)
		if err != nil || a.Status != core.OK {
			t.Fatalf("%+v: %+v, %v", st, a, err)
		}
		return a
	}
	for _, name := range []string{"a", "b"} {
		take(core.Step{Kind: core.Begin, Replica: name, Boot: name, Number: 1})
		take(core.Step{Kind: core.Declare, Replica: name, Boot: name, Number: 2, Done: true})
	}
	if a := take(core.Step{Kind: core.Call, Replica: "a", Boot: "a", Number: 3, Asks: ask}); len(a.Grants) != 1 || a.Grants[0].Nanos != 5 {
		t.Fatalf("nothing granted: %+v", a)
	}
	if err := s.Lapse(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	v, err := s.Read(ctx, []core.Cell{cell})
	if want := (core.Reading{Has: 5, Unconfirmed: 5}); err != nil || v.Cells[0] != want {
		t.Fatalf("after the lease: %+v, %v", v, err)
	}
	if a := take(core.Step{Kind: core.Call, Replica: "a", Boot: "a", Number: 4, Asks: ask}); !a.Renewed || len(a.Grants) != 0 {
		t.Fatalf("granted in the call that renews the lease: %+v", a)
	}
	if a := take(core.Step{Kind: core.Call, Replica: "a", Boot: "a", Number: 5, Asks: ask}); a.Renewed || len(a.Grants) != 1 {
		t.Fatalf("nothing granted after the call that renewed the lease: %+v", a)
	}
	v, err = s.Read(ctx, []core.Cell{cell})
	if want := (core.Reading{Has: 10}); err != nil || v.Cells[0] != want {
		t.Fatalf("after its return: %+v, %v", v, err)
	}
}

// refusal names the budget that is spent, and what settles later than its window
// is booked in the window where it was held.
func refusal(t *testing.T, s Store) {
	l := newLedger(t, s)
	month := &budget.Node{
		Name: "team", Budget: "team", Config: &budget.Config{WhenSpent: budget.WhenSpent{Action: "refuse"}},
		Limits: budget.Limits{{Amount: 100, Window: budget.Month}},
	}
	offer := []ledger.Offer{{Target: "x", Nodes: []*budget.Node{month}, Fixed: 60_000, MaxOutput: 1}}
	h, r := l.Hold(t.Context(), time.Now(), offer)
	if r != nil {
		t.Fatalf("%+v", r)
	}
	if h.Left != 40 || h.LeftNode != month {
		t.Errorf("left %s of %v", h.Left, h.LeftNode)
	}
	_, r = l.Hold(t.Context(), time.Now(), offer)
	switch {
	case r == nil:
		t.Fatal("120 of 100 were held")
	case r.Reason != ledger.OverBudget || r.Node != month || r.Limit != 100 || r.Spent != 0 || r.Held != 60 || r.Left != 40 || r.Need != 60:
		t.Errorf("%+v", r)
	case r.Window == "" || !r.Resets.After(time.Now()) || r.WhenSpent.Action != "refuse":
		t.Errorf("%+v", r)
	}
	free := append(offer, ledger.Offer{Target: "own", MaxOutput: 7})
	if own, r := l.Hold(t.Context(), time.Now(), free); r != nil || own.Offer != 1 || own.Amount != 0 || own.Output != 7 {
		t.Errorf("the free offer was not taken: %+v, %+v", own, r)
	} else {
		l.Settle(own, ledger.Cost{})
	}
	l.Settle(h, ledger.Cost{Amount: 130, Source: providers.UsageProvider})
	l.Settle(h, ledger.Cost{Amount: 130, Source: providers.UsageProvider})
	settle(t, l, []*budget.Node{month}, 130, 0)
	if got := stateOf(t, l, []*budget.Node{month})[0]; got.Over != 30 || got.Left != 0 {
		t.Errorf("past the limit: %+v", got)
	}
	if st := l.Stats(); st.SettledTwice != 1 || st.Overruns != 1 || st.OverrunSum != 70 {
		t.Errorf("%+v", st)
	}
	closed(t, l)
}
