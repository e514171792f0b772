package flow

import (
	"fmt"
	"math/rand/v2"
	"time"

	"farthing/gateway/flow/send"
	"farthing/policies/route"
	"farthing/providers"
	"farthing/providers/catalog/price"
	"farthing/providers/upstream"
)

// choice is one ranked candidate with what its attempt needs.
type choice struct {
	*route.Candidate
	row         *price.Row // nil for a self-hosted target
	outputMost  int64
	outputLeast int64
}

// decide finds what name stands for and ranks its targets. It holds nothing and
// sends nothing.
func (c *call) decide(name string) (err error) {
	if c.model, err = c.state.Names.Resolve(name); err != nil {
		return err
	}
	c.receipt.Entry = c.model.Entry
	if c.request == nil {
		c.request = c.flow.estimator.Read(c.brief)
	}
	in := route.Input{
		Model: c.model, Vars: &c.vars, Needs: route.NeedsOf(c.brief),
		Share: route.Share(c.model.Name, c.vars.Session, c.vars.User, c.receipt.ID), Dice: rand.Float64(),
	}
	if in.MaxCost, err = moneyHeader("x-farthing-max-cost-usd", c.in.Header.MaxCost); err != nil {
		return err
	}
	if in.Worth, err = moneyHeader("x-farthing-good-answer-worth-usd", c.in.Header.GoodAnswerWorth); err != nil {
		return err
	}
	rows := make([]*price.Row, len(c.model.Targets))
	in.Candidates = make([]route.Candidate, len(c.model.Targets))
	difficult := c.state.Rules.NeedsDifficulty(c.model) || c.state.Tree.Uses("difficulty") || c.state.Tree.Uses("learned")
	for i, t := range c.model.Targets {
		in.Candidates[i], rows[i] = c.candidate(t, difficult)
	}
	c.estimated(in.Candidates, difficult)
	d, err := c.state.Rules.Decide(&in)
	c.explained(&d)
	if err != nil {
		return err
	}
	c.ranked = make([]choice, len(d.Ranked))
	for i, r := range d.Ranked {
		c.ranked[i] = choice{&in.Candidates[r.Index], rows[r.Index], r.OutputMost, r.OutputLeast}
	}
	return nil
}

// candidate gathers what is known of a target for this request.
func (c *call) candidate(t *providers.Target, difficult bool) (route.Candidate, *price.Row) {
	k := route.Candidate{Target: t, Estimate: c.request.For(t)}
	if difficult {
		k.Quality = c.request.Quality(t)
	}
	conn := c.state.Conns[t.Provider]
	k.Unfit = unfit(conn, t)
	if conn != nil && conn.Gate != nil {
		k.Wait = conn.Gate.Wait()
	}
	if t.SelfHosted {
		return k, nil
	}
	row, err := c.row(t)
	if err != nil {
		k.Unfit = err
		return k, nil
	}
	terms := price.Terms{Tier: c.brief.Tier, Region: t.DataIn, At: c.in.Received}
	k.Priced = true
	k.ListInput, k.ListOutput = row.Prices(k.Estimate.Input, terms)
	k.Cash = row.Total(providers.Usage{Input: k.Estimate.Input, Output: k.Estimate.OutputLikely * k.Estimate.Answers}, terms).Money()
	ask := price.Ask{Input: k.Estimate.InputBound, Tiers: tiers(c.brief.Tier, t.Type), Region: t.DataIn, Media: len(c.brief.Images)+c.brief.Files > 0}
	if len(row.Config.PerSearch) > 0 && t.Type == "perplexity" {
		ask.Searches = 1 // it searches for every request
	}
	fixed, perOutput := row.Bound(ask)
	if what := unbounded(c.brief, row); what != "" {
		if c.state.Unbounded.Refuse {
			k.Unfit = &providers.Error{
				Kind: providers.Forbidden, Code: "no_upper_bound",
				Message: "nothing bounds what " + what + " may cost, and prices.no_upper_bound is refuse",
			}
		}
		fixed = fixed.Add(c.state.Unbounded.Hold.Pico())
	}
	k.Fixed, k.PerOutput = fixed, perOutput.Times(k.Estimate.Answers)
	return k, row
}

// unbounded names what a request may cost beside its tokens that nothing bounds:
// tools that the provider runs, citations that it bills; "" if there is nothing.
func unbounded(b *providers.Brief, row *price.Row) string {
	switch {
	case len(b.ServerTools) > 0:
		return "the provider's own tool " + b.ServerTools[0]
	case row.Config.Citation != nil:
		return "its citations"
	}
	return ""
}

// tiers are the service tiers in which a request may be served: the one it asks
// for, and any where it leaves that to the provider. OpenAI and Azure take no
// word for auto, which is what the project is set to.
func tiers(asked, provider string) []string {
	switch {
	case asked == "auto", asked == "" && (provider == "openai" || provider == "azure"):
		return []string{"flex", "priority"}
	case asked == "", asked == "default", asked == "standard":
		return nil
	}
	return []string{asked}
}

// row finds the target's price. A paid target without one is refused, with the
// way to price it, or priced like its provider's dearest where the file says so.
func (c *call) row(t *providers.Target) (*price.Row, *providers.Error) {
	row, ok := c.state.Book.For(*t, c.in.Received)
	if ok && row.Priced() {
		return row, nil
	}
	if c.state.LikeDearest {
		if row, ok = c.state.Book.Dearest(t.Type, c.in.Received); ok {
			c.note(t.Name + " has no price: held and billed like the dearest of " + t.Type)
			return row, nil
		}
	}
	return nil, &providers.Error{
		Kind: providers.Invalid, Code: "unpriced_model", Param: "model",
		Message: fmt.Sprintf("%s has no price, so it cannot be kept inside a budget; price it with prices: {rows: [{target: %s, input: …, output: …}]}", t.Name, t.Name),
	}
}

// unfit says why a target cannot be sent to now.
func unfit(conn *send.Conn, t *providers.Target) *providers.Error {
	if conn == nil {
		return unavailable(t.Provider + " cannot be reached: it is not configured")
	}
	if conn.Ready != nil {
		if err := conn.Ready(); err != nil {
			return &providers.Error{Kind: providers.Unavailable, Code: "engine_not_ready", RetryAfter: time.Second, Message: err.Error()}
		}
	}
	if state, wait := conn.Breaker(t.Name).State(); state == upstream.Open && wait > 0 {
		return &providers.Error{
			Kind: providers.Unavailable, Code: "target_resting", RetryAfter: wait,
			Message: fmt.Sprintf("it has failed repeatedly and is left alone for %v more", wait.Round(time.Second)),
		}
	}
	return nil
}

// estimated notes the estimate of the first candidate, the figures that `when`
// sees.
func (c *call) estimated(candidates []route.Candidate, difficult bool) {
	if len(candidates) == 0 {
		return
	}
	e := candidates[0].Estimate
	c.vars.InputTokens, c.vars.OutputTokens = e.Input, e.OutputLikely
	r := &c.receipt.Estimate
	r.Input, r.InputBound, r.OutputLikely, r.OutputMost = e.Input, e.InputBound, e.OutputLikely, e.OutputMost
	if difficult {
		d := c.request.Difficulty()
		c.vars.Difficulty, c.vars.Learned = d.Value, d.Learned
		r.Difficulty, r.DifficultyModel = &d.Value, d.Version
		if !d.Learned && c.model.Pick == route.BestValue {
			c.note("not learned yet: quality is the targets' average ability")
		}
	}
}

// explained writes the decision into the receipt.
func (c *call) explained(d *route.Decision) {
	r := c.receipt
	r.Candidates, r.Reason, c.reason = d.Explained, d.Reason, d.Reason
	r.Policies = r.Policies[:0]
	for _, p := range d.Policies {
		r.Policies = append(r.Policies, p.Name)
		if p.Failed {
			c.note("policy " + p.Name + ": its `when` could not be evaluated, so its `only` holds")
		}
	}
	if d.Would != "" {
		c.note("the baseline serves; without it " + d.Would + " would have")
	}
}

// moneyHeader reads an amount from a header; nil where there is none.
func moneyHeader(name, value string) (*providers.Money, error) {
	if value == "" {
		return nil, nil
	}
	m, err := providers.ParseMoney(value)
	if err != nil || m < 0 {
		return nil, &providers.Error{Kind: providers.Invalid, Param: name, Message: name + " must be an amount in dollars such as 0.05"}
	}
	return &m, nil
}
