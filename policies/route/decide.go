package route

import (
	"fmt"
	"hash/fnv"
	"time"

	"farthing/policies/estimate"
	"farthing/policies/match"
	"farthing/providers"
)

// Input is everything that a decision is made from.
type Input struct {
	Model      *Model
	Vars       *match.Vars // for the policies' `when`
	Needs      Needs
	Candidates []Candidate      // one for each of Model.Targets, in that order
	MaxCost    *providers.Money // x-farthing-max-cost-usd
	Worth      *providers.Money // x-farthing-good-answer-worth-usd
	// Share places the request in a rollout: a number in [0,1) that stays the
	// same for a session; see Share. Dice is drawn anew for every request and
	// is used only by explore and when_learned.
	Share, Dice float64
	Learned     bool // every target of the model has the grades that when_learned waits for
}

// Needs is what a request asks of a target.
type Needs struct{ Tools, Images, Schema bool }

// NeedsOf reads the needs of a request.
func NeedsOf(b *providers.Brief) Needs {
	return Needs{Tools: b.Tools > 0, Images: len(b.Images) > 0, Schema: b.SchemaText != ""}
}

// Candidate is a target with what is known of it now.
type Candidate struct {
	Target   *providers.Target
	Estimate estimate.Estimate
	Quality  estimate.Quality
	// Unfit is why the target cannot serve now for reasons that only the caller
	// knows (its circuit is open, its engine is not up, it has no price); nil if
	// it can. It is the client's error if nothing else can serve.
	Unfit *providers.Error

	Priced                bool            // a paid target: its price is known
	ListInput, ListOutput providers.Price // list prices, for max_price
	Cash                  providers.Money // the expected bill; 0 for an owned target
	// The hold: Fixed for the prompt and fees, and PerOutput for every token of
	// the output limit, all answers together. Both 0 for an owned target.
	Fixed, PerOutput providers.Pico

	Wait   time.Duration   // predicted time to the answer
	Lambda float64         // Σλ of the budgets on the target's path
	Engine providers.Money // an owned engine's marginal price now
}

// Ranked is one candidate of the decision's order.
type Ranked struct {
	Index       int   // into Input.Candidates
	OutputMost  int64 // the greatest output limit to hold: the estimate's, or what a maximal cost leaves
	OutputLeast int64 // the least that is acceptable
}

// Decision is the ranked candidates and why.
type Decision struct {
	Ranked    []Ranked    // who is tried, in this order; at least one
	Reason    string      // why the first is first, for x-farthing-reason
	Would     string      // where the baseline serves: the target that pick would have taken
	Policies  []Applied   // that bound the request
	Explained []Explained // every candidate, in the order of Input.Candidates
}

// Share is where a request falls in a model's rollout: a number in [0,1) from
// the session, else the user, else the request's id. One session keeps its
// place; different models have different places.
func Share(model, session, user, request string) float64 {
	who := session
	if who == "" {
		who = user
	}
	if who == "" {
		who = request
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(model + "\x00" + who))
	x := h.Sum64()
	x ^= x >> 32 // FNV leaves the last bytes' difference in the low half
	x *= 0x9e3779b97f4a7c15
	return float64(x>>11) / (1 << 53)
}

// Decide ranks the candidates. The error is a *providers.Error: Forbidden
// naming the policy if policies leave nothing, else why no target can serve;
// the Decision explains every candidate in either case.
func (all *Rules) Decide(in *Input) (Decision, error) {
	r := all.bind(in)
	d := Decision{Explained: make([]Explained, len(in.Candidates))}
	for i, p := range r.by {
		d.Policies = append(d.Policies, Applied{Name: p.name, Failed: r.failed[i]})
	}
	places := make([]place, 0, len(in.Candidates))
	var kept refusals
	for i := range in.Candidates {
		c := &in.Candidates[i]
		x := &d.Explained[i]
		x.describe(c, in)
		p, no := in.admit(c, i, &r)
		if no != nil {
			x.WhyNot, x.Policy = no.why, no.policy
			kept.add(no, c)
			continue
		}
		p.value, x.OutputMost = x.Value, p.OutputMost
		places = append(places, p)
	}
	if len(places) == 0 {
		return d, kept.error(in.Model)
	}
	places, err := in.order(&d, places)
	if err != nil {
		return d, err
	}
	d.Ranked = make([]Ranked, len(places))
	for rank, p := range places {
		d.Ranked[rank] = p.Ranked
		d.Explained[p.Index].Rank = rank + 1
	}
	return d, nil
}

// refusal is why one candidate may not or cannot serve.
type refusal struct {
	why    string
	policy string // the policy that forbids it, or what set a maximal cost
	err    *providers.Error
}

// admit applies the policies' `only`, then what the target can do, then the
// maximal cost.
func (in *Input) admit(c *Candidate, index int, r *bound) (place, *refusal) {
	if p, why := r.forbids(c); p != nil {
		return place{}, &refusal{why: why, policy: p.name}
	}
	if err := in.unfit(c); err != nil {
		return place{}, &refusal{why: err.Message, err: err}
	}
	p := place{Ranked: Ranked{Index: index, OutputMost: c.Estimate.OutputMost, OutputLeast: c.Estimate.OutputLeast}}
	if r.maxCost != nil {
		if why := p.limit(c, *r.maxCost); why != "" {
			return place{}, &refusal{why: why, policy: r.costBy}
		}
	}
	if by := r.preferred(c.Target.Name); by != nil {
		p.preferred = by.name
	}
	p.cash = c.Cash
	if c.Quality.Known {
		p.quality = c.Quality.Value
	}
	p.below = in.Model.MinQuality > 0 && (!c.Quality.Known || c.Quality.Value < in.Model.MinQuality)
	return p, nil
}

// unfit says why the target cannot serve the request, nil if it can.
func (in *Input) unfit(c *Candidate) *providers.Error {
	facts, asks := &c.Target.Facts, in.Needs
	invalid := func(code, format string, args ...any) *providers.Error {
		return &providers.Error{Kind: providers.Invalid, Code: code, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case c.Unfit != nil:
		return c.Unfit
	case asks.Tools && facts.Tools == providers.No:
		return invalid("tools_not_supported", "it cannot call tools")
	case asks.Images && facts.Images == providers.No:
		return invalid("images_not_supported", "it cannot read images")
	case asks.Schema && facts.Schema == providers.No:
		return invalid("schema_not_supported", "it cannot answer by a JSON schema")
	case facts.Context > 0 && c.Estimate.Input >= facts.Context:
		return invalid("context_length_exceeded", "the prompt has about %d tokens and its context is %d", c.Estimate.Input, facts.Context)
	}
	return nil
}

// limit lowers the output limit until the hold fits in cost, not below the
// least acceptable; why says that it does not fit.
func (p *place) limit(c *Candidate, cost providers.Money) (why string) {
	left := cost.Pico() - c.Fixed
	if left >= 0 && (c.PerOutput == 0 || int64(left/c.PerOutput) >= p.OutputLeast) {
		if c.PerOutput > 0 {
			p.OutputMost = min(p.OutputMost, int64(left/c.PerOutput))
		}
		return ""
	}
	least := c.Fixed.Add(providers.Price(c.PerOutput).Times(p.OutputLeast)).Money()
	return fmt.Sprintf("it must hold at least %s, more than the maximal cost of %s", least.USD(), cost.USD())
}
