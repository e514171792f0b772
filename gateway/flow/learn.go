package flow

import (
	"farthing/policies/estimate"
	"farthing/providers"
	"farthing/providers/catalog/price"
)

// account is what settlement needs to know of the attempt.
func (a *attempt) account() account {
	return account{
		meter:       a.relay.Meter(),
		held:        a.held,
		cancelStops: a.conn.CancelStopsBilling == providers.Yes,
		counted:     a.counted,
		price:       a.price,
	}
}

// price is what the target bills for u, by the price book at the tier that the
// answer names. A self-hosted target costs no dollars of a budget.
func (a *attempt) price(u providers.Usage) providers.Money {
	if a.row == nil {
		return 0
	}
	return a.row.Total(u, a.terms()).Money()
}

func (a *attempt) terms() price.Terms {
	tier := a.relay.Meter().Tier
	if tier == "" {
		tier = a.call.brief.Tier
	}
	return price.Terms{Tier: tier, Region: a.Target.DataIn, At: a.call.in.Received}
}

// counted is our own count: the prompt's estimate and the tokens of the text
// seen. A reasoning model that was cut off has also thought unseen; its learned
// median stands for that.
func (a *attempt) counted() providers.Usage {
	m := a.relay.Meter()
	u := providers.Usage{Input: a.Estimate.Input, Output: int64(estimate.Tokens(a.Target.Facts.Encoding, string(m.Text)))}
	if a.Target.Facts.Reasoning && !m.Complete {
		u.Reasoning = a.Estimate.OutputLikely
		u.Output += u.Reasoning
	}
	return u
}

// learn feeds the lengths of complete answers back to the estimator and notes
// the estimate's errors.
func (a *attempt) learn(e ending, b bill) {
	if e != complete {
		return
	}
	r := &a.call.receipt.Estimate
	r.InputError = b.usage.TotalInput() - a.Estimate.Input
	r.OutputError = b.usage.TotalOutput() - a.Estimate.OutputLikely*max(a.Estimate.Answers, 1)
	a.call.flow.estimator.Observe(a.Target, a.Estimate, estimate.Outcome{
		Usage: b.usage, Cut: a.relay.Meter().Finish == providers.FinishLength, Clamped: a.clamped()})
}
