package flow

import (
	"context"
	"fmt"
	"time"

	"farthing/gateway/flow/send"
	"farthing/gateway/record"
	"farthing/policies/budget"
	"farthing/policies/ledger"
	"farthing/providers"
)

// hold sets money aside for the first of the ranked candidates that the budgets
// allow, and returns the attempt and the candidates behind it. The ledger gets
// each run of paid candidates whole and takes the first that fits in one step;
// nothing is checked first and taken later. A self-hosted target costs no
// budget: it serves in its place in the ranking, unless a budget above it is
// spent and says otherwise.
func (c *call) hold(ctx context.Context, ranked []choice) (*send.Attempt, []choice, error) {
	var spent *ledger.Refusal
	for i := 0; i < len(ranked); {
		if ranked[i].Target.SelfHosted {
			nodes := c.nodes(ranked[i].Target)
			if spent == nil {
				spent = c.refusing(nodes)
			}
			if spent == nil || ownedMayServe(spent) {
				return c.attempt(ranked[i], nodes, nil, ranked[i].outputMost), ranked[i+1:], nil
			}
			i++
			continue
		}
		paid := i
		for i < len(ranked) && !ranked[i].Target.SelfHosted {
			i++
		}
		offers := c.offers(ranked[paid:i])
		h, refusal := c.flow.ledger.Hold(ctx, time.Now(), offers)
		if h != nil {
			taken := ranked[paid+h.Offer]
			return c.attempt(taken, offers[h.Offer].Nodes, h, h.Output), ranked[paid+h.Offer+1:], nil
		}
		if refusal.Reason == ledger.Canceled || refusal.Reason == ledger.Closing {
			return nil, nil, c.overBudget(refusal)
		}
		spent = stricter(spent, refusal)
	}
	if spent == nil {
		return nil, nil, unavailable("no target of this model is left to try")
	}
	return c.spentOut(ctx, spent)
}

// refusing is the refusal of a budget that lets nothing serve once no paid hold
// of the decision fits, self-hosted targets included; nil where there is none. It
// goes by what the store last said: a target that costs nothing takes no hold.
func (c *call) refusing(nodes []*budget.Node) *ledger.Refusal {
	var need providers.Money = 1 // where no candidate is paid a budget is spent at its limit
	for _, r := range c.ranked {
		if least := r.Fixed.Add(providers.Price(r.PerOutput).Times(r.outputLeast)).Money(); !r.Target.SelfHosted && (need == 1 || least < need) {
			need = least
		}
	}
	for _, s := range c.flow.ledger.Seen(time.Now(), nodes) {
		if rule := s.Node.WhenSpent(); s.Left < need && s.Node.Enforced() && rule.Action == budget.Refuse {
			return &ledger.Refusal{
				Reason: ledger.OverBudget, Node: s.Node, Limit: s.Limit.Amount, Spent: s.Spent, Held: s.Held, Unconfirmed: s.Unconfirmed,
				Left: s.Left, Need: need, Window: s.Window, Resets: s.Resets, Nodes: []*budget.Node{s.Node}, WhenSpent: rule,
			}
		}
	}
	return nil
}

// offers are what the ledger is asked, in the ranking's order: each candidate's
// own budgets, its bound, and the output that would do.
func (c *call) offers(ranked []choice) []ledger.Offer {
	offers := make([]ledger.Offer, len(ranked))
	for i, r := range ranked {
		e := &r.Estimate
		offers[i] = ledger.Offer{
			Target: r.Target.Name, Nodes: c.nodes(r.Target), Fixed: r.Fixed, PerOutput: providers.Price(r.PerOutput),
			MaxOutput: r.outputMost, Likely: min(max(e.OutputUsual, r.outputLeast), r.outputMost), MinOutput: min(r.outputLeast, r.outputMost),
			ClientLimit: c.brief.MaxOutput > 0,
		}
	}
	return offers
}

// nodes are the budgets that a send to target charges.
func (c *call) nodes(target *providers.Target) []*budget.Node {
	v := &c.vars
	v.Target, v.TargetModel, v.Provider, v.SelfHosted = target.Name, target.Model, target.Provider, target.SelfHosted
	return c.state.Tree.Path(v)
}

// spentOut ends the search for money: decided anew as another model where the
// budget says so, once, else refused.
func (c *call) spentOut(ctx context.Context, spent *ledger.Refusal) (*send.Attempt, []choice, error) {
	name := spent.WhenSpent.Model
	if name == "" || c.moved || spent.Reason != ledger.OverBudget {
		return nil, nil, c.overBudget(spent)
	}
	c.moved = true
	c.note("budget " + spent.Node.Name + " is spent: decided anew as " + name)
	if err := c.mayUse(name); err != nil {
		return nil, nil, err
	}
	if err := c.decide(name); err != nil {
		return nil, nil, err
	}
	return c.hold(ctx, c.ranked)
}

// ownedMayServe says whether self-hosted targets serve although no paid hold
// fits. While the store is away they always do.
func ownedMayServe(r *ledger.Refusal) bool {
	return r.Reason != ledger.OverBudget || r.WhenSpent.Model == "" && r.WhenSpent.Action != budget.Refuse
}

// stricter keeps the refusal whose budget allows less.
func stricter(a, b *ledger.Refusal) *ledger.Refusal {
	switch {
	case a == nil:
		return b
	case a.Reason != ledger.OverBudget:
		return b
	case b.Reason != ledger.OverBudget:
		return a
	case budget.Strictest([]budget.WhenSpent{a.WhenSpent, b.WhenSpent}) == b.WhenSpent:
		return b
	}
	return a
}

// overBudget is the error of a refusal: it names the budget, its limit, what is
// spent and held, and when it resets.
func (c *call) overBudget(r *ledger.Refusal) error {
	switch r.Reason {
	case ledger.OverBudget:
		c.charges = r.Nodes
	case ledger.Canceled:
		return &providers.Error{Kind: providers.Canceled, Message: "the client left"}
	case ledger.Closing:
		return unavailable("the gateway is stopping")
	default:
		return &providers.Error{
			Kind: providers.Unavailable, Code: "store_unavailable", RetryAfter: 5 * time.Second,
			Message: "the budget store cannot be reached, so nothing that costs money is sent; self-hosted targets still serve",
		}
	}
	resets, after := "never: it is a total", time.Duration(0)
	if !r.Resets.IsZero() {
		resets, after = r.Resets.In(c.state.Zone).Format(time.RFC3339), time.Until(r.Resets)
	}
	return &providers.Error{
		Kind: providers.OverBudget, Code: "insufficient_quota", RetryAfter: max(after, 0),
		Message: fmt.Sprintf("budget %s is spent for this request, which needs at least %s: limit %s (%s), spent %s, held %s, unconfirmed %s, left %s; resets %s",
			r.Node.Name, r.Need.USD(), r.Limit.USD(), r.Window, r.Spent.USD(), r.Held.USD(), r.Unconfirmed.USD(), r.Left.USD(), resets),
	}
}

// attempt opens an attempt with an id of its own. nodes are the budgets that it
// charges.
func (c *call) attempt(r choice, nodes []*budget.Node, h *ledger.Hold, output int64) *send.Attempt {
	c.charges = nodes
	switch {
	case c.vars.FallbackFrom != "":
		c.receipt.Reason = c.reason + "; fallback"
	case r.Target != c.ranked[0].Target:
		c.receipt.Reason = c.reason + "; budget" // what stands before it does not fit
	}
	return send.New(&c.flow.sends, send.Order{
		ID: NewID(time.Now()), Conn: c.state.Conns[r.Target.Provider], Target: r.Target, Row: r.row, Estimate: r.Estimate,
		Hold: h, Output: output, Brief: c.brief, Body: c.in.Body, Forward: c.in.Header.Forward, Received: c.in.Received,
		MaxWait: c.model.MaxQueueWait, Settled: func(at record.Attempt) { c.settled(&r.Estimate, at) }, Ended: func(err error) []byte { return c.ended(err) },
	})
}
