package send

import (
	"context"
	"time"

	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/policies/estimate"
	"farthing/policies/ledger"
	"farthing/providers"
	"farthing/providers/catalog/price"
	"farthing/providers/upstream"
)

// finish settles the attempt, exactly once, on every path. cause is why it
// failed, nil if it did not.
func (a *Attempt) finish(e ending, cause error) {
	a.settled.Do(func() {
		if a.release != nil {
			a.release()
		}
		took := time.Since(a.started)
		if a.gated {
			a.Conn.Gate.Leave(took)
		}
		a.report(cause)
		b := settle(e, a.account())
		if a.Hold != nil {
			a.parts.Ledger.Settle(a.Hold, ledger.Cost{Amount: b.cost, Source: b.source})
		}
		if e == complete {
			a.parts.Estimator.Observe(a.Target, a.Estimate, estimate.Outcome{
				Usage: b.usage, Cut: a.relay.Meter().Finish == providers.FinishLength, Clamped: a.Clamped(),
			})
		}
		a.record(b, cause, took)
	})
}

// report tells the breaker what the attempt showed about the target.
func (a *Attempt) report(cause error) {
	if a.ticket == 0 {
		return
	}
	outcome := upstream.Success
	if cause != nil {
		outcome = upstream.Neutral
		switch providers.AsError(cause).Kind {
		case providers.Upstream, providers.Unavailable, providers.Timeout:
			if a.Conn.Gate == nil || a.gated { // a full queue of ours says nothing about the server
				outcome = upstream.Fault
			}
		}
	}
	a.Conn.Breaker(a.Target.Name).Report(a.ticket, outcome)
}

// account is what settlement needs to know of the attempt.
func (a *Attempt) account() account {
	return account{
		meter:       a.relay.Meter(),
		held:        a.held(),
		cancelStops: a.Conn.CancelStopsBilling == providers.Yes,
		counted:     a.counted,
		price:       a.price,
	}
}

// price is what the target bills for u, by the price book at the tier that the
// answer names, less what was negotiated. A self-hosted target costs no dollars
// of a budget.
func (a *Attempt) price(u providers.Usage) providers.Money {
	if a.Row == nil {
		return 0
	}
	total := a.Row.Total(u, a.terms())
	return (total - price.Discount(total, a.Conn.Discount)).Money()
}

func (a *Attempt) terms() price.Terms {
	tier := a.relay.Meter().Tier
	if tier == "" {
		tier = a.Brief.Tier
	}
	return price.Terms{Tier: tier, Region: a.Target.DataIn, At: a.Received}
}

// counted is our own count: the prompt's estimate and the tokens of the text
// seen. A reasoning model that was cut off has also thought unseen; its learned
// median stands for that.
func (a *Attempt) counted() providers.Usage {
	m := a.relay.Meter()
	u := providers.Usage{Input: a.Estimate.Input, Output: int64(estimate.Tokens(a.Target.Facts.Encoding, string(m.Text)))}
	if a.Target.Facts.Reasoning && !m.Complete {
		u.Reasoning = a.Estimate.OutputLikely
		u.Output += u.Reasoning
	}
	return u
}

// OutcomeOK is the outcome of what was answered.
const OutcomeOK = "ok"

// Outcome is how an attempt or a request ended, in one word: ok, or the kind of
// its error.
func Outcome(err error) string {
	if err == nil {
		return OutcomeOK
	}
	return providers.AsError(err).Kind.String()
}

// record hands the attempt's story to its call and counts it.
func (a *Attempt) record(b bill, cause error, took time.Duration) {
	m, outcome := a.relay.Meter(), Outcome(cause)
	at := record.Attempt{
		ID: a.ID, Target: a.Target.Name, Hold: a.held(), MaxOutput: a.Output, Clamped: a.Clamped(), Status: a.status, Outcome: outcome,
		Usage: b.usage, UsageSource: b.source, Cost: b.cost, Model: m.Model, Tier: m.Tier, UpstreamID: a.upID, Repairs: m.Repairs,
		FirstByteMS: a.first.Milliseconds(), Millis: took.Milliseconds(), Lines: a.lines(b),
	}
	failed := ""
	if cause != nil {
		at.Error, failed = providers.AsError(cause).Message, outcome
	}
	a.span.Answer(m.Model, string(m.Finish), b.usage.TotalInput(), b.usage.TotalOutput())
	a.span.End(failed)
	a.parts.Telemetry.Attempted(context.Background(), telemetry.Attempt{
		Target: a.Target.Name, Provider: a.Target.Provider, Model: a.Target.ID, Outcome: outcome, Source: string(b.source),
		Duration: took, FirstByte: a.first, Input: b.usage.TotalInput(), Output: b.usage.TotalOutput(), USD: float64(b.cost) / float64(providers.Dollar),
	})
	a.Settled(at)
}

// lines is the bill line by line: by the price book, or in one line where the
// provider said what it cost.
func (a *Attempt) lines(b bill) []record.Line {
	own := a.relay.Meter().Cost
	switch {
	case a.Row == nil || b.source == providers.UsageNone:
		return nil
	case own != nil && b.source != providers.UsageEstimated:
		return []record.Line{{Class: "reported", Count: 1, Price: own.String(), Amount: own.String(), Source: "the provider's own cost field"}}
	}
	priced := a.Row.Cost(b.usage, a.terms())
	all := make([]record.Line, len(priced.Lines), len(priced.Lines)+1)
	for i, l := range priced.Lines {
		each := l.Price.String()
		if l.Price == 0 {
			each = l.Each.String()
		}
		all[i] = record.Line{Class: l.Class, Count: l.Count, Price: each, Amount: l.Cost.String(), Source: priced.Source}
	}
	if off := price.Discount(priced.Total, a.Conn.Discount); off > 0 {
		all = append(all, record.Line{Class: "discount", Count: 1, Amount: "-" + off.String()})
	}
	return all
}
