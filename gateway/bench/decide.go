package main

import (
	"context"
	"errors"
	"fmt"

	"farthing/gateway/bench/table"
	"farthing/policies/estimate"
	"farthing/policies/match"
	"farthing/policies/route"
	"farthing/providers"
)

type decisions struct {
	b      *bench
	rules  *route.Rules
	inputs []*route.Input
}

func openDecide(_ context.Context, b *bench) (turns, error) {
	when, most := `team == "web" && "pii" in tags`, providers.Dollar
	owned := true
	rules, problems := route.Compile(map[string]route.PolicyConfig{
		"private": {When: &when, Only: &route.OnlyConfig{SelfHosted: &owned}},
		"thrift":  {Only: &route.OnlyConfig{MaxCost: &most}, Prefer: []string{"engine/*"}},
	}, func(string) bool { return true })
	for _, p := range problems {
		return nil, errors.New(p.Path + ": " + p.Message)
	}
	g := &decisions{b: b, rules: rules}
	for _, n := range []int{1, 5, 20} {
		g.inputs = append(g.inputs, input(n))
	}
	return g, nil
}

// input is a request that n targets may serve, every fourth of them self-hosted.
func input(n int) *route.Input {
	config := route.ModelConfig{Pick: string(route.BestValue)}
	m := config.Model("auto", "auto")
	in := &route.Input{Model: &m, Vars: &match.Vars{Model: "auto", Team: "web", InputTokens: 1000}, Share: 0.5, Dice: 0.5}
	for i := range n {
		c := route.Candidate{
			Estimate: estimate.Estimate{Input: 1000, InputBound: 1100, OutputLikely: 300, OutputLeast: 1000, OutputUsual: 4000, OutputMost: 8000, Answers: 1},
			Quality:  estimate.Quality{Value: 0.5 + float64(i%7)/16, Low: 0.3, High: 0.95, Known: true},
			Priced:   true, ListInput: 1_000_000, ListOutput: 10_000_000,
			Cash: providers.Money(i%5+1) * providers.Dollar / 1000, Fixed: 1100 * 1_000_000, PerOutput: 10_000_000,
		}
		provider := "vendor"
		if i%4 == 0 && n > 1 {
			provider = "engine"
			c.Priced, c.ListInput, c.ListOutput, c.Cash, c.Fixed, c.PerOutput = false, 0, 0, 0, 0, 0
		}
		model := fmt.Sprintf("model-%d", i)
		c.Target = &providers.Target{Name: provider + "/" + model, Provider: provider, Model: model, SelfHosted: provider == "engine", Facts: providers.Facts{Context: 100_000}}
		m.Targets = append(m.Targets, c.Target)
		in.Candidates = append(in.Candidates, c)
	}
	return in
}

func (g *decisions) close() error { return nil }

func (g *decisions) round(_ context.Context, s *table.Sheet) error {
	for _, in := range g.inputs {
		d, err := g.rules.Decide(in)
		if err != nil || len(d.Ranked) != len(in.Candidates) {
			return fmt.Errorf("%d of %d candidates are ranked: %w", len(d.Ranked), len(in.Candidates), err)
		}
		e := repeat(g.b, 64, func() *route.Input { return in }, func(in *route.Input) { _, _ = g.rules.Decide(in) })
		name := table.Plural(len(in.Candidates), "candidate")
		of := s.Of(name, "decide", "")
		of.Put("CPU time", "ns", e.ns)
		of.Put("allocations", "", e.allocs)
	}
	return nil
}
