package send

import (
	"testing"

	"farthing/providers"
)

// TestSettle is the settlement table: what each ending costs, with every
// combination of what the answer told.
func TestSettle(t *testing.T) {
	const held = providers.Money(1000)
	own := providers.Money(7)
	used := providers.Usage{Input: 20, Output: 3}
	count := providers.Usage{Input: 10, Output: 2}
	price := func(u providers.Usage) providers.Money { return providers.Money(u.Input + 10*u.Output) } // 50 used, 30 counted
	whole := providers.Meter{Usage: used, HasUsage: true, Complete: true}
	silent := providers.Meter{Complete: true}
	broken := providers.Meter{}
	halfway := providers.Meter{Usage: used, HasUsage: true} // counted as it went
	paid := providers.Meter{Usage: used, HasUsage: true, Complete: true, Cost: &own}

	for _, c := range []struct {
		name   string
		end    ending
		meter  providers.Meter
		stops  bool
		source providers.UsageSource
		usage  providers.Usage
		cost   providers.Money
	}{
		{"not sent", notSent, broken, false, providers.UsageNone, providers.Usage{}, 0},
		{"not sent to one that stops", notSent, broken, true, providers.UsageNone, providers.Usage{}, 0},
		{"refused", refused, broken, false, providers.UsageNone, providers.Usage{}, 0},
		{"refused with usage", refused, halfway, false, providers.UsageProvider, used, 50},
		{"refused with a cost", refused, paid, false, providers.UsageProvider, used, own},
		{"complete with usage", complete, whole, false, providers.UsageProvider, used, 50},
		{"complete with its own cost", complete, paid, false, providers.UsageProvider, used, own},
		{"complete without usage", complete, silent, false, providers.UsageCounted, count, 30},
		{"cut", cut, broken, false, providers.UsageEstimated, count, held},
		{"cut while it counted", cut, halfway, false, providers.UsageEstimated, count, held},
		{"cut where that stops billing", cut, broken, true, providers.UsageEstimated, count, 30},
		{"cut after its end", cut, whole, false, providers.UsageProvider, used, 50},
		{"unanswered", unanswered, broken, false, providers.UsageEstimated, count, held},
		{"unanswered by one that stops", unanswered, broken, true, providers.UsageEstimated, count, held},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := settle(c.end, account{meter: &c.meter, held: held, cancelStops: c.stops, counted: func() providers.Usage { return count }, price: price})
			if b.source != c.source || b.usage != c.usage || b.cost != c.cost {
				t.Errorf("settled at %v %q %+v, want %v %q %+v", b.cost, b.source, b.usage, c.cost, c.source, c.usage)
			}
		})
	}
}

// TestSettleNeverAboveHold bounds what we count ourselves by the hold.
func TestSettleNeverAboveHold(t *testing.T) {
	a := account{
		meter: &providers.Meter{}, held: 5, cancelStops: true,
		counted: func() providers.Usage { return providers.Usage{Input: 100} }, price: func(u providers.Usage) providers.Money { return providers.Money(u.Input) },
	}
	if b := settle(cut, a); b.cost != 5 {
		t.Errorf("an estimate above the hold settles at %v, want the hold", b.cost)
	}
}
