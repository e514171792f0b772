package flow

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"farthing/gateway/flow/send"
	"farthing/gateway/record"
	"farthing/providers"
)

// outcomeExplained is the outcome of a request that asked only for its decision.
const outcomeExplained = "explained"

// Explain decides a request and gives its receipt, whether it could be served or
// not. Nothing is held or sent.
func (f *Flow) Explain(ctx context.Context, in *Inbound) *record.Receipt {
	in.Header.Explain = true
	c, ctx := f.begin(ctx, in)
	if _, err := c.serve(ctx); err != nil {
		_ = c.failed(ctx, err) // it stands in the receipt
	}
	return c.receipt
}

// explain answers with the receipt of what would have been done.
func (c *call) explain() (*Reply, error) {
	target := c.ranked[0].Target
	c.receipt.Target = target.Name
	c.charges = c.nodes(target)
	c.charged()
	c.note("explained only: nothing was held or sent")
	h := c.headers()
	c.receipt.Outcome = outcomeExplained
	c.close(nil)
	body, err := json.Marshal(c.receipt)
	if err != nil {
		return nil, err
	}
	return &Reply{Status: 200, ContentType: "application/json", Header: h, Body: body}, nil
}

// charged writes into the receipt which limits the last attempt charged, or which
// refused it, with what the store last said of them.
func (c *call) charged() {
	r, nodes := c.receipt, c.charges
	r.Budgets = r.Budgets[:0]
	for _, n := range nodes {
		for _, l := range n.Limits {
			r.Budgets = append(r.Budgets, record.Budget{Name: n.Name, Limit: l.Amount, Per: l.Window.String()})
		}
	}
	if c.flow.ledger == nil { // an explanation without a store
		return
	}
	for _, s := range c.flow.ledger.Seen(time.Now(), nodes) {
		i := slices.IndexFunc(r.Budgets, func(b record.Budget) bool { return b.Name == s.Node.Name && b.Per == s.Limit.Window.String() })
		r.Budgets[i].Spent = &record.Spent{Window: s.Window, Spent: s.Spent, Held: s.Held, Left: s.Left}
	}
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

// attemptHeaders are those of an answer: what is left of the tightest budget,
// and the output limit where it was lowered to fit.
func (c *call) attemptHeaders(a *send.Attempt) [][2]string {
	h := c.headers()
	if left, ok := c.left(a); ok {
		h = append(h, [2]string{"x-farthing-budget-left-usd", left.String()})
	}
	if a.Clamped() {
		h = append(h, [2]string{"x-farthing-clamped", "max_tokens=" + strconv.FormatInt(a.Output, 10)})
	}
	return h
}

// left is what the tightest budget of the attempt has left: beside the hold while
// the answer is still coming, beside the bill once it is known.
func (c *call) left(a *send.Attempt) (providers.Money, bool) {
	if a.Hold != nil && a.Hold.LeftNode != nil {
		left, n := a.Hold.Left, len(c.receipt.Attempts)
		if n > 0 && c.receipt.Attempts[n-1].ID == a.ID {
			left += a.Hold.Amount - c.receipt.Attempts[n-1].Cost
		}
		return max(left, 0), true
	}
	left, _, known := c.flow.ledger.Left(time.Now(), c.nodes(a.Target))
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
