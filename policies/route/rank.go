package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"farthing/providers"
)

// place is a candidate that can serve, with what it is ranked by.
type place struct {
	Ranked
	below     bool   // the model's min_quality
	preferred string // the policy that prefers it, "" if none
	value     float64
	quality   float64
	cash      providers.Money
}

// order ranks those that can serve: by min_quality first of all, then those
// that a policy prefers, then by pick, and at last as the file lists them. Then
// the baseline or an exploration may move one to the front.
func (in *Input) order(d *Decision, places []place) ([]place, error) {
	m := in.Model
	if m.Strict && m.MinQuality > 0 {
		before := len(places)
		places = slices.DeleteFunc(places, func(p place) bool {
			if p.below {
				d.Explained[p.Index].WhyNot = fmt.Sprintf("below min_quality %v", m.MinQuality)
			}
			return p.below
		})
		if len(places) == 0 {
			return nil, &providers.Error{
				Kind: providers.Forbidden, Code: "below_min_quality", Param: "model",
				Message: fmt.Sprintf("none of the %d targets of %q that can serve reaches its min_quality of %v, and it is strict", before, ShortName(m.Name), m.MinQuality),
			}
		}
	}
	slices.SortFunc(places, func(a, b place) int { return in.compare(&a, &b) })
	d.Reason = reason(m, places)
	in.steer(d, places)
	return places, nil
}

func (in *Input) compare(a, b *place) int {
	if a.below != b.below {
		return first(b.below)
	}
	if a.below { // both: the best there is
		return cmp.Or(cmp.Compare(b.quality, a.quality), cmp.Compare(a.Index, b.Index))
	}
	if (a.preferred == "") != (b.preferred == "") {
		return first(b.preferred == "")
	}
	by := 0
	switch in.Model.Pick {
	case BestValue:
		by = cmp.Compare(b.value, a.value)
	case Cheapest:
		by = cmp.Compare(a.cash, b.cash)
	case BestQuality:
		by = cmp.Compare(b.quality, a.quality)
	}
	return cmp.Or(by, cmp.Compare(a.Index, b.Index))
}

// first is -1 where a goes before b.
func first(a bool) int {
	if a {
		return -1
	}
	return 1
}

// reason says why the first place is first.
func reason(m *Model, places []place) string {
	switch {
	case places[0].below:
		return "below_floor"
	case len(m.Targets) == 1:
		return "only_target"
	case len(places) == 1:
		return "only_one_can_serve"
	case places[0].preferred != "":
		return "preferred by " + places[0].preferred + ", " + string(m.Pick)
	}
	return string(m.Pick)
}

// steer puts the baseline or an explored target first. Nothing is random unless
// the model asks for it.
func (in *Input) steer(d *Decision, places []place) {
	m := in.Model
	baseline := slices.IndexFunc(places, func(p place) bool { return in.Candidates[p.Index].Target.Name == m.Baseline })
	outside := in.Share >= float64(m.Rollout)/float64(whole)
	explore := float64(m.Explore) / float64(whole)
	if m.WhenLearned {
		outside, explore = !in.Learned, learningShare
		if in.Learned {
			explore = float64(m.Explore) / float64(whole)
		}
	}
	serves := outside && m.Baseline != "" && baseline >= 0
	mayExplore := !serves || m.WhenLearned
	if mayExplore && in.Dice < explore {
		floor := len(places)
		if !places[0].below { // those below the floor are sorted last
			if i := slices.IndexFunc(places, func(p place) bool { return p.below }); i >= 0 {
				floor = i
			}
		}
		chosen := min(int(in.Dice/explore*float64(floor)), floor-1)
		front(places, chosen)
		d.Reason = "explored"
		return
	}
	if serves {
		d.Would = in.Candidates[places[0].Index].Target.Name
		front(places, baseline)
		d.Reason = "baseline"
	}
}

// front moves one place to the front and keeps the others' order.
func front(places []place, i int) {
	chosen := places[i]
	copy(places[1:i+1], places[:i])
	places[0] = chosen
}

// refusals gathers why nobody can serve.
type refusals struct {
	lines    []string
	policies []string
	waiting  *providers.Error // someone could serve later
	other    *providers.Error
}

func (r *refusals) add(no *refusal, c *Candidate) {
	r.lines = append(r.lines, c.Target.Name+": "+no.why)
	switch {
	case no.err == nil:
		if !slices.Contains(r.policies, no.policy) {
			r.policies = append(r.policies, no.policy)
		}
	case no.err.Kind == providers.Unavailable || no.err.Kind == providers.RateLimited:
		if r.waiting == nil {
			r.waiting = no.err
		}
	case r.other == nil:
		r.other = no.err
	}
}

// error is the client's: 503 or 429 if somebody could serve later, 403 naming the
// policies if they keep out anyone who could, else why the first cannot.
func (r *refusals) error(m *Model) *providers.Error {
	why := strings.Join(r.lines, "; ")
	cause := r.waiting
	if cause == nil && len(r.policies) > 0 {
		return &providers.Error{
			Kind: providers.Forbidden, Code: "policy_forbids", Param: "model",
			Message: fmt.Sprintf("%s leaves no target for the model %q: %s", named(r.policies), ShortName(m.Name), why),
		}
	}
	if cause == nil {
		cause = r.other
	}
	if cause == nil {
		return &providers.Error{Kind: providers.Unavailable, Code: "model_not_ready", Message: fmt.Sprintf("the model %q has no target now", ShortName(m.Name))}
	}
	refused := *cause
	refused.Message = fmt.Sprintf("no target can serve the model %q: %s", ShortName(m.Name), why)
	return &refused
}

func named(policies []string) string {
	if len(policies) == 1 {
		if strings.Contains(policies[0], " ") || strings.HasPrefix(policies[0], "x-") {
			return policies[0]
		}
		return "the policy " + policies[0]
	}
	return "together, " + strings.Join(policies, " and ")
}
