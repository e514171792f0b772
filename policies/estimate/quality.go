package estimate

import "farthing/providers"

// Quality is the predicted probability that a target's answer to a request is
// good enough, with its interval. Known is false where nobody measured the
// target's ability: then Value is 0, so that it never wins by ability, and the
// interval says that anything is possible. Learned is true once it comes from
// outcomes seen here.
type Quality struct {
	Value   float64 `json:"value"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Known   bool    `json:"known"`
	Learned bool    `json:"learned"`
}

// How far a request's difficulty moves the odds of a right answer, in logits
// from the easiest to the hardest. Before anything was learned the measure is
// little more than a guess, so targets go by their average abilities and the
// measure tilts them by at most one logit to either side.
const (
	plainSlope   = 2.0
	learnedSlope = 6.0
)

// Quality is logit⁻¹(ability − difficulty): the ability is the target's
// accuracy on published benchmarks as a logit, and the difficulty is 0 logits
// at 0.5, the average question of those, so that there the prediction is the
// published accuracy itself. Abilities are taken between 1 % and 99 %.
func (r *Request) Quality(t *providers.Target) Quality {
	a := t.Facts.Ability
	if !a.Known {
		return Quality{High: 1}
	}
	d, slope := r.Difficulty(), plainSlope
	if d.Learned {
		slope = learnedSlope
	}
	at := func(difficulty float64) float64 { return logistic(logit(a.Value) - slope*(difficulty-0.5)) }
	return Quality{Value: at(d.Value), Low: at(d.High), High: at(d.Low), Known: true, Learned: d.Learned}
}
