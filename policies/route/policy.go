package route

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"farthing/policies/match"
	"farthing/providers"
)

// policy is one compiled rule.
type policy struct {
	name   string
	when   *match.Program // nil: always
	only   *OnlyConfig
	prefer []string
}

// Rules are the file's policies, ready for use. They are immutable.
type Rules struct{ policies []policy }

// Compile reads the policies, in the order of their names. configured says
// whether a provider or an engine has a name. All mistakes are returned
// together; the rules are usable if none of them is an error.
func Compile(configs map[string]PolicyConfig, configured func(name string) bool) (*Rules, []providers.Problem) {
	var problems []providers.Problem
	all := new(Rules)
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		config := configs[name]
		path := "policies." + name
		p := policy{name: name, only: config.Only, prefer: config.Prefer}
		if config.When != nil {
			program, err := match.Compile(*config.When, match.Request)
			if err != nil {
				problems = append(problems, match.Problems(path+".when", err)...)
			}
			p.when = program
		}
		if config.Only == nil && len(config.Prefer) == 0 {
			problems = append(problems, providers.Problemf(path, "does nothing: write only or prefer"))
		}
		problems = append(problems, checkTargets(path+".prefer", config.Prefer, configured)...)
		if config.Only != nil {
			problems = append(problems, config.Only.check(path+".only", configured)...)
		}
		all.policies = append(all.policies, p)
	}
	return all, problems
}

func (o *OnlyConfig) check(path string, configured func(string) bool) (problems []providers.Problem) {
	if o.SelfHosted == nil && o.Providers == nil && o.Targets == nil && o.DataIn == nil && o.MaxPrice == nil && o.MaxCost == nil {
		problems = append(problems, providers.Problemf(path, "has no condition"))
	}
	for field, list := range map[string][]string{"providers": o.Providers, "targets": o.Targets, "data_in": o.DataIn} {
		if list != nil && len(list) == 0 {
			problems = append(problems, providers.Problemf(path+"."+field, "an empty list lets nothing through"))
		}
	}
	for i, name := range o.Providers {
		if !configured(name) {
			problems = append(problems, providers.Problemf(fmt.Sprintf("%s.providers[%d]", path, i), "no provider or engine is named %q", name))
		}
	}
	problems = append(problems, checkTargets(path+".targets", o.Targets, configured)...)
	if o.MaxPrice != nil && o.MaxPrice.Input == nil && o.MaxPrice.Output == nil {
		problems = append(problems, providers.Problemf(path+".max_price", "has neither input nor output"))
	}
	if o.MaxCost != nil && *o.MaxCost < 0 {
		problems = append(problems, providers.Problemf(path+".max_cost", "must not be negative"))
	}
	slices.SortStableFunc(problems, func(a, b providers.Problem) int { return strings.Compare(a.Path, b.Path) })
	return problems
}

// checkTargets reports target patterns whose provider does not exist.
func checkTargets(path string, targets []string, configured func(string) bool) (problems []providers.Problem) {
	for i, target := range targets {
		at := fmt.Sprintf("%s[%d]", path, i)
		provider, _, slash := providers.SplitTarget(target)
		switch {
		case strings.Contains(provider, "*"):
		case !slash:
			problems = append(problems, providers.Problemf(at, "%q is no target: write provider/model, with * for any", target))
		case !configured(provider):
			problems = append(problems, providers.Problemf(at, "no provider or engine is named %q", provider))
		}
	}
	return problems
}

// Applied is a policy that bound a request. Failed means that its `when` could
// not be evaluated: then its `only` holds and its `prefer` does not.
type Applied struct {
	Name   string `json:"name"`
	Failed bool   `json:"failed,omitempty"`
}

// bound are the policies that bind one request.
type bound struct {
	by      []*policy
	failed  []bool
	maxCost *providers.Money // the lowest of the policies and the client
	costBy  string           // who set maxCost
}

// bind evaluates every policy's `when`.
func (all *Rules) bind(in *Input) (r bound) {
	if in.MaxCost != nil {
		r.maxCost, r.costBy = in.MaxCost, "x-farthing-max-cost-usd"
	}
	for i := range all.policies {
		p := &all.policies[i]
		holds, failed := true, false
		if p.when != nil {
			var err error
			if holds, err = p.when.Match(in.Vars); err != nil {
				holds, failed = p.only != nil, true
			}
		}
		if !holds {
			continue
		}
		r.by, r.failed = append(r.by, p), append(r.failed, failed)
		if p.only != nil && p.only.MaxCost != nil && (r.maxCost == nil || *p.only.MaxCost < *r.maxCost) {
			r.maxCost, r.costBy = p.only.MaxCost, p.name
		}
	}
	return r
}

// forbids returns the first policy that keeps the candidate out, and why.
func (r *bound) forbids(c *Candidate) (p *policy, why string) {
	for _, p := range r.by {
		if p.only == nil {
			continue
		}
		if why := p.only.violation(c); why != "" {
			return p, why
		}
	}
	return nil, ""
}

// preferred returns the first policy that prefers the target.
func (r *bound) preferred(target string) *policy {
	for i, p := range r.by {
		if !r.failed[i] && matchesAny(p.prefer, target) {
			return p
		}
	}
	return nil
}

// violation says which condition a candidate does not meet, "" if it meets all.
// max_cost bounds the hold and is applied with the limits.
func (o *OnlyConfig) violation(c *Candidate) string {
	t := c.Target
	switch {
	case o.SelfHosted != nil && *o.SelfHosted != t.SelfHosted:
		if *o.SelfHosted {
			return "only self-hosted targets may serve"
		}
		return "only paid targets may serve"
	case o.Providers != nil && !slices.Contains(o.Providers, t.Provider):
		return "only these providers may serve: " + strings.Join(o.Providers, ", ")
	case o.Targets != nil && !matchesAny(o.Targets, t.Name):
		return "only these targets may serve: " + strings.Join(o.Targets, ", ")
	case o.DataIn != nil && (t.DataIn == "" || !slices.Contains(o.DataIn, t.DataIn)):
		return "data may only be in " + strings.Join(o.DataIn, ", ")
	case o.MaxPrice != nil && !t.SelfHosted:
		return o.MaxPrice.violation(c)
	}
	return ""
}

func (m *MaxPriceConfig) violation(c *Candidate) string {
	switch {
	case !c.Priced:
		return "its price is not known, and max_price stands"
	case m.Input != nil && c.ListInput > *m.Input:
		return fmt.Sprintf("input costs $%v per million tokens, more than $%v", c.ListInput, *m.Input)
	case m.Output != nil && c.ListOutput > *m.Output:
		return fmt.Sprintf("output costs $%v per million tokens, more than $%v", c.ListOutput, *m.Output)
	}
	return ""
}

func matchesAny(patterns []string, target string) bool {
	for _, p := range patterns {
		if glob(p, target) {
			return true
		}
	}
	return false
}

// glob matches with * for any letters, in time bounded by the product of the
// lengths.
func glob(pattern, s string) bool {
	star, from := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// NeedsDifficulty says whether deciding for this model looks at the request's
// difficulty: with one target and no policy that asks, it need not be measured.
func (all *Rules) NeedsDifficulty(m *Model) bool {
	ranked := len(m.Targets) > 1 && (m.Pick == BestValue || m.Pick == BestQuality)
	return ranked || m.MinQuality > 0 || all.uses("difficulty") || all.uses("learned")
}

func (all *Rules) uses(name string) bool {
	return slices.ContainsFunc(all.policies, func(p policy) bool { return p.when != nil && p.when.Uses(name) })
}
