package route

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"farthing/policies/estimate"
	"farthing/policies/match"
	"farthing/providers"
)

func configured(name string) bool {
	return slices.Contains([]string{"h200", "deepseek", "openai", "anthropic", "corp"}, name)
}

func compile(t interface{ Fatal(...any) }, policies map[string]PolicyConfig) *Rules {
	rules, problems := Compile(policies, configured)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return rules
}

func to[T any](v T) *T { return &v }

// candidate is a paid target ($1 in, $10 out per million; 1,000 tokens in).
func candidate(name string, q float64, cash providers.Money) Candidate {
	provider, model, _ := providers.SplitTarget(name)
	return Candidate{
		Target:   &providers.Target{Name: name, Provider: provider, Model: model, Facts: providers.Facts{Context: 100_000}},
		Estimate: estimate.Estimate{Input: 1000, InputBound: 1100, OutputLikely: 300, OutputLeast: 1000, OutputUsual: 4000, OutputMost: 8000, Answers: 1},
		Quality:  estimate.Quality{Value: q, Low: q / 2, High: (1 + q) / 2, Known: q > 0},
		Priced:   true, ListInput: 1_000_000, ListOutput: 10_000_000,
		Cash: cash, Fixed: 1100 * 1_000_000, PerOutput: 10_000_000,
	}
}

// owned is an engine's target: nothing is billed.
func owned(name string, q float64) Candidate {
	c := candidate(name, q, 0)
	c.Target.SelfHosted, c.Priced, c.ListInput, c.ListOutput, c.Fixed, c.PerOutput = true, false, 0, 0, 0, 0
	return c
}

const cent = providers.Dollar / 100

// five are the candidates of most tests: value in dollars at a worth of 5 cents
// is 0.0300, 0.0340, 0.0380, 0.0150 and 0.0350.
func five() []Candidate {
	return []Candidate{
		owned("h200/deepseek-r1", 0.6),
		candidate("deepseek/deepseek-chat", 0.7, cent/10),
		candidate("openai/gpt-5-mini", 0.8, cent/5),
		candidate("openai/o1", 0.9, 3*cent),
		candidate("anthropic/claude", 0.8, cent/2),
	}
}

func input(pick Pick, candidates []Candidate) *Input {
	config := ModelConfig{Pick: string(pick), GoodAnswerWorth: to(5 * cent)}
	m := config.Model("auto", "auto")
	for i := range candidates {
		m.Targets = append(m.Targets, candidates[i].Target)
	}
	return &Input{Model: &m, Vars: &match.Vars{Model: "auto", Team: "web"}, Candidates: candidates, Share: 0.5, Dice: 0.5}
}

func order(in *Input, d Decision) (names []string) {
	for _, r := range d.Ranked {
		names = append(names, in.Candidates[r.Index].Target.Name)
	}
	return names
}

func TestPicks(t *testing.T) {
	for pick, want := range map[Pick][]string{
		BestValue:   {"openai/gpt-5-mini", "anthropic/claude", "deepseek/deepseek-chat", "h200/deepseek-r1", "openai/o1"},
		Cheapest:    {"h200/deepseek-r1", "deepseek/deepseek-chat", "openai/gpt-5-mini", "anthropic/claude", "openai/o1"},
		BestQuality: {"openai/o1", "openai/gpt-5-mini", "anthropic/claude", "deepseek/deepseek-chat", "h200/deepseek-r1"},
		InOrder:     {"h200/deepseek-r1", "deepseek/deepseek-chat", "openai/gpt-5-mini", "openai/o1", "anthropic/claude"},
	} {
		in := input(pick, five())
		d, err := compile(t, nil).Decide(in)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, order(in, d)); diff != "" || d.Reason != string(pick) {
			t.Errorf("%s (%s): %s", pick, d.Reason, diff)
		}
	}
}

func TestValue(t *testing.T) {
	c := candidate("a/b", 0.8, 2*cent)
	c.Lambda, c.Engine, c.Wait = 0.5, cent/10, 4*time.Second
	in := input(BestValue, []Candidate{c})
	in.Model.WaitingCosts = cent / 10
	if got, want := in.value(&c), 0.05*0.8-1.5*0.02-0.001-0.001*4; math.Abs(got-want) > 1e-12 {
		t.Errorf("value %v, want %v", got, want)
	}
	in.Worth = to(providers.Dollar)
	if got, want := in.value(&c), 0.8-1.5*0.02-0.001-0.001*4; math.Abs(got-want) > 1e-12 {
		t.Errorf("with the header: value %v, want %v", got, want)
	}
	c.Quality = estimate.Quality{Value: 0.9, High: 1} // not measured
	if got := in.value(&c); got > 0 {
		t.Errorf("an ability that nobody measured is worth %v", got)
	}
}

// The two knobs that spill load: waiting and λ.
func TestSpill(t *testing.T) {
	cs := []Candidate{owned("h200/r1", 0.8), candidate("openai/gpt", 0.8, cent/10)}
	in := input(BestValue, cs)
	first := func() string {
		d, err := compile(t, nil).Decide(in)
		if err != nil {
			t.Fatal(err)
		}
		return order(in, d)[0]
	}
	if first() != "h200/r1" {
		t.Error("the idle engine is not first")
	}
	cs[0].Wait = 3 * time.Second // $0.0015 against a bill of $0.001
	if first() != "openai/gpt" {
		t.Error("a wait that costs more than the bill does not spill")
	}
	cs[1].Lambda = 1 // a dollar counts for two
	if first() != "h200/r1" {
		t.Error("λ does not bring it back")
	}
}

func TestFloor(t *testing.T) {
	in := input(Cheapest, five())
	in.Model.MinQuality = 0.75
	rules := compile(t, map[string]PolicyConfig{"p": {Prefer: []string{"h200/*", "openai/o1"}}})
	d, err := rules.Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"openai/o1", "openai/gpt-5-mini", "anthropic/claude", "deepseek/deepseek-chat", "h200/deepseek-r1"}
	if diff := cmp.Diff(want, order(in, d)); diff != "" || d.Reason != "preferred by p, cheapest" {
		t.Errorf("%s: %s", d.Reason, diff)
	}
	in.Model.MinQuality = 0.95
	d, err = rules.Decide(in)
	if err != nil || d.Reason != "below_floor" || order(in, d)[0] != "openai/o1" || len(d.Ranked) != 5 {
		t.Errorf("%v %s %v", err, d.Reason, order(in, d))
	}
	in.Model.Strict = true
	_, err = rules.Decide(in)
	if e := providers.AsError(err); e.Kind != providers.Forbidden || e.Code != "below_min_quality" {
		t.Errorf("strict: %v", err)
	}
	in.Model.MinQuality = 0.75
	if d, err = rules.Decide(in); err != nil || len(d.Ranked) != 3 || d.Explained[0].WhyNot == "" {
		t.Errorf("strict with three above: %v %v", err, order(in, d))
	}
}

func TestRollout(t *testing.T) {
	const baseline = "anthropic/claude"
	tests := []struct {
		name          string
		set           func(*Input)
		first, reason string
		would         string
	}{
		{"in the rollout", func(in *Input) { in.Model.Rollout, in.Share = 50_000, 0.04 }, "openai/gpt-5-mini", "best_value", ""},
		{"outside", func(in *Input) { in.Model.Rollout, in.Share = 50_000, 0.06 }, baseline, "baseline", "openai/gpt-5-mini"},
		{"0 % decides and records", func(in *Input) { in.Model.Rollout, in.Share = 0, 0 }, baseline, "baseline", "openai/gpt-5-mini"},
		{"100 %", func(in *Input) { in.Share = 0.9999999 }, "openai/gpt-5-mini", "best_value", ""},
		{"not learned", func(in *Input) { in.Model.WhenLearned = true }, baseline, "baseline", "openai/gpt-5-mini"},
		{"not learned, explored", func(in *Input) { in.Model.WhenLearned, in.Dice = true, 0.0199 }, "openai/o1", "explored", ""},
		{"learned", func(in *Input) { in.Model.WhenLearned, in.Learned, in.Dice = true, true, 0 }, "openai/gpt-5-mini", "best_value", ""},
		{"the baseline cannot serve", func(in *Input) {
			in.Model.Rollout, in.Share = 0, 0.5
			in.Candidates[4].Unfit = &providers.Error{Kind: providers.Unavailable, Message: "down"}
		}, "openai/gpt-5-mini", "best_value", ""},
		{"explore", func(in *Input) { in.Model.Explore, in.Dice = 20_000, 0 }, "openai/gpt-5-mini", "explored", ""},
		{"explore not drawn", func(in *Input) { in.Model.Explore, in.Dice = 20_000, 0.02 }, "openai/gpt-5-mini", "best_value", ""},
		{"explore only above the floor", func(in *Input) { in.Model.Explore, in.Dice, in.Model.MinQuality = 20_000, 0.01999, 0.75 }, "openai/o1", "explored", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(BestValue, five())
			in.Model.Baseline = baseline
			tt.set(in)
			d, err := compile(t, nil).Decide(in)
			if err != nil || order(in, d)[0] != tt.first || d.Reason != tt.reason || d.Would != tt.would {
				t.Errorf("%v: first %v, reason %q, would %q", err, order(in, d), d.Reason, d.Would)
			}
		})
	}
}

func TestShare(t *testing.T) {
	if Share("m", "s", "u", "r") != Share("m", "s", "other", "another") || Share("m", "", "u", "r") != Share("m", "", "u", "x") || Share("m", "", "", "r") == Share("m", "", "", "x") {
		t.Error("the share is not of the session, else the user, else the request")
	}
	counts := [10]int{}
	for i := range 20_000 {
		counts[int(Share("auto", "", "", fmt.Sprint("req-", i))*10)]++
	}
	for i, n := range counts {
		if n < 1800 || n > 2200 {
			t.Errorf("tenth %d holds %d of 20,000", i, n)
		}
	}
}

func TestOnly(t *testing.T) {
	tests := []struct {
		name string
		only OnlyConfig
		want []string
	}{
		{"self-hosted", OnlyConfig{SelfHosted: to(true)}, []string{"h200/deepseek-r1"}},
		{"paid", OnlyConfig{SelfHosted: to(false)}, []string{"deepseek/deepseek-chat", "openai/gpt-5-mini", "openai/o1", "anthropic/claude"}},
		{"providers, engines too", OnlyConfig{Providers: []string{"h200", "anthropic"}}, []string{"h200/deepseek-r1", "anthropic/claude"}},
		{"targets", OnlyConfig{Targets: []string{"openai/*", "*/claude"}}, []string{"openai/gpt-5-mini", "openai/o1", "anthropic/claude"}},
		{"data_in, unset satisfies nothing", OnlyConfig{DataIn: []string{"eu", "us"}}, []string{"openai/gpt-5-mini"}},
		{"max_price, owned costs 0", OnlyConfig{MaxPrice: &MaxPriceConfig{Input: to(providers.Price(500_000))}}, []string{"h200/deepseek-r1", "openai/o1"}},
		{"max_price of output", OnlyConfig{MaxPrice: &MaxPriceConfig{Output: to(providers.Price(10_000_000))}}, []string{"h200/deepseek-r1", "deepseek/deepseek-chat", "openai/gpt-5-mini", "openai/o1", "anthropic/claude"}},
		{"all conditions of one", OnlyConfig{Providers: []string{"openai"}, MaxPrice: &MaxPriceConfig{Input: to(providers.Price(500_000))}}, []string{"openai/o1"}},
		{"max_cost: least hold is $0.0111", OnlyConfig{MaxCost: to(providers.Money(11_000_000))}, []string{"h200/deepseek-r1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(InOrder, five())
			in.Candidates[2].Target.DataIn = "eu"
			in.Candidates[3].ListInput = 400_000
			d, err := compile(t, map[string]PolicyConfig{"rule": {Only: &tt.only}}).Decide(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, order(in, d)); diff != "" {
				t.Error(diff)
			}
			for _, x := range d.Explained {
				if (x.Rank == 0) != (x.Policy == "policy rule" || x.Policy == "rule") || (x.Rank == 0) != (x.WhyNot != "") {
					t.Errorf("%+v", x)
				}
			}
		})
	}
}

func TestMaxCostLowersTheLimit(t *testing.T) {
	in := input(InOrder, []Candidate{candidate("openai/o1", 0.9, cent), owned("h200/r1", 0.5)})
	in.MaxCost = to(5 * cent)
	rules := compile(t, map[string]PolicyConfig{"p": {Only: &OnlyConfig{MaxCost: to(10 * cent)}}})
	d, err := rules.Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	// $0.05 − $0.0011 for the prompt leaves 4,890 tokens at $10 per million.
	if d.Ranked[0].OutputMost != 4890 || d.Ranked[1].OutputMost != 8000 || d.Explained[0].OutputMost != 4890 {
		t.Errorf("%+v", d.Ranked)
	}
	in.MaxCost = to(cent)
	in.Candidates = in.Candidates[:1]
	_, err = rules.Decide(in)
	if e := providers.AsError(err); e.Kind != providers.Forbidden || !strings.Contains(e.Message, "x-farthing-max-cost-usd") || !strings.Contains(e.Message, "$0.0111") {
		t.Errorf("%v", err)
	}
	in.Candidates[0].Fixed = math.MaxInt64
	if _, err = rules.Decide(in); err == nil {
		t.Error("a price that saturates fits")
	}
}

func TestPoliciesIntersect(t *testing.T) {
	when := func(s string) *string { return &s }
	rules := compile(t, map[string]PolicyConfig{
		"a-web":   {When: when(`team == "web"`), Only: &OnlyConfig{Providers: []string{"openai", "h200"}}},
		"b-all":   {Only: &OnlyConfig{SelfHosted: to(false)}},
		"c-other": {When: when(`team == "legal"`), Only: &OnlyConfig{SelfHosted: to(true)}},
		"d-likes": {When: when(`model == "auto"`), Prefer: []string{"*/o1"}},
	})
	in := input(BestValue, five())
	d, err := rules.Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"openai/o1", "openai/gpt-5-mini"}, order(in, d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Applied{{Name: "a-web"}, {Name: "b-all"}, {Name: "d-likes"}}, d.Policies); diff != "" {
		t.Error(diff)
	}
	in.Vars.Team = "legal"
	_, err = rules.Decide(in)
	if e := providers.AsError(err); e.Kind != providers.Forbidden || e.Code != "policy_forbids" || !strings.Contains(e.Message, "b-all and c-other") && !strings.Contains(e.Message, "c-other and b-all") {
		t.Errorf("%v", err)
	}
}

// An expression that fails at run time matches `only`, never `prefer`.
func TestFailingExpressions(t *testing.T) {
	broken := `1 / input_tokens > 0`
	rules := compile(t, map[string]PolicyConfig{
		"guard": {When: &broken, Only: &OnlyConfig{Providers: []string{"openai"}}, Prefer: []string{"openai/o1"}},
		"likes": {When: &broken, Prefer: []string{"openai/o1"}},
	})
	in := input(BestValue, five())
	d, err := rules.Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"openai/gpt-5-mini", "openai/o1"}, order(in, d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Applied{{Name: "guard", Failed: true}}, d.Policies); diff != "" {
		t.Error(diff)
	}
}

func TestWhoCanServe(t *testing.T) {
	down := &providers.Error{Kind: providers.Unavailable, Message: "its circuit is open", RetryAfter: time.Second}
	unpriced := &providers.Error{Kind: providers.Invalid, Code: "unpriced_model", Message: "it has no price"}
	tests := []struct {
		name string
		set  func(in *Input, c *Candidate)
		why  string
		kind providers.Kind
		code string
	}{
		{"tools", func(in *Input, c *Candidate) { in.Needs.Tools, c.Target.Facts.Tools = true, providers.No }, "tools", providers.Invalid, "tools_not_supported"},
		{"images", func(in *Input, c *Candidate) { in.Needs.Images, c.Target.Facts.Images = true, providers.No }, "images", providers.Invalid, "images_not_supported"},
		{"schema", func(in *Input, c *Candidate) { in.Needs.Schema, c.Target.Facts.Schema = true, providers.No }, "schema", providers.Invalid, "schema_not_supported"},
		{"context", func(_ *Input, c *Candidate) { c.Target.Facts.Context = 1000 }, "context is 1000", providers.Invalid, "context_length_exceeded"},
		{"health", func(_ *Input, c *Candidate) { c.Unfit = down }, "circuit", providers.Unavailable, ""},
		{"no price", func(_ *Input, c *Candidate) { c.Unfit = unpriced }, "no price", providers.Invalid, "unpriced_model"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(BestValue, []Candidate{candidate("openai/a", 0.9, cent), candidate("openai/b", 0.5, cent)})
			tt.set(in, &in.Candidates[0])
			d, err := compile(t, nil).Decide(in)
			if err != nil || len(d.Ranked) != 1 || d.Reason != "only_one_can_serve" || !strings.Contains(d.Explained[0].WhyNot, tt.why) || d.Explained[0].Policy != "" {
				t.Fatalf("%v %+v", err, d)
			}
			tt.set(in, &in.Candidates[1])
			d, err = compile(t, nil).Decide(in)
			var e *providers.Error
			if !errors.As(err, &e) || e.Kind != tt.kind || e.Code != tt.code || !strings.Contains(e.Message, "openai/b: ") || len(d.Explained) != 2 {
				t.Fatalf("%v %+v", err, d)
			}
		})
	}
	if down.Message != "its circuit is open" {
		t.Error("the caller's error was changed")
	}
}

func TestUnknownFactsDoNotKeepOut(t *testing.T) {
	in := input(BestValue, []Candidate{candidate("corp/x", 0.5, cent)})
	in.Needs, in.Candidates[0].Target.Facts.Context = Needs{true, true, true}, 0
	if d, err := compile(t, nil).Decide(in); err != nil || d.Reason != "only_target" {
		t.Fatalf("%v %+v", err, d)
	}
}

// A target that waits beats a policy in the error: it may serve later.
func TestUnavailableBeforeForbidden(t *testing.T) {
	in := input(BestValue, five())
	in.Candidates[0].Unfit = &providers.Error{Kind: providers.Unavailable, Message: "not up yet"}
	_, err := compile(t, map[string]PolicyConfig{"home": {Only: &OnlyConfig{SelfHosted: to(true)}}}).Decide(in)
	if e := providers.AsError(err); e.Kind != providers.Unavailable || !strings.Contains(e.Message, "not up yet") {
		t.Fatalf("%v", err)
	}
	in.Candidates = nil
	if _, err := compile(t, nil).Decide(in); providers.AsError(err).Kind != providers.Unavailable {
		t.Fatalf("no candidate at all: %v", err)
	}
}

func TestNeeds(t *testing.T) {
	when := func(s string) map[string]PolicyConfig {
		return map[string]PolicyConfig{"p": {When: &s, Prefer: []string{"*/x"}}}
	}
	one, two := input(BestValue, five()[:1]).Model, input(BestValue, five()[:2]).Model
	none := compile(t, nil)
	if none.NeedsDifficulty(one) || !none.NeedsDifficulty(two) {
		t.Error("without policies")
	}
	two.Pick = Cheapest
	if none.NeedsDifficulty(two) || !compile(t, when("difficulty < 0.5")).NeedsDifficulty(one) || !compile(t, when("learned")).NeedsDifficulty(one) {
		t.Error("with policies")
	}
	one.MinQuality = 0.5
	if !none.NeedsDifficulty(one) {
		t.Error("with a floor")
	}
	got := NeedsOf(&providers.Brief{Tools: 1, Images: make([]providers.ImageRef, 1), SchemaText: "{}"})
	if got != (Needs{true, true, true}) || NeedsOf(&providers.Brief{}) != (Needs{}) {
		t.Error("NeedsOf")
	}
}

func TestPolicyMistakesAreReportedTogether(t *testing.T) {
	empty, bad := "", "team =="
	_, problems := Compile(map[string]PolicyConfig{
		"a": {},
		"b": {When: &empty, Prefer: []string{"nowhere/x", "bare", "*/ok", "h200/*"}},
		"c": {When: &bad, Only: &OnlyConfig{}},
		"d": {Only: &OnlyConfig{Providers: []string{"h200", "nobody"}, Targets: []string{"x"}, DataIn: []string{}, MaxPrice: &MaxPriceConfig{}, MaxCost: to(providers.Money(-1))}},
	}, configured)
	var paths []string
	for _, p := range problems {
		if p.Warning || p.Message == "" {
			t.Errorf("%+v", p)
		}
		paths = append(paths, p.Path)
	}
	want := []string{
		"policies.a", "policies.b.when", "policies.b.prefer[0]", "policies.b.prefer[1]", "policies.c.when", "policies.c.only",
		"policies.d.only.data_in", "policies.d.only.max_cost", "policies.d.only.max_price", "policies.d.only.providers[1]", "policies.d.only.targets[0]",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
}

func TestModelDefaults(t *testing.T) {
	m := (&ModelConfig{}).Model("x", "x")
	if m.Pick != BestValue || m.Worth != 20_000_000 || m.WaitingCosts != 500_000 || m.MaxQueueWait != 10*time.Second || m.Rollout != whole {
		t.Errorf("%+v", m)
	}
	if m := (&ModelConfig{Listed: true}).Model("x", "x"); m.Pick != InOrder {
		t.Errorf("a bare list is picked by %s", m.Pick)
	}
	set := ModelConfig{Pick: "cheapest", Listed: true, GoodAnswerWorth: to(cent), WaitingCosts: to(MoneyPerSecond(7)), MaxQueueWait: providers.Duration(time.Second), Rollout: "5%", Unsupported: "drop_and_report"}
	m = set.Model("x", "y")
	if m.Pick != Cheapest || m.Worth != cent || m.WaitingCosts != 7 || m.MaxQueueWait != time.Second || m.Rollout != 50_000 || !m.DropFields || m.Name != "x" || m.Entry != "y" {
		t.Errorf("%+v", m)
	}
}

func TestModelCheck(t *testing.T) {
	good := ModelConfig{From: []string{"a/b"}, MinQuality: 1, Strict: true, Baseline: "a/b", Rollout: "when_learned", Explore: 20_000, Pick: "in_order", Unsupported: "error"}
	if p := good.Check("models.x"); len(p) != 0 {
		t.Errorf("%v", p)
	}
	bad := ModelConfig{MinQuality: math.NaN(), Strict: true, Rollout: "200%", Explore: -1, Pick: "x", Unsupported: "x", GoodAnswerWorth: to(providers.Money(-1)), WaitingCosts: to(MoneyPerSecond(-1))}
	if p := bad.Check("models.x"); len(p) != 9 {
		t.Errorf("%d: %v", len(p), p)
	}
	if p := (&ModelConfig{From: []string{"a/b"}, Strict: true}).Check("m"); len(p) != 1 || p[0].Path != "m.strict" {
		t.Errorf("%v", p)
	}
}

func TestMoneyPerSecond(t *testing.T) {
	var m MoneyPerSecond
	if err := m.UnmarshalText([]byte("$0.001 per second")); err != nil || m != 1_000_000 {
		t.Errorf("%v %v", m, err)
	}
	if text, err := m.MarshalText(); err != nil || string(text) != "$0.001 per second" {
		t.Errorf("%s %v", text, err)
	}
	for _, bad := range []string{"", "$0.001", "$1 per hour", "per second", "x per second", "$12.5k per second"} {
		if err := m.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"h200/*", "h200/x", true},
		{"h200/*", "h2001/x", false},
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXc", false},
		{"**a", "bba", true},
		{"a", "a*", false},
		{"*/o1", "openai/o1-mini", false},
		{strings.Repeat("*a", 200) + "b", strings.Repeat("a", 2000), false},
	} {
		if glob(tt.pattern, tt.s) != tt.want {
			t.Errorf("glob(%q, %q)", tt.pattern, tt.s)
		}
	}
}

func TestExplainedIsWrittenWithoutFloatsForMoney(t *testing.T) {
	in := input(BestValue, five())
	d, err := compile(t, nil).Decide(in)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(d.Explained[2])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"target":"openai/gpt-5-mini","rank":1,"input_tokens":1000,"output_likely":300,"output_most":8000,"cost_usd":"0.002",` +
		`"quality":{"value":0.8,"low":0.4,"high":0.9,"known":true,"learned":false},"value":0.038000000000000006}`
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Error(diff)
	}
}

func genCandidates(t *rapid.T) []Candidate {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"h200/a", "h200/b", "openai/a", "openai/b", "anthropic/a", "deepseek/a", "corp/x"}), 1, 7, rapid.ID).Draw(t, "names")
	var all []Candidate
	for _, name := range names {
		c := candidate(name, rapid.Float64Range(0, 1).Draw(t, "q"), providers.Money(rapid.Int64Range(0, int64(cent)).Draw(t, "cash")))
		if strings.HasPrefix(name, "h200") {
			c = owned(name, c.Quality.Value)
		}
		c.ListInput = providers.Price(rapid.Int64Range(0, 2_000_000).Draw(t, "price"))
		c.Target.DataIn = rapid.SampledFrom([]string{"", "eu", "us"}).Draw(t, "data")
		if rapid.IntRange(0, 4).Draw(t, "down") == 0 {
			c.Unfit = &providers.Error{Kind: providers.Unavailable, Message: "down"}
		}
		all = append(all, c)
	}
	return all
}

func genPolicies(t *rapid.T) map[string]PolicyConfig {
	all := map[string]PolicyConfig{}
	for i := range rapid.IntRange(0, 3).Draw(t, "policies") {
		p := PolicyConfig{Prefer: rapid.SliceOfN(rapid.SampledFrom([]string{"h200/*", "*/a", "openai/b"}), 1, 2).Draw(t, "prefer")}
		p.Only = rapid.SampledFrom([]*OnlyConfig{
			nil,
			{SelfHosted: to(true)},
			{SelfHosted: to(false)},
			{Providers: []string{"openai", "h200"}},
			{DataIn: []string{"eu"}},
			{MaxPrice: &MaxPriceConfig{Input: to(providers.Price(1_000_000))}},
			{MaxCost: to(2 * cent)},
		}).Draw(t, "only")
		all[fmt.Sprint("p", i)] = p
	}
	return all
}

// The ranking holds every candidate that can serve once and no other; the same
// input gives the same decision; and a further policy never lets more serve.
func TestRankingProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policies := genPolicies(t)
		in := input(rapid.SampledFrom([]Pick{BestValue, Cheapest, BestQuality, InOrder}).Draw(t, "pick"), genCandidates(t))
		in.Share, in.Dice = rapid.Float64Range(0, 0.999).Draw(t, "share"), rapid.Float64Range(0, 0.999).Draw(t, "dice")
		in.Model.MinQuality = rapid.SampledFrom([]float64{0, 0.5}).Draw(t, "floor")
		in.Model.Strict = in.Model.MinQuality > 0 && rapid.Bool().Draw(t, "strict")
		in.Model.Baseline, in.Model.Rollout = "openai/a", providers.Percent(rapid.Int64Range(0, int64(whole)).Draw(t, "rollout"))
		in.Model.Explore = providers.Percent(rapid.Int64Range(0, int64(whole)).Draw(t, "explore"))
		rules := compile(t, policies)
		d, err := rules.Decide(in)
		checkRanking(t, in, d, err)
		again, _ := rules.Decide(in)
		if diff := cmp.Diff(d, again); diff != "" {
			t.Fatal(diff)
		}
		policies["further"] = PolicyConfig{Only: &OnlyConfig{Targets: []string{"*/a"}}}
		narrower, _ := compile(t, policies).Decide(in)
		for _, r := range narrower.Ranked {
			i := slices.IndexFunc(d.Ranked, func(x Ranked) bool { return x.Index == r.Index })
			if i < 0 || r.OutputMost > d.Ranked[i].OutputMost {
				t.Fatalf("a further policy lets %s serve", in.Candidates[r.Index].Target.Name)
			}
		}
	})
}

func checkRanking(t *rapid.T, in *Input, d Decision, err error) {
	if (err == nil) != (len(d.Ranked) > 0) {
		t.Fatalf("%d ranked, error %v", len(d.Ranked), err)
	}
	ranks := map[int]int{}
	for rank, r := range d.Ranked {
		if ranks[r.Index] != 0 {
			t.Fatal("a candidate stands twice")
		}
		ranks[r.Index] = rank + 1
		if r.OutputMost < r.OutputLeast {
			t.Fatalf("%+v", r)
		}
	}
	for i, x := range d.Explained {
		if x.Rank != ranks[i] || (x.Rank > 0) != (x.WhyNot == "") || x.Target != in.Candidates[i].Target.Name {
			t.Fatalf("rank %d, explained %+v", ranks[i], x)
		}
		if in.Candidates[i].Unfit != nil && x.Rank > 0 {
			t.Fatal("a target that is down serves")
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	when := `team == "web" && "pii" in tags`
	for name, policies := range map[string]map[string]PolicyConfig{
		"no policy":    nil,
		"two policies": {"a": {When: &when, Only: &OnlyConfig{SelfHosted: to(true)}}, "b": {Only: &OnlyConfig{MaxCost: to(providers.Dollar)}, Prefer: []string{"h200/*"}}},
	} {
		b.Run(name, func(b *testing.B) {
			rules, in := compile(b, policies), input(BestValue, five())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rules.Decide(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
