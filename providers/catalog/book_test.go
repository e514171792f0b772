package catalog

import (
	"strings"
	"testing"
	"time"

	"farthing/providers"
	"farthing/providers/catalog/price"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

var now = day("2026-11-24").Add(12 * time.Hour)

func usd(s string) *providers.Price {
	p, _, err := providers.ParsePrice(s)
	if err != nil {
		panic(err)
	}
	return &p
}

func TestEmbeddedLoads(t *testing.T) {
	b, err := Parse(embedded)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.entries) < 1500 || len(b.Version()) < 15 {
		t.Errorf("%d models, version %q", len(b.entries), b.Version())
	}
	if len(embedded) > 1_500_000 {
		t.Errorf("the book has grown to %d bytes", len(embedded))
	}
}

// TestLaunchPrices holds the two prices that Farthing exists for.
func TestLaunchPrices(t *testing.T) {
	for _, c := range []struct{ provider, model, day, input, output string }{
		{"openai", "o1", "2024-12-17", "15", "60"},
		{"openai", "o1-2024-12-17", "2024-12-17", "15", "60"},
		{"deepseek", "deepseek-reasoner", "2025-01-20", "0.55", "2.19"},
		{"deepseek", "deepseek-reasoner", "2025-09-06", "0.56", "1.68"},
		{"deepseek", "deepseek-reasoner", "2025-10-01", "0.28", "0.42"},
		{"deepseek", "deepseek-chat", "2024-12-26", "0.14", "0.28"},
		{"deepseek", "deepseek-chat", "2025-02-20", "0.27", "1.1"},
		{"deepseek", "deepseek-chat", "2026-05-01", "0.14", "0.28"},
		{"openai", "o3", "2025-06-09", "10", "40"},
		{"openai", "o3", "2025-06-10", "2", "8"},
		{"openai", "gpt-4o-2024-05-13", "2026-01-01", "5", "15"},
		{"anthropic", "claude-sonnet-5", "2026-08-31", "2", "10"},
		{"anthropic", "claude-sonnet-5", "2026-09-01", "3", "15"},
	} {
		r, ok := Embedded().Row(c.provider, c.model, day(c.day))
		if !ok {
			t.Errorf("%s/%s is unknown", c.provider, c.model)
			continue
		}
		in, out := r.Prices(0, price.Terms{At: day(c.day).Add(12 * time.Hour)})
		if in.String() != c.input || out.String() != c.output {
			t.Errorf("%s/%s on %s: $%s and $%s, want $%s and $%s", c.provider, c.model, c.day, in, out, c.input, c.output)
		}
	}
}

func TestOffPeakHistory(t *testing.T) {
	for _, c := range []struct{ model, at, input string }{
		{"deepseek-reasoner", "2025-02-25T17:00:00Z", "0.55"},
		{"deepseek-reasoner", "2025-03-01T16:29:59Z", "0.55"},
		{"deepseek-reasoner", "2025-03-01T16:30:00Z", "0.135"},
		{"deepseek-reasoner", "2025-03-02T00:29:59Z", "0.135"},
		{"deepseek-reasoner", "2025-03-02T00:30:00Z", "0.55"},
		{"deepseek-v4-flash", "2026-11-24T02:00:00Z", "0.3"},  // a Tuesday
		{"deepseek-v4-flash", "2026-11-24T04:00:00Z", "0.15"}, // between the peaks
		{"deepseek-v4-flash", "2026-11-24T10:00:00Z", "0.15"}, // after them
		{"deepseek-v4-flash", "2026-11-22T02:00:00Z", "0.15"}, // a Sunday
		{"deepseek-v4-flash", "2026-08-22T02:00:00Z", "0.44"}, // a Saturday, before weekdays counted
		{"deepseek-v4-pro", "2026-11-24T08:00:00Z", "1.32"},   //
		{"deepseek-flash", "2026-11-24T09:59:59Z", "0.3"},     //
		{"deepseek-v4-flash", "2026-08-16T15:59:59Z", "0.14"}, //
		{"deepseek-v4-flash", "2026-08-16T16:00:00Z", "0.22"}, //
		{"deepseek-chat", "2025-09-05T17:00:00Z", "0.56"},     // the night's discount has ended
		{"deepseek-chat", "2025-09-04T17:00:00Z", "0.135"},    //
		{"deepseek-v4-flash", "2026-04-25T00:00:00Z", "0.14"}, //
		{"deepseek-r1-0528", "2025-06-01T12:00:00Z", "0.55"},  // by the rule
		{"deepseek-chat-v3-0324", "2025-06-01T12:00:00Z", "0.27"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		r, ok := Embedded().Row("deepseek", c.model, at)
		if !ok {
			t.Fatalf("%s is unknown", c.model)
		}
		if in, _ := r.Prices(0, price.Terms{At: at}); in.String() != c.input {
			t.Errorf("%s at %s: $%s, want $%s", c.model, c.at, in, c.input)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ provider, name, model string }{
		{"openai", "gpt-4o-2024-08-06", "gpt-4o"},
		{"openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"},
		{"openai", "GPT-4o", "gpt-4o"},
		{"openai", "gpt-5.6-luna-2026-07-30", "gpt-5.6-luna"},
		{"anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"},
		{"anthropic", "claude-opus-4-8", "claude-opus-4-8"},
		{"gemini", "gemini-2.5-pro-preview-03-25", "gemini-2.5-pro"},
		{"google", "gemini-2.5-pro", "gemini-2.5-pro"},
		{"vertex", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5"},
		{"azure", "gpt-4o", "gpt-4o"},
		{"x-ai", "grok-4.3-latest", "grok-4.3"},
		{"openrouter", "deepseek/deepseek-r1", "deepseek/deepseek-r1"},
		{"openrouter", "openai/gpt-5.4-nano-20260317", "openai/gpt-5.4-nano"},
		{"huggingface", "openai/gpt-oss-120b:together", "openai/gpt-oss-120b"},
		{"mistral", "mistral-medium-latest", "mistral-medium-latest"},
	} {
		e, ok := Embedded().Entry(c.provider, c.name)
		if !ok || e.Model != c.model {
			t.Errorf("%s/%s means %q (%v), want %q", c.provider, c.name, e.Model, ok, c.model)
		}
	}
	for _, name := range []string{"gpt-99", "", "gpt-4o-2099-01-01-x"} {
		if e, ok := Embedded().Entry("openai", name); ok {
			t.Errorf("%q means %s", name, e.Model)
		}
	}
}

// TestEveryNameIsItself wants every model to be found under its own name.
func TestEveryNameIsItself(t *testing.T) {
	b := Embedded()
	seen := map[key]bool{}
	for _, e := range b.entries {
		k := key{e.Provider, e.Model}
		if seen[k] {
			t.Errorf("%s/%s stands twice", e.Provider, e.Model)
		}
		seen[k] = true
		if got := b.find(e.Provider, e.Model); got != e {
			t.Errorf("%s/%s means %s", e.Provider, e.Model, got.Model)
		}
		for i, r := range e.rows {
			if i > 0 && !e.rows[i-1].To.Equal(r.From) {
				t.Errorf("%s/%s: between its rows lies a gap or an overlap", e.Provider, e.Model)
			}
		}
	}
}

func TestExampleModelsAreThere(t *testing.T) {
	for _, target := range []string{
		"openai/gpt-5-mini", "openai/gpt-5.4-mini", "openai/o1", "openai/o3", "openai/o3-mini", "openai/gpt-4o", "openai/gpt-4",
		"anthropic/claude-sonnet-5", "deepseek/deepseek-chat", "deepseek/deepseek-reasoner", "openrouter/deepseek/deepseek-r1", "gemini/gemini-2.5-flash",
		"mistral/mistral-small-latest", "xai/grok-4.3", "groq/llama-3.3-70b-versatile", "alibaba/qwen-max", "perplexity/sonar",
	} {
		provider, model, _ := providers.SplitTarget(target)
		if r, ok := Embedded().Row(provider, model, now); !ok || !r.Priced() {
			t.Errorf("%s has no price", target)
		}
	}
}

func TestOwnRowsWin(t *testing.T) {
	b, problems := Embedded().With([]RowConfig{
		{Target: "corp/big", From: "2026-11-01", Rates: Rates{Input: usd("1.25"), Output: usd("10")}},
		{Target: "corp/big", Rates: Rates{Input: usd("2"), Output: usd("10")}},
		{Target: "openai/gpt-4o", From: "2026-01-01", To: "2026-02-01", Rates: Rates{Input: usd("2"), Output: usd("8")}},
	})
	if b == nil {
		t.Fatal(problems)
	}
	input := func(provider, model, at string) string {
		r, ok := b.Row(provider, model, day(at))
		if !ok {
			return "unknown"
		}
		in, _ := r.Prices(0, price.Terms{})
		return in.String()
	}
	for _, c := range []struct{ provider, model, at, want string }{
		{"corp", "big", "2026-10-31", "2"},
		{"corp", "big", "2026-11-01", "1.25"},
		{"corp", "small", "2026-11-01", "unknown"},
		{"openai", "gpt-4o", "2025-12-31", "2.5"},
		{"openai", "gpt-4o", "2026-01-01", "2"},
		{"openai", "gpt-4o", "2026-02-01", "2.5"},
	} {
		if got := input(c.provider, c.model, c.at); got != c.want {
			t.Errorf("%s/%s on %s: $%s, want $%s", c.provider, c.model, c.at, got, c.want)
		}
	}
	target := providers.Target{Name: "corp/big", Provider: "corp", ID: "big-v2", Type: "openai-compatible"}
	if r, ok := b.For(target, now); !ok || r.Config.Source != "the file, prices.rows[0]" {
		t.Error("a target's own row is found by its name")
	}
	if _, ok := b.For(providers.Target{Name: "eu/mine", Provider: "eu", ID: "gpt-4o", Type: "azure"}, now); !ok {
		t.Error("a target without a row of its own is found by its type")
	}
	if b.Version() == Embedded().Version() || !strings.HasPrefix(b.Version(), Embedded().Version()) {
		t.Errorf("version %q", b.Version())
	}
}

func TestOwnRowProblems(t *testing.T) {
	for name, c := range map[string]struct {
		rows []RowConfig
		path string
	}{
		"no slash":        {[]RowConfig{{Target: "gpt-4o", Rates: Rates{Input: usd("1"), Output: usd("1")}}}, "prices.rows[0].target"},
		"per token":       {[]RowConfig{{Target: "openai/new", Rates: Rates{Input: usd("0.0000025"), Output: usd("10")}}}, "prices.rows[0].input"},
		"per token, new":  {[]RowConfig{{Target: "corp/new", Rates: Rates{Input: usd("1"), Output: usd("0.000015")}}}, "prices.rows[0].output"},
		"in cents":        {[]RowConfig{{Target: "corp/new", Rates: Rates{Input: usd("1250"), Output: usd("10")}}}, "prices.rows[0].input"},
		"unpriced":        {[]RowConfig{{Target: "corp/new"}}, "prices.rows[0]"},
		"twice on a date": {[]RowConfig{{Target: "corp/new", Rates: Rates{Input: usd("1"), Output: usd("1")}}, {Target: "corp/new", Rates: Rates{Input: usd("2"), Output: usd("2")}}}, "prices.rows"},
	} {
		t.Run(name, func(t *testing.T) {
			b, problems := Embedded().With(c.rows)
			if b != nil || len(problems) != 1 || problems[0].Path != c.path {
				t.Errorf("want one problem at %s, got %v", c.path, problems)
			}
		})
	}
}

func TestOwnRowWithoutHalfOfItsPrices(t *testing.T) {
	for name, rates := range map[string]Rates{"no output": {Input: usd("1")}, "no input": {Output: usd("1")}} {
		b, problems := Embedded().With([]RowConfig{{Target: "corp/new", Rates: rates}})
		if b == nil || len(problems) != 1 || !problems[0].Warning || !strings.Contains(problems[0].Message, name) {
			t.Errorf("%s: %v", name, problems)
		}
	}
	free := usd("0")
	if _, problems := Embedded().With([]RowConfig{{Target: "corp/new", Rates: Rates{Input: free, Output: free}}}); len(problems) != 0 {
		t.Errorf("free on both sides: %v", problems)
	}
}

func TestModelWithoutRows(t *testing.T) {
	book := `{"as_of":"2026-11-01"}` + "\n" + `{"provider":"corp","model":"big","rows":[]}` + "\n"
	if _, err := Parse([]byte(book)); err == nil || !strings.Contains(err.Error(), "corp/big") {
		t.Errorf("a book with a model without a price was read: %v", err)
	}
}

func TestDearest(t *testing.T) {
	r, ok := Embedded().Dearest("anthropic", now)
	if !ok {
		t.Fatal("anthropic has models")
	}
	dearest, _ := r.Prices(0, price.Terms{At: now})
	sonnet, _ := Embedded().Row("anthropic", "claude-sonnet-5", now)
	if in, _ := sonnet.Prices(0, price.Terms{At: now}); in > dearest {
		t.Errorf("sonnet ($%s) is dearer than the dearest ($%s)", in, dearest)
	}
	if _, ok := Embedded().Dearest("nobody", now); ok {
		t.Error("nobody has models")
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	b := Embedded()
	u := providers.Usage{Input: 1200, CacheRead: 30_000, Output: 900}
	var total providers.Pico
	if n := testing.AllocsPerRun(100, func() {
		r, _ := b.Row("anthropic", "claude-sonnet-4-5-20250929", now) // by a rule
		total = r.Total(u, price.Terms{At: now})
	}); n != 0 || total == 0 {
		t.Errorf("%v allocations, %s", n, total)
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := Parse(embedded); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBill is what settling one request costs: its row by name, and the sum.
func BenchmarkBill(b *testing.B) {
	book := Embedded()
	u := providers.Usage{Input: 1200, CacheRead: 30_000, Output: 900, Reasoning: 300}
	b.ReportAllocs()
	for b.Loop() {
		r, _ := book.Row("openai", "gpt-5.4-mini-2026-03-17", now)
		r.Total(u, price.Terms{Tier: "flex", At: now})
	}
}
