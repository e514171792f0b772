package names

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"farthing/policies/route"
	"farthing/providers"
)

// house is a small world: the makers openai and anthropic, the broker
// openrouter, and an engine.
func house() Catalog {
	models := map[string][]string{
		"openai":     {"gpt-4o", "gpt-5-mini", "o1"},
		"anthropic":  {"claude-sonnet-5", "claude-opus-5"},
		"openrouter": {"gpt-4o", "deepseek-r1", "mistral-large"},
		"h200":       {"deepseek-r1", "qwen3"},
		"down":       {},
	}
	engines := []string{"h200", "down"}
	makers := map[string]string{"gpt-4o": "openai", "gpt-5-mini": "openai", "o1": "openai", "claude-sonnet-5": "anthropic", "claude-opus-5": "anthropic"}
	lookup := func(name string) (providers.Target, bool) {
		provider, model, _ := providers.SplitTarget(name)
		if !slices.Contains(models[provider], model) {
			return providers.Target{}, false
		}
		return providers.Target{Name: name, Provider: provider, Model: model, SelfHosted: slices.Contains(engines, provider)}, true
	}
	list := func(provider string) (all []providers.Target) {
		for _, m := range models[provider] {
			t, _ := lookup(provider + "/" + m)
			all = append(all, t)
		}
		return all
	}
	return Catalog{
		Lookup:     lookup,
		Configured: func(name string) bool { _, ok := models[name]; return ok },
		EngineModels: func(engine string) ([]providers.Target, bool) {
			return list(engine), slices.Contains(engines, engine)
		},
		Bare: func(model string) (own string, others []string) {
			if maker, ok := makers[model]; ok {
				own = maker + "/" + model
			}
			for _, p := range []string{"anthropic", "openai", "openrouter"} {
				if slices.Contains(models[p], model) && own != p+"/"+model {
					others = append(others, p+"/"+model)
				}
			}
			return own, others
		},
		Names: func() []string { return []string{"claude-opus-5", "claude-sonnet-5", "gpt-4o", "gpt-5-mini", "o1"} },
		Auto:  func() []providers.Target { return append(list("h200"), list("openai")...) },
		Demo: func() (providers.Target, bool) {
			return providers.Target{Name: "embedded/demo", Provider: "embedded", SelfHosted: true}, true
		},
	}
}

func from(items ...string) route.ModelConfig { return route.ModelConfig{From: items} }

func targets(m *route.Model) (names []string) {
	for _, t := range m.Targets {
		names = append(names, t.Name)
	}
	return names
}

func errorsOf(problems []providers.Problem) (all []string) {
	for _, p := range problems {
		if !p.Warning {
			all = append(all, p.Path+": "+p.Message)
		}
	}
	return all
}

func compile(t *testing.T, models map[string]route.ModelConfig) *Table {
	t.Helper()
	table, problems := Compile(models, house())
	if bad := errorsOf(problems); bad != nil {
		t.Fatal(bad)
	}
	return table
}

func TestResolve(t *testing.T) {
	table := compile(t, map[string]route.ModelConfig{
		"claude-*":        from("anthropic/claude-*"),
		"claude-opus-*":   from("anthropic/claude-opus-*", "h200/qwen3"),
		"*":               from("openai/*"),
		"*latest":         from("h200/deepseek-r1"),
		"deepseek-r1":     from("h200/deepseek-r1", "openrouter/deepseek-r1"),
		"auto":            from("h200/*", "gpt-5-mini", "deepseek-r1"),
		"everything":      from("auto", "claude-sonnet-5", "auto"),
		"gpt-4o":          from("gpt-4o"),
		"through-pattern": from("claude-opus-5-latest", "x-latest"),
		"fast-*":          from("*"),
	})
	tests := []struct {
		name, entry string
		want        []string
	}{
		{"deepseek-r1", "deepseek-r1", []string{"h200/deepseek-r1", "openrouter/deepseek-r1"}},
		{"claude-sonnet-5", "claude-*", []string{"anthropic/claude-sonnet-5"}},
		{"claude-opus-5", "claude-opus-*", []string{"anthropic/claude-opus-5", "h200/qwen3"}},
		{"o1", "*", []string{"openai/o1"}},
		{"gpt-4o", "gpt-4o", []string{"openai/gpt-4o"}},
		{"auto", "auto", []string{"h200/deepseek-r1", "h200/qwen3", "openai/gpt-5-mini", "openrouter/deepseek-r1"}},
		{"everything", "everything", []string{"h200/deepseek-r1", "h200/qwen3", "openai/gpt-5-mini", "openrouter/deepseek-r1", "anthropic/claude-sonnet-5"}},
		{"some-latest", "*latest", []string{"h200/deepseek-r1"}},
		{"fast-o1", "fast-*", []string{"openai/o1"}},
		{"through-pattern", "through-pattern", []string{"h200/qwen3", "h200/deepseek-r1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, err := table.Resolve(tt.name)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, targets(m)); d != "" || m.Entry != tt.entry || m.Name != tt.name {
				t.Errorf("entry %q, name %q, %s", m.Entry, m.Name, d)
			}
		})
	}
}

func TestResolveWithoutModels(t *testing.T) {
	table := compile(t, nil)
	for name, want := range map[string][]string{
		"gpt-4o":                    {"openai/gpt-4o"},
		"openai/gpt-4o":             {"openai/gpt-4o"},
		"openrouter/gpt-4o":         {"openrouter/gpt-4o"},
		"h200/qwen3":                {"h200/qwen3"},
		"auto":                      {"h200/deepseek-r1", "h200/qwen3", "openai/gpt-4o", "openai/gpt-5-mini", "openai/o1"},
		"demo":                      {"embedded/demo"},
		"anthropic/claude-sonnet-5": {"anthropic/claude-sonnet-5"},
	} {
		m, err := table.Resolve(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(want, targets(m)); d != "" || m.Pick != route.BestValue || m.Name != name {
			t.Errorf("%s: %s", name, d)
		}
	}
	want := []string{"auto", "claude-opus-5", "claude-sonnet-5", "demo", "gpt-4o", "gpt-5-mini", "h200/deepseek-r1", "h200/qwen3", "o1", "openai/gpt-4o", "openai/gpt-5-mini", "openai/o1"}
	if d := cmp.Diff(want, table.Names()); d != "" {
		t.Error(d)
	}
}

func TestMisses(t *testing.T) {
	open := compile(t, nil)
	closed := compile(t, map[string]route.ModelConfig{"auto": from("openai/o1"), "claude-*": from("anthropic/claude-*"), "later": from("down/*")})
	tests := []struct {
		table *Table
		name  string
		kind  providers.Kind
		says  []string
	}{
		{open, "gpt-5-mimi", providers.NotFound, []string{`no model "gpt-5-mimi"`, "models: {gpt-5-mimi: PROVIDER/MODEL}", "Close to it: gpt-5-mini"}},
		{open, "mistral-large", providers.NotFound, []string{"maker is not configured", "openrouter/mistral-large", "models: {mistral-large: openrouter/mistral-large}"}},
		{open, "nowhere/x", providers.NotFound, []string{"models: {nowhere/x:"}},
		{open, "", providers.NotFound, []string{`models: {"": `}},
		{closed, "gpt-4o", providers.NotFound, []string{"models: {gpt-4o: openai/gpt-4o}"}},
		{closed, "autp", providers.NotFound, []string{"Close to it: auto"}},
		{closed, "claude-9", providers.NotFound, []string{`matches "claude-*"`, `"anthropic" has no model "claude-9"`}},
		{closed, "later", providers.Unavailable, []string{"serves no chat model yet", "down/*"}},
		{closed, strings.Repeat("é", 500_000), providers.NotFound, []string{"…"}},
	}
	for _, tt := range tests {
		_, err := tt.table.Resolve(tt.name)
		var e *providers.Error
		if !errors.As(err, &e) || e.Kind != tt.kind || e.Param == "" || len(e.Message) > 2000 {
			t.Errorf("%.20q: %+v", tt.name, err)
			continue
		}
		if tt.kind == providers.NotFound && e.Code != "model_not_found" {
			t.Errorf("%.20q: code %q", tt.name, e.Code)
		}
		for _, s := range tt.says {
			if !strings.Contains(e.Message, s) {
				t.Errorf("%.20q: %q does not say %q", tt.name, e.Message, s)
			}
		}
	}
}

func TestMistakesAreReportedTogether(t *testing.T) {
	models := map[string]route.ModelConfig{
		"a":          from("b"),
		"b":          from("c", "openai/o1"),
		"c":          from("a"),
		"dangling":   from("openai/o1", "nowhere/x", "openai/none", "nothing", "deepseek-r1"),
		"self":       from("self"),
		"two*stars*": from("openai/o1"),
		"x-*":        from("nowhere/*", "openai/o1"),
		"y-*":        from("z-*"),
		"z-*":        from("y-*"),
		"p*e":        from("openai/o1"),
		"pe*":        from("openai/o1"),
		"star":       from("openai/*", "nowhere/*", "h200/q*"),
		"base":       {From: []string{"openai/o1"}, Baseline: "openai/gpt-4o"},
		"engine":     {From: []string{"down/*"}, Baseline: "down/later"},
		"empty":      {},
		"settings": {
			From: []string{"openai/o1"}, Pick: "best", Rollout: "half", MinQuality: 1.5, Unsupported: "drop",
			Explore: 2_000_000,
		},
	}
	_, problems := Compile(models, house())
	want := []string{
		`models.p*e: `, // reported at the later of the two
		`models.a.from[0]: "a" leads back to itself`,
		`models.b.from[0]: "b" leads back to itself`,
		`models.base.baseline: "openai/gpt-4o" is not one of the model's targets`,
		`models.c.from[0]: "c" leads back to itself`,
		`models.dangling.from[1]: no provider or engine is named "nowhere"`,
		`models.dangling.from[2]: "openai" has no model "none"`,
		`models.dangling.from[3]: no model, target or catalog name is "nothing"`,
		`models.dangling.from[4]: the maker of "deepseek-r1" is not configured: write openrouter/deepseek-r1`,
		`models.empty.from: lists no target`,
		`models.self.from[0]: "self" stands for itself`,
		`models.settings.explore: `, `models.settings.min_quality: `, `models.settings.pick: unknown pick "best"`,
		`models.settings.rollout: needs a baseline`, `models.settings.rollout: not a rollout: "half"`, `models.settings.unsupported: `,
		`models.star.from[0]: "openai" is a provider: only an engine's models can be listed by *`,
		`models.star.from[1]: no engine is named "nowhere"`,
		`models.star.from[2]: "h200/q*": a * on the right needs one on the left`,
		`models.two*stars*: a name is not empty and has at most one *`,
		`models.x-*.from[0]: no provider or engine is named "nowhere"`,
		`models.y-*.from[0]: "y-*" leads back to itself`,
		`models.z-*.from[0]: "z-*" leads back to itself`,
	}
	got := errorsOf(problems)
	slices.Sort(got)
	slices.Sort(want)
	want[slices.Index(want, `models.p*e: `)] = `models.pe*: is as long as the pattern "p*e"`
	slices.Sort(want)
	if len(got) != len(want) {
		t.Fatalf("%d problems, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

func TestPatternsOfEqualLengthThatShareNoName(t *testing.T) {
	compile(t, map[string]route.ModelConfig{"claude-*": from("anthropic/claude-*"), "gemini-*": from("h200/qwen3"), "*-large": from("h200/qwen3")})
}

func TestShadowingIsAWarning(t *testing.T) {
	_, problems := Compile(map[string]route.ModelConfig{"gpt-4o": from("h200/qwen3"), "o1": from("openai/o1")}, house())
	if len(problems) != 1 || !problems[0].Warning || problems[0].Path != "models.gpt-4o" {
		t.Fatalf("%+v", problems)
	}
}

func TestBaselines(t *testing.T) {
	table := compile(t, map[string]route.ModelConfig{
		"auto":  {From: []string{"h200/qwen3", "gpt-4o"}, Baseline: "gpt-4o", Rollout: "5%"},
		"gpt-*": {From: []string{"h200/qwen3", "openai/gpt-*"}, Baseline: "openai/gpt-*", Rollout: "when_learned"},
	})
	for name, want := range map[string]string{"auto": "openai/gpt-4o", "gpt-5-mini": "openai/gpt-5-mini"} {
		m, err := table.Resolve(name)
		if err != nil || m.Baseline != want {
			t.Errorf("%s: baseline %v, err %v", name, m, err)
		}
	}
	if m, _ := table.Resolve("auto"); m.Rollout != 50_000 || m.WhenLearned {
		t.Errorf("rollout %v", m.Rollout)
	}
	if m, _ := table.Resolve("gpt-5-mini"); !m.WhenLearned {
		t.Error("when_learned is lost")
	}
}

func TestRefresh(t *testing.T) {
	table := compile(t, map[string]route.ModelConfig{"later": from("down/*")})
	c := house()
	c.EngineModels = func(string) ([]providers.Target, bool) { return []providers.Target{{Name: "down/new"}}, true }
	if m, err := table.Refresh(c).Resolve("later"); err != nil || targets(m)[0] != "down/new" {
		t.Fatalf("%v %v", m, err)
	}
	if _, err := table.Resolve("later"); err == nil {
		t.Fatal("the old table changed")
	}
}

func TestNamesOfPatterns(t *testing.T) {
	table := compile(t, map[string]route.ModelConfig{"claude-*": from("anthropic/claude-*"), "auto": from("openai/o1")})
	if d := cmp.Diff([]string{"auto", "claude-opus-5", "claude-sonnet-5"}, table.Names()); d != "" {
		t.Error(d)
	}
}

// reference distance, by the definition.
func slowDistance(a, b string) int {
	if a == "" || b == "" {
		return len(a) + len(b)
	}
	d := slowDistance(a[1:], b[1:])
	if a[0] != b[0] {
		d++
	}
	return min(d, slowDistance(a[1:], b)+1, slowDistance(a, b[1:])+1)
}

func TestDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.StringMatching(`[abc]{0,6}`).Draw(t, "a")
		b := rapid.StringMatching(`[abc]{0,6}`).Draw(t, "b")
		if got, want := distance(a, b), slowDistance(a, b); got != want {
			t.Fatalf("%q to %q is %d, want %d", a, b, got, want)
		}
	})
}

// Whatever the file says, compiling ends, and a name either leads to targets
// that Lookup knows or to an error of a known kind.
func TestAnyFileAndNameEnd(t *testing.T) {
	parts := []string{"a", "b", "a-*", "b-*", "*", "h200/*", "openai/*", "openai/o1", "gpt-4o", "*-a", "a-b", "nowhere/*"}
	rapid.Check(t, func(t *rapid.T) {
		models := map[string]route.ModelConfig{}
		for range rapid.IntRange(0, 6).Draw(t, "entries") {
			models[rapid.SampledFrom(parts).Draw(t, "entry")] = from(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 4).Draw(t, "from")...)
		}
		table, _ := Compile(models, house())
		name := rapid.SampledFrom([]string{"a", "b", "a-a", "a-b-a", "b-x", "o1", "gpt-4o", "", "*", "a-*"}).Draw(t, "name")
		m, err := table.Resolve(name)
		if err != nil {
			if k := providers.AsError(err).Kind; k != providers.NotFound && k != providers.Unavailable {
				t.Fatalf("%q: %v", name, err)
			}
			return
		}
		if len(m.Targets) == 0 {
			t.Fatalf("%q has no target and no error", name)
		}
		for i, target := range m.Targets {
			if _, ok := house().Lookup(target.Name); !ok || slices.Contains(targets(m)[:i], target.Name) {
				t.Fatalf("%q leads to %v", name, targets(m))
			}
		}
	})
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"auto", "gpt-4o", "claude-x", "a/b/c", "*", "", "openai/", "/", "\xff", strings.Repeat("x", 300)} {
		f.Add(s)
	}
	open, _ := Compile(nil, house())
	closed, _ := Compile(map[string]route.ModelConfig{"claude-*": from("anthropic/claude-*"), "*x*": from("a"), "loop-*": from("loop-a*"), "auto": from("h200/*")}, house())
	f.Fuzz(func(t *testing.T, name string) {
		for _, table := range []*Table{open, closed} {
			m, err := table.Resolve(name)
			if err == nil && (len(m.Targets) == 0 || m.Name != name) {
				t.Fatalf("%q: %+v", name, m)
			}
			if err != nil && len(err.Error()) > 2000 {
				t.Fatalf("a message of %d bytes", len(err.Error()))
			}
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	models := map[string]route.ModelConfig{"auto": from("h200/*", "openai/o1"), "claude-*": from("anthropic/claude-*")}
	for i := range 50 {
		models[fmt.Sprint("name-", i)] = from("openai/o1")
	}
	table, _ := Compile(models, house())
	for _, name := range []string{"auto", "claude-opus-5"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := table.Resolve(name); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
