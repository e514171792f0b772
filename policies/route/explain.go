package route

import (
	"farthing/policies/estimate"
	"farthing/providers"
)

// Explained is one candidate in a receipt: what was known of it and why it was
// ranked where it was, or why it could not serve.
type Explained struct {
	Target       string           `json:"target"`
	Rank         int              `json:"rank,omitempty"`    // 1 is tried first; 0: could not serve
	WhyNot       string           `json:"why_not,omitempty"` // why it could not
	Policy       string           `json:"policy,omitempty"`  // what forbade it: a policy's name, or who set a maximal cost
	InputTokens  int64            `json:"input_tokens"`
	OutputLikely int64            `json:"output_likely"` // tokens, of one answer
	OutputMost   int64            `json:"output_most"`   // the greatest limit held
	Cost         providers.Money  `json:"cost_usd"`      // the expected bill
	Quality      estimate.Quality `json:"quality,omitzero"`
	WaitMS       int64            `json:"wait_ms,omitempty"`
	Lambda       float64          `json:"lambda,omitempty"`
	EnginePrice  providers.Money  `json:"engine_price_usd,omitempty"`
	// Value is worth × quality − (1 + λ) × cost − engine − waiting, in dollars.
	// It ranks candidates and is no money.
	Value float64 `json:"value"`
}

// describe fills in what is known of a candidate, whether it can serve or not.
func (x *Explained) describe(c *Candidate, in *Input) {
	x.Target = c.Target.Name
	x.InputTokens, x.OutputLikely, x.OutputMost = c.Estimate.Input, c.Estimate.OutputLikely, c.Estimate.OutputMost
	x.Cost, x.WaitMS, x.Lambda, x.EnginePrice = c.Cash, c.Wait.Milliseconds(), c.Lambda, c.Engine
	x.Quality = c.Quality
	x.Value = in.value(c)
}

// value is what the candidate's answer is worth beyond what it costs, in
// dollars:
//
//	good_answer_worth × q − (1 + Σλ) × cash − engine − waiting_costs × wait
//
// A target whose ability nobody measured has q = 0: it can win by its price,
// never by its quality.
func (in *Input) value(c *Candidate) float64 {
	worth := in.Model.Worth
	if in.Worth != nil {
		worth = *in.Worth
	}
	q := 0.0
	if c.Quality.Known {
		q = c.Quality.Value
	}
	return dollars(worth)*q - (1+c.Lambda)*dollars(c.Cash) - dollars(c.Engine) - dollars(in.Model.WaitingCosts)*c.Wait.Seconds()
}

// dollars is for values that are compared, never for amounts that are kept.
func dollars(m providers.Money) float64 { return float64(m) / float64(providers.Dollar) }
