package ledger

import (
	"context"
	"testing"
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger/core"
	"farthing/providers"
)

// TestWindowRollsWhileACallIsOnItsWay holds on both sides of a minute's end. The
// holds must stand in the windows in which the store granted them, although
// another request has looked at the node in the next window meanwhile.
func TestWindowRollsWhileACallIsOnItsWay(t *testing.T) {
	for name, sent := range map[string]time.Duration{
		"granted in the next window": -time.Millisecond,
		"granted in the old window":  -3 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
				n := node("n", 100, budget.Minute)
				first := budget.Minute.At(time.Now(), time.UTC)
				granted := first
				if sent == -time.Millisecond {
					granted = budget.Minute.Next(first, time.UTC)
				}
				time.Sleep(time.Until(first.End.Add(sent)))
				m.set(func() { m.takes, m.late = 2*time.Millisecond, 2*time.Millisecond })
				got := make(chan *Hold)
				go func() {
					h, _ := l.Hold(context.Background(), time.Now(), []Offer{cost(60, n)})
					got <- h
				}()
				time.Sleep(time.Until(first.End.Add(200 * time.Microsecond)))
				l.Left(time.Now(), []*budget.Node{n}) // as any other request does
				h := <-got
				m.set(func() { m.takes, m.late = 0, 0 })
				cell := core.CellOf("n", granted.Label)
				if h == nil {
					t.Error("refused")
					return
				}
				if len(h.cells) != 1 || h.cells[0] != cell {
					t.Errorf("held in %v, and the store granted it in %s", h.cells, cell)
				}
				l.Settle(h, Cost{Amount: 50, Source: providers.UsageProvider})
				time.Sleep(3 * time.Second)
				if c := m.counter(cell); c.Settled != 50 || c.Has != 0 {
					t.Errorf("%s: %+v", cell, c)
				}
			})
		})
	}
}

// TestNobodyWaitsForAnAskAgain leaves while the call is on its way and is lost:
// the ask must not travel once more.
func TestNobodyWaitsForAnAskAgain(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, m *memory, l *Ledger) {
		m.set(func() { m.silent = true })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if h, r := l.Hold(ctx, time.Now(), []Offer{cost(100, node("n", 100, budget.Total))}); r == nil || r.Reason != Canceled {
			t.Fatalf("%+v, %+v", h, r)
		}
		var before int
		m.set(func() { m.silent, before = false, len(m.steps) })
		time.Sleep(3 * time.Second)
		m.set(func() {
			for _, st := range m.steps[before:] {
				if len(st.Asks) > 0 {
					t.Errorf("asked again: %+v", st.Asks)
				}
			}
		})
	})
}
