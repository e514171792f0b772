package storetest

import (
	"context"
	"testing"
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger"
	"farthing/providers"
)

// Killed takes the store away while holds are open and brings it back with all
// its data. Meanwhile paid holds are refused in time and settlements wait.
func Killed(t *testing.T, s ledger.Store, kill, start func()) {
	l := newLedger(t, s)
	nodes := []*budget.Node{{Name: "n", Budget: "n", Config: &budget.Config{}, Limits: budget.Limits{{Amount: 1000}}}}
	offer := []ledger.Offer{{Target: "x", Nodes: nodes, Fixed: providers.Money(100).Pico(), MaxOutput: 1}}
	var open []*ledger.Hold
	for range 3 {
		h, r := l.Hold(t.Context(), time.Now(), offer)
		if r != nil {
			t.Fatalf("%+v", r)
		}
		open = append(open, h)
	}
	kill()
	l.Settle(open[0], ledger.Cost{Amount: 40, Source: providers.UsageProvider})
	began := time.Now()
	if _, r := l.Hold(t.Context(), time.Now(), offer); r == nil || r.Reason != ledger.StoreDown {
		t.Errorf("without a store: %+v", r)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("refused after %s", took)
	}
	start()
	settle(t, l, nodes, 40, 200)
	for deadline := time.Now().Add(20 * time.Second); ; {
		h, r := l.Hold(t.Context(), time.Now(), offer)
		if r == nil {
			l.Settle(h, ledger.Cost{Amount: 10, Source: providers.UsageProvider})
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing is granted after the store's return: %+v", r)
		}
	}
	for _, h := range open[1:] {
		l.Settle(h, ledger.Cost{Amount: 25, Source: providers.UsageProvider})
	}
	closed(t, l)
	reader := newLedger(t, s)
	settle(t, reader, nodes, 100, 0)
	closed(t, reader)
}

// Reopened kills a process that holds money and opens its store anew. reopen
// closes the store if it is open.
func Reopened(t *testing.T, reopen func() ledger.Store) {
	nodes := []*budget.Node{{Name: "n", Budget: "n", Config: &budget.Config{}, Limits: budget.Limits{{Amount: 100}}}}
	offer := func(amount providers.Money) []ledger.Offer {
		return []ledger.Offer{{Target: "x", Nodes: nodes, Fixed: amount.Pico(), MaxOutput: 1}}
	}
	first := newLedger(t, reopen())
	for _, amount := range []providers.Money{30, 50} {
		h, r := first.Hold(t.Context(), time.Now(), offer(amount))
		if r != nil {
			t.Fatalf("%+v", r)
		}
		if amount == 30 {
			first.Settle(h, ledger.Cost{Amount: 20, Source: providers.UsageProvider})
		}
	}
	settle(t, first, nodes, 20, 50)
	gone, stop := context.WithCancel(context.Background())
	stop()
	if err := first.Close(gone); err == nil {
		t.Error("a ledger with an open hold closed without a word")
	}
	second := newLedger(t, reopen())
	settle(t, second, nodes, 20, 50)
	if _, r := second.Hold(t.Context(), time.Now(), offer(31)); r == nil || r.Left != 30 {
		t.Errorf("what a killed process held was granted again: %+v", r)
	}
	h, r := second.Hold(t.Context(), time.Now(), offer(30))
	if r != nil {
		t.Fatalf("%+v", r)
	}
	second.Settle(h, ledger.Cost{})
	closed(t, second)
}
