package flow

import (
	"strconv"
	"strings"
	"time"

	"farthing/gateway/record"
	"farthing/providers"
	"farthing/providers/catalog/price"
)

// finished completes the receipt after the attempt that answered: the lines of
// its bill and what the budgets have left.
func (c *call) finished(a *attempt) {
	r := c.receipt
	if a.row != nil && r.UsageSource != providers.UsageNone {
		r.Lines = lines(a.row.Cost(r.Usage, a.terms()))
	}
	r.Budgets = r.Budgets[:0]
	for _, s := range c.flow.ledger.Seen(time.Now(), c.nodes(a.Target)) {
		r.Budgets = append(r.Budgets, record.Budget{Name: s.Node.Name, Window: s.Window, Limit: s.Limit.Amount,
			Spent: s.Spent, Held: s.Held, Left: s.Left})
	}
}

func lines(b price.Bill) []record.Line {
	all := make([]record.Line, len(b.Lines))
	for i, l := range b.Lines {
		each := l.Price.String()
		if l.Price == 0 {
			each = l.Each.String()
		}
		all[i] = record.Line{Class: l.Class, Count: l.Count, Price: each, Amount: l.Cost.String(), Source: b.Source}
	}
	return all
}

// headers are the response headers that every answer of the data plane carries,
// as far as they are known.
func (c *call) headers() [][2]string {
	h := make([][2]string, 0, 12)
	h = append(h, [2]string{"x-farthing-id", c.receipt.ID})
	if c.brief != nil {
		h = append(h, [2]string{"x-farthing-model", printable(c.receipt.Asked)})
	}
	if c.receipt.Target != "" {
		h = append(h, [2]string{"x-farthing-target", c.receipt.Target})
	}
	if c.receipt.Reason != "" {
		h = append(h, [2]string{"x-farthing-reason", c.receipt.Reason})
	}
	return h
}

// headers are those of an answer: what is left of the tightest budget, and the
// output limit where it was lowered to fit.
func (a *attempt) headers() [][2]string {
	a.call.receipt.Target = a.Target.Name
	h := a.call.headers()
	if left, ok := a.left(); ok {
		h = append(h, [2]string{"x-farthing-budget-left-usd", left.String()})
	}
	if a.clamped() {
		h = append(h, [2]string{"x-farthing-clamped", "max_tokens=" + strconv.FormatInt(a.output, 10)})
	}
	return h
}

// left is what the tightest budget of the attempt had left when it was held.
func (a *attempt) left() (providers.Money, bool) {
	if a.hold != nil && a.hold.LeftNode != nil {
		return a.hold.Left, true
	}
	left, _, known := a.call.flow.ledger.Left(time.Now(), a.call.nodes(a.Target))
	return left, known
}

// printable is a client's word made fit for a header: shortened, and without
// what is not printable ASCII.
func printable(s string) string {
	if len(s) > 256 {
		s = s[:256]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
