package budget

import (
	"strings"
	"testing"
	"time"

	"farthing/providers"
)

func TestCompileProblems(t *testing.T) {
	day := limits(t, "$1 per day")
	empty, unknown, notBool := "", `taem == "x"`, `team`
	tests := []struct {
		name string
		cfg  map[string]Config
		want string // path: part of the message
	}{
		{"dangling", map[string]Config{"a": {Limit: day, Inside: "b"}}, `budgets.a.inside: there is no budget "b"; budgets are a`},
		{"circle", map[string]Config{
			"a": {Limit: day, Inside: "b"}, "b": {Limit: day, Inside: "c"}, "c": {Limit: day, Inside: "a"}, "d": {Limit: day, Inside: "a"},
		}, "budgets.a.inside: budgets inside each other in a circle: a inside b inside c inside a"},
		{"itself", map[string]Config{"a": {Limit: day, Inside: "a"}}, "budgets.a.inside: budgets inside each other in a circle: a inside a"},
		{"each", map[string]Config{"a": {Limit: day, Each: "tag"}}, `budgets.a.each: "tag" is not known here`},
		{"each tag without a name", map[string]Config{"a": {Limit: day, Each: "tags."}}, `budgets.a.each: "tags."`},
		{"except alone", map[string]Config{"a": {Limit: day, Except: map[string]Limits{"x": day}}}, "budgets.a.except: "},
		{"except none", map[string]Config{"a": {Limit: day, Each: "user", Except: map[string]Limits{"(none)": day}}}, "budgets.a.except.(none): a missing value"},
		{"except empty", map[string]Config{"a": {Limit: day, Each: "user", Except: map[string]Limits{"x": nil}}}, "budgets.a.except.x: an exception needs"},
		{"except twice", map[string]Config{"a": {Limit: day, Each: "user", Except: map[string]Limits{"x": append(day, day...)}}}, "budgets.a.except.x[1]: two limits for one window: $1.00 per day and"},
		{"limit twice", map[string]Config{"a": {Limit: append(day, day...)}}, "budgets.a.limit[1]: two limits"},
		{"no limit", map[string]Config{"a": {Mode: "warn"}}, "budgets.a: a budget needs a limit"},
		{"limit out of range", map[string]Config{"a": {Limit: Limits{{Amount: -1}}}}, "budgets.a.limit: a limit is at least"},
		{"mode", map[string]Config{"a": {Limit: day, Mode: "shout"}}, `budgets.a.mode: "shout" is not known here: write enforce or warn`},
		{"spread", map[string]Config{"a": {Limit: day, Spread: "thin"}}, `budgets.a.spread: "thin"`},
		{"spread total", map[string]Config{"a": {Limit: limits(t, "$1"), Spread: "evenly"}}, "warning budgets.a.spread: has no effect"},
		{"charge", map[string]Config{"a": {Limit: day, Charge: "all"}}, `budgets.a.charge: "all"`},
		{"when_spent", map[string]Config{"a": {Limit: day, WhenSpent: WhenSpent{Action: "cry"}}}, `budgets.a.when_spent: "cry"`},
		{"when_spent both", map[string]Config{"a": {Limit: day, WhenSpent: WhenSpent{Action: Refuse, Model: "m"}}}, "budgets.a.when_spent: write one of"},
		{"own", map[string]Config{"a": {Limit: day, Charge: "paid_and_own", WhenSpent: WhenSpent{Action: SelfHosted}}}, "budgets.a.when_spent: self_hosted cannot serve"},
		{"warn and refuse", map[string]Config{"a": {Limit: day, Mode: "warn", WhenSpent: WhenSpent{Action: Refuse}}}, "warning budgets.a.when_spent: has no effect"},
		{"alert", map[string]Config{"a": {Limit: day, AlertAt: []providers.Percent{500000, 0}}}, "budgets.a.alert_at[1]: "},
		{"rate", map[string]Config{"a": {Limit: day, Parallel: -1}}, "budgets.a.parallel: cannot be negative"},
		{"name", map[string]Config{"a/b": {Limit: day}}, "budgets.a/b: a budget's name"},
		{"empty when", map[string]Config{"a": {Limit: day, When: &empty}}, "budgets.a.when: at column 1 of the expression: the expression is empty"},
		{"unknown variable", map[string]Config{"a": {Limit: day, When: &unknown}}, `budgets.a.when: at column 1 of the expression: unknown variable "taem"`},
		{"not a condition", map[string]Config{"a": {Limit: day, When: &notBool}}, "budgets.a.when: at column 1 of the expression: the expression must be true or false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			compiled, problems := Compile(tt.cfg, time.UTC)
			if len(problems) != 1 {
				t.Fatalf("problems = %+v, want one", problems)
			}
			p := problems[0]
			got := p.Path + ": " + p.Message
			if p.Warning {
				got = "warning " + got
			}
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if (compiled != nil) != p.Warning {
				t.Errorf("tree = %v with warning = %v", compiled, p.Warning)
			}
		})
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	bad := "nope && nada"
	_, problems := Compile(map[string]Config{
		"a": {Mode: "x", Charge: "y", Spread: "z", Each: "w", When: &bad, Inside: "none"},
		"b": {Inside: "b"},
	}, time.UTC)
	if len(problems) != 10 {
		t.Errorf("%d problems, want 10: %+v", len(problems), problems)
	}
}

func TestCompileNothing(t *testing.T) {
	compiled, problems := Compile(nil, nil)
	if compiled == nil || len(problems) > 0 || compiled.Zone() != time.UTC {
		t.Errorf("tree %v, problems %+v", compiled, problems)
	}
}
