package budget

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"farthing/policies/match"
	"farthing/providers"
)

func limits(t testing.TB, texts ...string) Limits {
	t.Helper()
	all := make(Limits, len(texts))
	for i, text := range texts {
		if err := all[i].UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func tree(t testing.TB, cfg map[string]Config) *Tree {
	t.Helper()
	compiled, problems := Compile(cfg, time.UTC)
	if compiled == nil || len(problems) > 0 {
		t.Fatalf("problems: %+v", problems)
	}
	return compiled
}

func names(path []*Node) []string {
	all := make([]string, len(path))
	for i, n := range path {
		all[i] = n.Name
	}
	return all
}

// full is the `budgets` section of the design's full file.
func full(t testing.TB) map[string]Config {
	opus := `target_model.startsWith("claude-opus")`
	return map[string]Config{
		"company": {Limit: limits(t, "$60000 per month"), Spread: "evenly", AlertAt: []providers.Percent{500000}},
		"teams": {
			Inside: "company", Each: "team", Limit: limits(t, "$3000 per month"),
			Except: map[string]Limits{
				"search":   limits(t, "$9000 per month", "$500 per day"),
				"research": limits(t, "$15000 per month"),
			},
		},
		"people": {Inside: "teams", Each: "user", Limit: limits(t, "$25 per day")},
		"opus":   {Inside: "company", When: &opus, Limit: limits(t, "$5000 per month"), Mode: "warn"},
	}
}

func TestPath(t *testing.T) {
	compiled := tree(t, full(t))
	tests := []struct {
		vars match.Vars
		want []string
	}{
		{match.Vars{User: "ada", Team: "search"}, []string{"company", "teams/search", "people/ada"}},
		{match.Vars{User: "ada"}, []string{"company", "teams/(none)", "people/ada"}},
		{match.Vars{}, []string{"company", "teams/(none)", "people/(none)"}},
		{
			match.Vars{User: "ada", Team: "legal", TargetModel: "claude-opus-4"},
			[]string{"company", "opus", "teams/legal", "people/ada"},
		},
	}
	for _, tt := range tests {
		if got := names(compiled.Path(&tt.vars)); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.vars, got, tt.want)
		}
	}
	path := compiled.Path(&match.Vars{User: "ada", Team: "search", TargetModel: "claude-opus-4"})
	if diff := cmp.Diff(limits(t, "$9000 per month", "$500 per day"), path[2].Limits); diff != "" {
		t.Error(diff)
	}
	if !path[0].Enforced() || path[1].Enforced() {
		t.Error("only opus is not enforced")
	}
	if other := compiled.Path(&match.Vars{User: "eve", Team: "legal"}); !cmp.Equal(other[1].Limits, limits(t, "$3000 per month")) {
		t.Errorf("legal has %v", other[1].Limits)
	}
	if !compiled.NeedsTarget() || !compiled.Uses("target_model") || compiled.Uses("difficulty") {
		t.Error("uses are wrong")
	}
	if got := names(compiled.Budgets()); !slices.Equal(got, []string{"company", "opus"}) {
		t.Errorf("Budgets = %v", got)
	}
	if compiled.Node("people/ada") != path[3] || compiled.Node("nobody/x") != nil || compiled.Node("company") != path[0] {
		t.Error("Node is not the path's node")
	}
}

// A parent is charged with its child although its own `when` does not hold, and
// an expression that cannot be evaluated holds.
func TestPathWhen(t *testing.T) {
	never, fails, night := "false", "input_tokens / hour > 3", "hour < 6"
	compiled := tree(t, map[string]Config{
		"root":  {When: &never, Limit: limits(t, "$1")},
		"mid":   {When: &never, Limit: limits(t, "$1"), Inside: "root"},
		"leaf":  {When: &night, Limit: limits(t, "$1"), Inside: "mid"},
		"other": {When: &never, Limit: limits(t, "$1"), Inside: "root"},
		"odd":   {When: &fails, Limit: limits(t, "$1")},
	})
	for hour, want := range map[int][]string{
		0:  {"odd", "root", "mid", "leaf"},
		3:  {"root", "mid", "leaf"},
		12: nil,
	} {
		if got := names(compiled.Path(&match.Vars{Hour: hour})); !slices.Equal(got, want) {
			t.Errorf("hour %d: %v, want %v", hour, got, want)
		}
	}
	if compiled.NeedsTarget() {
		t.Error("nothing here needs a target")
	}
}

func TestEach(t *testing.T) {
	v := match.Vars{Key: "k", User: "u", Team: "t", Session: "s", Model: "m", Target: "openai/o1", Tags: map[string]string{"app": "ci", "empty": ""}}
	for each, want := range map[string]string{
		"key": "k", "user": "u", "team": "t", "session": "s", "model": "m", "target": "openai/o1",
		"tags.app": "ci", "tags.missing": "(none)", "tags.empty": "(none)",
	} {
		compiled := tree(t, map[string]Config{"x": {Each: each, Limit: limits(t, "$1")}})
		if got := names(compiled.Path(&v)); !slices.Equal(got, []string{"x/" + want}) {
			t.Errorf("each %s: %v", each, got)
		}
		if compiled.NeedsTarget() != (each == "target") {
			t.Errorf("each %s: NeedsTarget %v", each, compiled.NeedsTarget())
		}
	}
}

// The exception goes by the exact value, even of one that only its hash names.
func TestExceptByExactValue(t *testing.T) {
	long := strings.Repeat("é", 200)
	compiled := tree(t, map[string]Config{"x": {
		Each: "user", Limit: limits(t, "$1"),
		Except: map[string]Limits{long: limits(t, "$2"), "a|b": limits(t, "$3")},
	}})
	for user, want := range map[string]string{long: "$2.00", long + "é": "$1.00", "a|b": "$3.00", "a%7Cb": "$1.00", "": "$1.00"} {
		if got := compiled.Path(&match.Vars{User: user})[0].Limits[0].String(); got != want {
			t.Errorf("%.10q: %s, want %s", user, got, want)
		}
	}
}

func TestNodeValue(t *testing.T) {
	for value, want := range map[string]string{
		"":              "(none)",
		"ada":           "ada",
		"ada@x.org":     "ada@x.org",
		"Ada Lovelace":  "Ada Lovelace",
		"Zoë":           "Zoë",
		"openai/o1":     "openai/o1",
		"(none)":        "%28none)",
		"sha256:00":     "%73ha256:00",
		"a|b%c":         "a%7Cb%25c",
		"a\nb\x00":      "a%0Ab%00",
		"\xff":          "%FF",
		"\u202eevil":    "%E2%80%AEevil",
		"\ufffd":        "\ufffd",
		"%28none)":      "%2528none)",
		" ":             " ",
		"tab\there":     "tab%09here",
		"zero\u200bwid": "zero%E2%80%8Bwid",
	} {
		if got := nodeValue(value); got != want {
			t.Errorf("nodeValue(%q) = %q, want %q", value, got, want)
		}
	}
	if got := nodeValue(strings.Repeat("x", 129)); len(got) != len(hashed)+64 || !strings.HasPrefix(got, hashed) {
		t.Errorf("a long value is named %q", got)
	}
}

// Names are short, printable, and different for different values.
func TestNodeValueIsInjective(t *testing.T) {
	piece := rapid.SampledFrom([]string{"(none)", "sha256:", "%", "%25", "%28", "|", "/", "a", "\n", "\xff", "é", "\u200b", " ", strings.Repeat("x", 60), strings.Repeat("|", 43)})
	value := rapid.OneOf(
		rapid.Map(rapid.SliceOfN(piece, 0, 5), func(p []string) string { return strings.Join(p, "") }),
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		a, b := value.Draw(t, "a"), value.Draw(t, "b")
		na, nb := nodeValue(a), nodeValue(b)
		if (a == b) != (na == nb) {
			t.Fatalf("%q → %q, %q → %q", a, na, b, nb)
		}
		if len(na) > maxValue || strings.Contains(na, "|") || strings.ContainsFunc(na, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("%q → %q", a, na)
		}
	})
}

// paths of random trees, against the definition written out plainly.
func TestPathProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 80).Draw(t, "entries")
		cfg, wants := map[string]Config{}, map[string]bool{}
		for i := range n {
			name := fmt.Sprintf("b%03d", i)
			c := Config{Limit: []Limit{{Amount: 1}}}
			if parent := rapid.IntRange(-1, i-1).Draw(t, "parent"); parent >= 0 {
				c.Inside = fmt.Sprintf("b%03d", parent)
			}
			when := rapid.SampledFrom([]string{"", "true", "false", "1 / hour == 0"}).Draw(t, "when")
			if when != "" {
				c.When = &when
			}
			cfg[name] = c
			if when != "false" {
				for at := name; at != ""; at = cfg[at].Inside {
					wants[at] = true
				}
			}
		}
		compiled, problems := Compile(cfg, nil)
		if len(problems) > 0 {
			t.Fatalf("%+v", problems)
		}
		got := names(compiled.Path(&match.Vars{}))
		if len(got) != len(wants) {
			t.Fatalf("%v, want %v", got, wants)
		}
		for i, name := range got {
			parent := cfg[name].Inside
			if !wants[name] || slices.Contains(got[:i], name) || parent != "" && !slices.Contains(got[:i], parent) {
				t.Fatalf("%s is out of place in %v", name, got)
			}
		}
	})
}

func TestInterning(t *testing.T) {
	compiled := tree(t, map[string]Config{"s": {Each: "session", Limit: limits(t, "$1")}})
	first := compiled.Path(&match.Vars{Session: "first"})[0]
	if again := compiled.Path(&match.Vars{Session: "first"})[0]; again != first {
		t.Error("the same name is not the same node")
	}
	for i := range 10 * generation {
		compiled.Path(&match.Vars{Session: fmt.Sprint("s", i)})
		if i%generation == 0 && compiled.Path(&match.Vars{Session: "first"})[0] != first {
			t.Fatal("a node in use was forgotten")
		}
	}
	kept := 0
	count := func(any, any) bool { kept++; return true }
	g := compiled.entries[0].nodes.current.Load()
	g.young.Range(count)
	g.old.Range(count)
	if kept > 2*generation || kept < generation {
		t.Errorf("%d nodes are kept, want %d to %d", kept, generation, 2*generation)
	}
}

func TestPathConcurrent(t *testing.T) {
	compiled := tree(t, full(t))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 3000 {
				user := fmt.Sprint("u", (i*7+g)%5000)
				if path := compiled.Path(&match.Vars{User: user}); path[2].Name != "people/"+user {
					t.Errorf("%s got %s", user, path[2].Name)
				}
			}
		})
	}
	wg.Wait()
}

func TestStrictest(t *testing.T) {
	refuse, own := WhenSpent{Action: Refuse}, WhenSpent{Action: SelfHosted}
	small, tiny := WhenSpent{Model: "small"}, WhenSpent{Model: "tiny"}
	for _, tt := range []struct {
		rules []WhenSpent
		want  WhenSpent
	}{
		{nil, own},
		{[]WhenSpent{own}, own},
		{[]WhenSpent{own, small, tiny}, small},
		{[]WhenSpent{small, refuse, own}, refuse},
	} {
		if got := Strictest(tt.rules); got != tt.want {
			t.Errorf("Strictest(%+v) = %+v", tt.rules, got)
		}
	}
	for want, config := range map[WhenSpent]Config{
		own: {}, refuse: {Charge: "paid_and_own"}, small: {WhenSpent: small, Charge: "paid_and_own"},
	} {
		node := Node{Config: &config}
		if got := node.WhenSpent(); got != want {
			t.Errorf("%+v: %+v", config, got)
		}
	}
}

func BenchmarkPath(b *testing.B) {
	cfg := full(b)
	research := `team != "research"`
	company := cfg["company"]
	company.When = &research
	levels := map[string]Config{"company": cfg["company"], "teams": cfg["teams"], "people": cfg["people"]}
	for name, config := range map[string]map[string]Config{"levels": levels, "full": cfg} {
		b.Run(name, func(b *testing.B) {
			compiled := tree(b, config)
			v := &match.Vars{User: "ada", Team: "search", TargetModel: "o1"}
			b.ReportAllocs()
			for b.Loop() {
				compiled.Path(v)
			}
		})
	}
}
