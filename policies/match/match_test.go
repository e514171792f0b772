package match

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func compile(t testing.TB, expr string, scope Scope) *Program {
	t.Helper()
	p, err := Compile(expr, scope)
	if err != nil {
		t.Fatalf("Compile(%q): %v", expr, err)
	}
	return p
}

var ada = Vars{
	Model: "auto", Key: "laptop", User: "ada", Team: "legal", Session: "s1", Format: "openai",
	Tags:        map[string]string{"pii": "", "app": "ci"},
	InputTokens: 7999, OutputTokens: 300, Difficulty: 0.25, Learned: true, HasTools: true,
	Hour: 9, Weekday: "mon",
	Target: "openai/o1", TargetModel: "o1", Provider: "openai", FallbackFrom: "h200/deepseek-r1",
}

func TestMatch(t *testing.T) {
	tests := []struct {
		expr string
		want bool
	}{
		{`"pii" in tags || team == "legal"`, true},
		{`"pii" in tags`, true},
		{`"secret" in tags`, false},
		{`!("secret" in tags)`, true},
		{`has(tags.pii) && !has(tags.secret)`, true},
		{`tags.app == "ci"`, true},
		{`tags["app"] == "ci"`, true},
		{`tags.missing == ""`, true},
		{`tags["missing"] == ""`, true},
		{`tags[team] == ""`, true},
		{`size(tags) == 2 && tags.size() == 2`, true},
		{`tags.exists(name, name.startsWith("pi"))`, true},
		{`tags.all(name, tags[name] != "")`, false},
		{`team != "research"`, true},
		{`model == "auto" && difficulty < 0.3 && input_tokens < 8000`, true},
		{`input_tokens < 8e3`, true},
		{`input_tokens < 7998.5`, false},
		{`difficulty < 1`, true},
		{`difficulty == 0`, false},
		{`input_tokens == 7999.0 && difficulty != 3`, true},
		{`hour == 9.5`, false},
		{`9.0 == hour`, true},
		{`hour in [9, 10.5]`, true},
		{`hour >= 9 && hour < 18 && !(weekday in ["sat", "sun"])`, true},
		{`learned && has_tools && !has_images`, true},
		{`format == "openai" && session != "" && output_tokens > 100 && key == "laptop" && user == "ada"`, true},
		{`target_model.startsWith("claude-opus")`, false},
		{`target == "openai/o1" && provider == "openai" && !self_hosted && fallback_from.startsWith("h200/")`, true},
		{`user.matches("^a.a$")`, true},
		{"true\n  && team ==\n  'legal' // why", true},
	}
	for _, tt := range tests {
		got, err := compile(t, tt.expr, Budget).Match(&ada)
		if err != nil || got != tt.want {
			t.Errorf("%s = %v, %v; want %v", tt.expr, got, err, tt.want)
		}
	}
}

// The zero Vars, nil map included, is a request of which nothing is known.
func TestMissingIsEmpty(t *testing.T) {
	for _, v := range variables {
		var expr string
		switch v.typ.String() {
		case "string":
			expr = v.name + ` == ""`
		case "int", "double":
			expr = v.name + " == 0"
		case "bool":
			expr = "!" + v.name
		default:
			expr = "size(" + v.name + ") == 0 && " + v.name + `.x == "" && !("x" in ` + v.name + ")"
		}
		if got, err := compile(t, expr, Budget).Match(&Vars{}); err != nil || !got {
			t.Errorf("%s = %v, %v", expr, got, err)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	tests := []struct {
		expr         string
		scope        Scope
		line, column int
		message      string
	}{
		{"", Request, 1, 1, "empty"},
		{" \n\t", Request, 1, 1, "empty"},
		{`team == "a" || taem == "b"`, Request, 1, 16, `unknown variable "taem" (did you mean team?): known are model key user team tags`},
		{"team == 'é' ||\n   nope", Request, 2, 4, `unknown variable "nope"`},
		{`"éé" == nope`, Request, 1, 9, `unknown variable "nope"`},
		{`provider == "openai"`, Request, 1, 1, "budgets only"},
		{`frob(team)`, Request, 1, 5, `unknown function "frob"`},
		{`team = "a"`, Request, 1, 6, "write =="},
		{`team ==`, Request, 1, 8, "too early"},
		{`team == 3`, Request, 1, 6, "== cannot be applied to (string, int)"},
		{`team`, Request, 1, 1, "must be true or false, and this is a value of type string"},
		{`[true][0] ? 1 : 2`, Request, 1, 1, "type int"},
		{`[1, true][1]`, Request, 1, 1, "type dyn"},
		{`tags == {"a": "b"}`, Request, 1, 1, "as a whole"},
		{`{"a": "b"} != tags`, Request, 1, 15, "as a whole"},
		{`size([tags]) == 1`, Request, 1, 7, "as a whole"},
		{strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), Request, 1, 1, "recursion"},
		{strings.Repeat("true||", 1000) + "true", Request, 1, 1, "limit"},
	}
	for _, tt := range tests {
		_, err := Compile(tt.expr, tt.scope)
		var errs Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			t.Errorf("Compile(%.40q) = %v, want Errors", tt.expr, err)
			continue
		}
		if e := errs[0]; e.Line != tt.line || e.Column != tt.column || !strings.Contains(e.Message, tt.message) {
			t.Errorf("Compile(%.40q) = %d:%d %q, want %d:%d …%q…", tt.expr, e.Line, e.Column, e.Message, tt.line, tt.column, tt.message)
		}
	}
}

func TestEveryMistakeAtOnce(t *testing.T) {
	_, err := Compile(`foo == 1 && bar == 2`, Request)
	problems := Problems("policies.x.when", err)
	if len(problems) != 2 || problems[1].Path != "policies.x.when" || !strings.Contains(problems[1].Message, `column 13`) {
		t.Errorf("problems = %+v", problems)
	}
}

func TestRunTimeFailure(t *testing.T) {
	for _, expr := range []string{
		`input_tokens / hour > 1`,
		`[1, 2][input_tokens] == 1`,
	} {
		if got, err := compile(t, expr, Request).Match(&Vars{InputTokens: 10}); err == nil || got {
			t.Errorf("%s = %v, %v; want an error", expr, got, err)
		}
	}
}

// A rule nested over what a client sends ends, with an error, in bounded time.
func TestCostIsBounded(t *testing.T) {
	p := compile(t, `tags.all(a, tags.all(b, tags.all(c, a + b != c)))`, Request)
	v := &Vars{Tags: map[string]string{}}
	for i := range 500 {
		v.Tags[fmt.Sprint("tag", i)] = ""
	}
	start := time.Now()
	if _, err := p.Match(v); err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("err = %v, want the cost limit", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	few := &Vars{Tags: map[string]string{"a": "", "b": "", "c": "", "d": ""}}
	if ok, err := p.Match(few); err != nil || !ok {
		t.Errorf("four tags: %v, %v", ok, err)
	}
}

func TestUses(t *testing.T) {
	p := compile(t, `model == "auto" && tags.exists(x, x == team) && input_tokens == 8e3`, Budget)
	for _, v := range variables {
		want := v.name == "model" || v.name == "tags" || v.name == "team" || v.name == "input_tokens"
		if got := p.Uses(v.name); got != want {
			t.Errorf("Uses(%s) = %v", v.name, got)
		}
	}
	if p.UsesTarget() {
		t.Error("UsesTarget without a target variable")
	}
	if !compile(t, `self_hosted`, Budget).UsesTarget() {
		t.Error("UsesTarget misses self_hosted")
	}
}

// Numbers compare by their value whatever their types are.
func TestNumbersCompareAcrossTypes(t *testing.T) {
	programs := map[string]*Program{}
	for _, op := range []string{"<", "<=", "==", "!=", ">=", ">"} {
		programs[op] = compile(t, "input_tokens "+op+" difficulty", Request)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(-1000, 1000).Draw(t, "n")
		d := rapid.OneOf(rapid.Float64Range(-1000, 1000), rapid.Just(float64(n))).Draw(t, "d")
		v := &Vars{InputTokens: n, Difficulty: d}
		f := float64(n)
		want := map[string]bool{"<": f < d, "<=": f <= d, "==": f == d, "!=": f != d, ">=": f >= d, ">": f > d}
		for op, p := range programs {
			if got, err := p.Match(v); err != nil || got != want[op] {
				t.Fatalf("%d %s %v = %v, %v", n, op, d, got, err)
			}
		}
	})
}

// A missing tag and an empty one differ only for `in`.
func TestTags(t *testing.T) {
	selected := compile(t, `tags[model] == team`, Request)
	contained := compile(t, `model in tags`, Request)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ab]?`)
		v := &Vars{
			Tags:  rapid.MapOf(name, name).Draw(t, "tags"),
			Model: name.Draw(t, "name"), Team: name.Draw(t, "value"),
		}
		if got, err := selected.Match(v); err != nil || got != (v.Tags[v.Model] == v.Team) {
			t.Fatalf("select: %v, %v", got, err)
		}
		_, want := v.Tags[v.Model]
		if got, err := contained.Match(v); err != nil || got != want {
			t.Fatalf("in: %v, %v", got, err)
		}
	})
}

func TestConcurrent(t *testing.T) {
	p := compile(t, `tags.exists(n, n == user) && input_tokens < 8e3 && user.matches("^u[0-9]$")`, Request)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			user := fmt.Sprint("u", i)
			has := &Vars{User: user, Tags: map[string]string{user: ""}}
			not := &Vars{User: user, Tags: map[string]string{"other": ""}}
			for range 500 {
				if ok, err := p.Match(has); err != nil || !ok {
					t.Error(ok, err)
				}
				if ok, err := p.Match(not); err != nil || ok {
					t.Error(ok, err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		`"pii" in tags || team == "legal"`, `model == "auto" && difficulty < 0.3`, `hour == 9.5`,
		`target_model.startsWith("x")`, `tags.all(a, a == "")`, `[1][input_tokens] == 1`, `team = "x"`, "a\n+", `"\xff"`, `{1: tags}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		for _, scope := range []Scope{Request, Budget} {
			p, err := Compile(expr, scope)
			if err != nil {
				var errs Errors
				if !errors.As(err, &errs) || len(errs) == 0 {
					t.Fatalf("%T: %v", err, err)
				}
				for _, e := range errs {
					if e.Line < 1 || e.Column < 1 || e.Message == "" {
						t.Fatalf("bad place or message: %+v", e)
					}
				}
				continue
			}
			_, _ = p.Match(&ada) // must end without a panic
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	for name, expr := range map[string]string{
		"team":   `team != "research"`,
		"tags":   `"pii" in tags || team == "legal"`,
		"easy":   `model == "auto" && difficulty < 0.3 && input_tokens < 8000`,
		"target": `target_model.startsWith("claude-opus")`,
	} {
		b.Run(name, func(b *testing.B) {
			p := compile(b, expr, Budget)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Match(&ada); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
