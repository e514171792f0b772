package send

import (
	"farthing/providers"
)

// ending is how an attempt ended, as far as its bill is concerned.
type ending uint8

const (
	notSent    ending = iota // no byte of the request was written
	refused                  // the provider answered with an error status
	complete                 // the answer ended as its format says
	cut                      // the answer broke, was cancelled, or was drained to its bound
	unanswered               // the request was written and nothing came back
)

// bill is what an attempt is settled at.
type bill struct {
	usage  providers.Usage
	source providers.UsageSource
	cost   providers.Money
}

// account is what settlement needs to know of an attempt besides its ending.
type account struct {
	meter       *providers.Meter
	held        providers.Money
	cancelStops bool                   // cutting it off stops the billing
	counted     func() providers.Usage // input and the output seen, by our own count, hidden reasoning included
	price       func(providers.Usage) providers.Money
}

// settle is the settlement table, the only place where an attempt's cost is
// decided. It never says zero because a stream broke.
//
//	not sent, or an error status       0, unless the body has usage
//	complete with usage                that; the provider's own cost field first
//	complete without usage             counted
//	cut, where cancelling stops bills  counted, with the learned hidden reasoning
//	cut elsewhere, or unanswered       the whole hold
func settle(e ending, a account) bill {
	m := a.meter
	switch {
	case (e == complete || e == refused) && m.HasUsage:
		return bill{m.Usage, providers.UsageProvider, costOf(a, m.Usage)}
	case e == notSent || e == refused:
		return bill{source: providers.UsageNone}
	case e == complete:
		u := a.counted()
		return bill{u, providers.UsageCounted, costOf(a, u)}
	case e == cut && m.HasUsage && m.Complete:
		return bill{m.Usage, providers.UsageProvider, costOf(a, m.Usage)}
	case e == cut && a.cancelStops:
		u := a.counted()
		return bill{u, providers.UsageEstimated, min(a.price(u), a.held)}
	default:
		return bill{a.counted(), providers.UsageEstimated, a.held}
	}
}

// costOf takes the provider's own cost field first, then the price book.
func costOf(a account, u providers.Usage) providers.Money {
	if a.meter.Cost != nil {
		return *a.meter.Cost
	}
	return a.price(u)
}
