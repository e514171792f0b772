package estimate

import (
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"farthing/providers"
)

func gpt4o() *providers.Target {
	return &providers.Target{
		Name: "openai/gpt-4o", Provider: "openai", Model: "gpt-4o", ID: "gpt-4o",
		Facts: providers.Facts{Context: 128000, MaxOutput: 16384, Encoding: "o200k_base", Ability: providers.Ability{Value: 0.7, Known: true}},
	}
}

func claude() *providers.Target {
	return &providers.Target{
		Name: "anthropic/claude-sonnet-5", Provider: "anthropic", Model: "claude-sonnet-5", ID: "claude-sonnet-5",
		Facts: providers.Facts{Context: 200000, MaxOutput: 64000, Reasoning: true},
	}
}

func ask(texts ...string) *providers.Brief {
	b := &providers.Brief{N: 1, Turns: len(texts), Texts: texts}
	if len(texts) > 0 {
		b.LastUser = texts[len(texts)-1]
	}
	return b
}

func TestInput(t *testing.T) {
	named := ask("look")
	named.Named = []string{"file-1"}
	image := ask("look")
	image.Images = []providers.ImageRef{{Named: true}}
	low := ask("look")
	low.Images = []providers.ImageRef{{Named: true, Detail: "low"}}
	tool := ask("What is the weather?")
	tool.Tools, tool.ToolText = 1, `[{"type":"function","function":{"name":"get_weather","description":"Get the weather","parameters":{"type":"object","properties":{"city":{"type":"string","description":"the city"}},"required":["city"]}}}]`
	oss := &providers.Target{ID: "openai/gpt-oss-20b", Facts: providers.Facts{Encoding: "o200k_base"}}
	tests := []struct {
		name          string
		brief         *providers.Brief
		target        *providers.Target
		likely, bound int64
	}{
		{"one word by OpenAI's rule", ask("hi"), gpt4o(), 8, 9},
		{"two turns", ask("hi", "hi"), gpt4o(), 13, 15},
		{"no text at all", &providers.Brief{}, gpt4o(), 7, 8},
		{"a file that is only named fills the context", named, gpt4o(), 8, 128000},
		{"an image that is only named costs the rule's most", image, gpt4o(), 8 + 765, 9 + 1445 + imageFrame},
		{"detail low", low, gpt4o(), 8 + 85, 9 + 85 + imageFrame},
		{"a tool is read as TypeScript", tool, gpt4o(), 12 + 29 + 9, 13 + 45 + 2*toolBound},
		{"gpt-oss has a system message of its own", ask("hi"), oss, 8 + 54, 9 + 160},
		{"another vendor: a token for every byte", ask("hi"), claude(), 1 + 5 + 8, 2 + 16 + 64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			likely, bound := New().Read(tt.brief).Input(tt.target)
			if likely != tt.likely || bound != tt.bound {
				t.Errorf("likely %d, bound %d; want %d, %d", likely, bound, tt.likely, tt.bound)
			}
		})
	}
}

func TestInputNeverExceedsTheContext(t *testing.T) {
	long := ask(strings.Repeat("word ", 300_000))
	likely, bound := New().Read(long).Input(gpt4o())
	if likely < 300_000 || bound != 128000 {
		t.Fatalf("likely %d, bound %d", likely, bound)
	}
}

func TestOutput(t *testing.T) {
	limited := ask("hi")
	limited.MaxOutput, limited.N = 500, 3
	huge := ask("hi")
	huge.MaxOutput = 1 << 40
	low := ask("hi")
	low.Effort = "low"
	unknown := &providers.Target{Name: "laptop/x", ID: "x"}
	small := &providers.Target{Name: "laptop/y", ID: "y", Facts: providers.Facts{Context: 4096}}
	type out struct{ likely, least, usual, most, n int64 }
	tests := []struct {
		name   string
		brief  *providers.Brief
		target *providers.Target
		want   out
	}{
		{"no limit", ask("hi"), gpt4o(), out{350, 2048, 8192, 16384, 1}},
		{"the client's limit", limited, gpt4o(), out{350, 500, 500, 500, 3}},
		{"an absurd limit", huge, gpt4o(), out{350, 2048, 8192, 16384, 1}},
		{"a reasoning model", ask("hi"), claude(), out{2000, 8192, 32768, 64000, 1}},
		{"with low effort", low, claude(), out{800, 8192, 32768, 64000, 1}},
		{"nothing known", ask("hi"), unknown, out{350, 2048, 8192, 8192, 1}},
		{"what fits in the context", ask("hi"), small, out{350, 2048, 4096 - 14, 4096 - 14, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := New().Read(tt.brief).For(tt.target)
			got := out{e.OutputLikely, e.OutputLeast, e.OutputUsual, e.OutputMost, e.Answers}
			if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(out{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestOutputsAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, target := New(), gpt4o()
		target.Facts.MaxOutput = rapid.Int64Range(0, 100000).Draw(t, "max")
		target.Facts.Context = rapid.Int64Range(0, 100000).Draw(t, "context")
		target.Facts.Reasoning = rapid.Bool().Draw(t, "reasoning")
		b := ask(rapid.String().Draw(t, "text"))
		b.MaxOutput = rapid.Int64Range(0, 100000).Draw(t, "limit")
		b.ToolText, b.SchemaText = rapid.String().Draw(t, "tools"), rapid.String().Draw(t, "schema") // whatever they are
		for range rapid.IntRange(0, 300).Draw(t, "answers") {
			e.Observe(target, Estimate{Answers: 1}, Outcome{Usage: providers.Usage{Output: 777}})
		}
		est := e.Read(b).For(target)
		if est.OutputLeast < 1 || est.OutputLeast > est.OutputUsual || est.OutputUsual > est.OutputMost || est.OutputLikely > est.OutputMost || est.OutputLikely < 1 {
			t.Fatalf("%+v", est)
		}
		if b.MaxOutput > 0 && est.OutputMost > b.MaxOutput {
			t.Fatalf("the client's limit was raised: %+v", est)
		}
	})
}

func TestLengthsAreLearned(t *testing.T) {
	e, target := New(), gpt4o()
	observe := func(n int64, got Outcome) {
		got.Usage = providers.Usage{Output: n}
		e.Observe(target, Estimate{Answers: 1}, got)
	}
	for i := range int64(Trusted - 1) {
		observe(i%100+1, Outcome{})
	}
	if e.Read(ask("hi")).For(target).Learned {
		t.Fatal("199 answers are trusted")
	}
	observe(100, Outcome{})
	est := e.Read(ask("hi")).For(target)
	if !est.Learned || est.OutputLikely < 45 || est.OutputLikely > 60 || est.OutputUsual < 99 || est.OutputUsual > 109 || est.OutputLeast != est.OutputLikely {
		t.Fatalf("%+v", est)
	}
	for range 100 {
		observe(10, Outcome{Cut: true}) // the client's own limit: says nothing
	}
	if again := e.Read(ask("hi")).For(target); again.OutputUsual != est.OutputUsual {
		t.Fatalf("answers cut by the client moved the lengths: %+v", again)
	}
	for range 50 {
		observe(109, Outcome{Cut: true, Clamped: true}) // ours: longer than that
	}
	if again := e.Read(ask("hi")).For(target); again.OutputUsual < 210 {
		t.Fatalf("answers cut by our limit did not raise it: %+v", again)
	}
}

func TestLengthsForget(t *testing.T) {
	var h histogram
	for range 3000 {
		h.add(10_000)
	}
	for range 40_000 {
		h.add(100)
	}
	if q := h.quantile(0.99); q > 110 {
		t.Fatalf("the 99th percentile is still %d", q)
	}
	if h.Seen != 43_000 {
		t.Fatalf("seen %d", h.Seen)
	}
}

func TestQuantilesOfAHistogram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h histogram
		all := rapid.SliceOfN(rapid.Int64Range(1, 1<<20), 1, 300).Draw(t, "lengths")
		for _, n := range all {
			h.add(n)
		}
		for _, q := range []float64{0.5, 0.99} {
			got, below := h.quantile(q), 0
			for _, n := range all {
				if n <= got {
					below++
				}
			}
			if float64(below) < q*float64(len(all)) {
				t.Fatalf("quantile %v is %d, only %d of %d are not above it", q, got, below, len(all))
			}
		}
	})
	if new(histogram).quantile(0.5) != 0 {
		t.Fatal("an empty histogram has a median")
	}
}

func TestFactorIsLearnedAndRobust(t *testing.T) {
	e, target := New(), claude()
	b := ask(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20))
	raw := e.Read(b).Tokens("o200k_base")
	before := e.Read(b).For(target)
	if want := int64(float64(raw)*1.25) + 13; before.Input != want {
		t.Fatalf("before: %d, want %d", before.Input, want)
	}
	report := func(n int64) {
		e.Observe(target, e.Read(b).For(target), Outcome{Usage: providers.Usage{Input: n, Output: 5}})
	}
	for range 400 {
		report(int64(float64(raw)*1.5) + 13)
	}
	after := e.Read(b).For(target)
	if want := float64(raw)*1.5 + 13; math.Abs(float64(after.Input)-want) > 0.02*want {
		t.Fatalf("after: %d, want about %v", after.Input, want)
	}
	report(raw * 1000)
	if odd := e.Read(b).For(target); float64(odd.Input) > 1.01*float64(after.Input) {
		t.Fatalf("one odd report moved %d to %d", after.Input, odd.Input)
	}
}

func TestExcessIsHeldFromThenOn(t *testing.T) {
	e, target, b := New(), gpt4o(), ask("hi")
	est := e.Read(b).For(target)
	e.Observe(target, est, Outcome{Usage: providers.Usage{Input: est.InputBound + 500, Output: 1}})
	if again := e.Read(b).For(target); again.InputBound != est.InputBound+500 {
		t.Fatalf("bound %d, want %d", again.InputBound, est.InputBound+500)
	}
	searched := ask("hi")
	searched.ServerTools = []string{"web_search"}
	e.Observe(target, e.Read(searched).For(target), Outcome{Usage: providers.Usage{Input: 30_000, Output: 1}})
	if again := e.Read(b).For(target); again.InputBound != est.InputBound+500 {
		t.Fatalf("what a server tool read is held for every prompt: %d", again.InputBound)
	}
}

func TestTargetsAreBounded(t *testing.T) {
	e := New()
	for i := range maxTargets + 10 {
		target := gpt4o()
		target.Name = "openai/" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
		e.Observe(target, Estimate{Answers: 1}, Outcome{Usage: providers.Usage{Output: 5}})
	}
	if n := len(e.Snapshot()); n > maxTargets {
		t.Fatalf("%d targets are remembered", n)
	}
}

func TestSnapshot(t *testing.T) {
	e := New()
	for i := range int64(300) {
		e.Observe(gpt4o(), Estimate{Answers: 1}, Outcome{Usage: providers.Usage{Output: i + 1}})
		b := ask(strings.Repeat("some words ", 50))
		e.Observe(claude(), e.Read(b).For(claude()), Outcome{Usage: providers.Usage{Input: 170, Output: i + 1}})
	}
	raw, err := json.Marshal(e.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var s Snapshot
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	restored := New()
	if err := restored.Restore(s); err != nil {
		t.Fatal(err)
	}
	for _, target := range []*providers.Target{gpt4o(), claude()} {
		b := ask(strings.Repeat("other words ", 40))
		want, got := e.Read(b).For(target), restored.Read(b).For(target)
		if d := cmp.Diff(want, got, cmp.AllowUnexported(Estimate{})); d != "" {
			t.Error(d)
		}
	}
}

func TestDamagedSnapshotChangesNothing(t *testing.T) {
	for name, bad := range map[string]Learned{
		"class out of range": {Lengths: Lengths{Seen: 1, Weights: map[int]float64{9999: 1}}},
		"negative weight":    {Lengths: Lengths{Seen: 1, Weights: map[int]float64{3: -1}}},
		"not a number":       {Lengths: Lengths{Weights: map[int]float64{3: math.NaN()}}},
		"absurd factor":      {Factor: 1e9},
		"negative excess":    {Excess: -1},
	} {
		e := New()
		err := e.Restore(Snapshot{"a/b": {Lengths: Lengths{Seen: 5, Weights: map[int]float64{3: 5}}}, "c/d": bad})
		if err == nil || len(e.Snapshot()) != 0 {
			t.Errorf("%s: err %v, %d targets", name, err, len(e.Snapshot()))
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	e, target := New(), claude()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 300 {
				b := ask("some words that are long enough to be remembered, and then some more of them")
				est := e.Read(b).For(target)
				e.Observe(target, est, Outcome{Usage: providers.Usage{Input: 40, Output: 100}})
				e.Snapshot()
			}
		})
	}
	wg.Wait()
	if est := e.Read(ask("x")).For(target); !est.Learned {
		t.Fatal("1,200 answers are not trusted")
	}
}

func TestImages(t *testing.T) {
	ref := func(w, h int, detail string) providers.ImageRef {
		return providers.ImageRef{Width: w, Height: h, Detail: detail}
	}
	target := func(model, encoding string) *providers.Target {
		return &providers.Target{Model: model, Facts: providers.Facts{Encoding: encoding}}
	}
	tests := []struct {
		target       *providers.Target
		image        providers.ImageRef
		likely, most int64
	}{
		{target("gpt-4o", "o200k_base"), ref(1024, 1024, "high"), 765, 765},   // OpenAI's own example
		{target("gpt-4o", "o200k_base"), ref(2048, 4096, "auto"), 1105, 1105}, // and the next
		{target("gpt-4o", "o200k_base"), ref(4096, 8192, "low"), 85, 85},      // and the third
		{target("gpt-4o", "o200k_base"), ref(2048, 768, "high"), 1445, 1445},  // the most tiles
		{target("gpt-4o", "o200k_base"), ref(10, 10, ""), 255, 255},           // one tile
		{target("gpt-4o-mini", "o200k_base"), ref(1024, 1024, ""), 25501, 25501},
		{target("gpt-4.1-mini", "o200k_base"), ref(1024, 1024, ""), 1659, 1659}, // 1,024 patches
		{target("gpt-5-nano", "o200k_base"), ref(9999, 9999, ""), 3779, 3779},
		{target("claude-sonnet-5", ""), ref(1000, 1000, ""), 1334, 1334},
		{target("gemini-2.5-pro", ""), ref(300, 300, ""), 258, 258},
		{target("gemini-2.5-pro", ""), ref(960, 540, ""), 6 * 258, 6 * 258}, // Google's own example
		{target("qwen-vl", ""), ref(280, 280, ""), 100, 400},
		{target("qwen-vl", ""), ref(math.MaxInt32, math.MaxInt32, ""), 16384, 16384},
	}
	for _, tt := range tests {
		likely, most := ruleFor(tt.target).count(tt.image)
		if likely != tt.likely || most != tt.most {
			t.Errorf("%s %+v: %d and %d, want %d and %d", tt.target.Model, tt.image, likely, most, tt.likely, tt.most)
		}
	}
}

// No size of an image costs more than what is held for an unknown one.
func TestUnknownImageIsABound(t *testing.T) {
	models := []*providers.Target{gpt4o(), claude(), {Model: "gpt-5-mini", Facts: gpt4o().Facts}, {Model: "gpt-5.2", Facts: gpt4o().Facts}, {Model: "gemini-3"}, {Model: "x"}}
	rapid.Check(t, func(t *rapid.T) {
		target := rapid.SampledFrom(models).Draw(t, "model")
		w, h := rapid.IntRange(1, 20000).Draw(t, "w"), rapid.IntRange(1, 20000).Draw(t, "h")
		_, known := ruleFor(target).count(providers.ImageRef{Width: w, Height: h})
		_, unknown := ruleFor(target).count(providers.ImageRef{Named: true})
		if known > unknown {
			t.Fatalf("%s: %d × %d costs %d, more than %d", target.Model, w, h, known, unknown)
		}
	})
}

func TestTypescript(t *testing.T) {
	raw := `[{"type":"function","function":{"name":"find","description":"Find things","parameters":{"type":"object","required":["q"],
	"properties":{"q":{"type":"string","description":"what"},"kind":{"enum":["a","b"]},"page":{"type":"integer"},
	"near":{"type":"object","properties":{"lat":{"type":"number"}}},"tags":{"type":"array","items":{"type":"string"}}}}}},{"name":"now"}]`
	want := `namespace functions {

// Find things
type find = (_: {
// what
q: string,
kind?: "a" | "b",
page?: number,
near?: {
  lat?: number,
},
tags?: string[],
}) => any;

type now = () => any;

} // namespace functions`
	if d := cmp.Diff(want, typescript(raw)); d != "" {
		t.Error(d)
	}
	deep := strings.Repeat(`{"type":"array","items":`, 5000) + `{}` + strings.Repeat("}", 5000)
	if got := typescript(`[{"name":"f","parameters":{"properties":{"x":` + deep + `}}}]`); len(got) > 1000 {
		t.Errorf("a deep schema is followed to the end: %d bytes", len(got))
	}
}

func TestDifficultyOrdersThePlainCases(t *testing.T) {
	value := func(text string) float64 { return New().Read(ask(text)).Difficulty().Value }
	easy := []string{"hi", "Hello, how are you?", "Translate 'good morning' to French.", "List three fruits.", "What is the capital of France?"}
	hard := []string{
		"Prove that the square root of 2 is irrational.", "Derive the closed form of this integral and prove the theorem by induction: $\\int x^2 e^x dx$",
		"Why does this deadlock? Explain and refactor:\n```go\nfunc a() { mu.Lock(); b() }\n```\nAnalyze the complexity of the algorithm.",
	}
	for _, e := range easy {
		for _, h := range hard {
			if value(e) >= 0.4 || value(h) <= 0.5 || value(e) >= value(h) {
				t.Errorf("%q %.2f against %q %.2f", e, value(e), h, value(h))
			}
		}
	}
}

func TestDifficultyIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := ask(rapid.String().Draw(t, "text"))
		b.SchemaText = rapid.String().Draw(t, "schema")
		b.Tools, b.Effort = rapid.IntRange(0, 1000).Draw(t, "tools"), rapid.SampledFrom([]string{"", "low", "high"}).Draw(t, "effort")
		d := New().Read(b).Difficulty()
		if !(d.Low >= 0 && d.Low <= d.Value && d.Value <= d.High && d.High <= 1) || d.Learned || d.Version == "" || d.High-d.Low < plainSpread {
			t.Fatalf("%+v", d)
		}
	})
	if got := schemaDepth(strings.Repeat(`{"properties":`, 100_000)); got > 8 {
		t.Fatalf("depth %d", got)
	}
}

func TestDifficultyFeatures(t *testing.T) {
	var f features
	f.scan("Which is it?\nA) one\nB) two\n(C) three\nD. four\nI. e. not a word\n x = y^2; f(x)")
	if f.options != 5 {
		t.Errorf("%d options", f.options)
	}
	if f.formula != 2 || f.syntax < 3 {
		t.Errorf("formula %d, syntax %d", f.formula, f.syntax)
	}
	if got, want := schemaDepth(`{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}}}}`), 3; got != want {
		t.Errorf("schema depth %d, want %d", got, want)
	}
}

func TestQuality(t *testing.T) {
	r := New().Read(ask("hi"))
	strong, weak, unknown := gpt4o(), gpt4o(), claude()
	strong.Facts.Ability.Value, weak.Facts.Ability.Value = 0.9, 0.5
	s, w, u := r.Quality(strong), r.Quality(weak), r.Quality(unknown)
	if !(s.Value > w.Value && s.Low < s.Value && s.Value < s.High && s.Known && !s.Learned) {
		t.Errorf("strong %+v, weak %+v", s, w)
	}
	if u.Known || u.Value != 0 || u.Low != 0 || u.High != 1 {
		t.Errorf("unknown ability: %+v", u)
	}
	r.difficulty, r.measured = Difficulty{Value: 0.5, Low: 0.5, High: 0.5}, true
	if q := r.Quality(strong); math.Abs(q.Value-0.9) > 1e-9 {
		t.Errorf("at average difficulty the prediction is the published accuracy, not %v", q.Value)
	}
}

func TestTokens(t *testing.T) {
	if Tokens("cl100k_base", "hello world") != 2 || Tokens("", "hello world") != 2 {
		t.Fatal("two words are not two tokens")
	}
}

func BenchmarkEstimate(b *testing.B) {
	e := New()
	brief := ask("You are a helpful assistant.", strings.Repeat("Explain the design of a hash table and why probing is bounded. ", 60))
	targets := []*providers.Target{gpt4o(), claude()}
	b.ReportAllocs()
	for b.Loop() {
		r := e.Read(brief)
		for _, t := range targets {
			r.For(t)
			r.Quality(t)
		}
	}
}

func BenchmarkDifficulty(b *testing.B) {
	brief := ask(strings.Repeat("Explain the design of a hash table and why probing is bounded. ", 200))
	for b.Loop() {
		New().Read(brief).Difficulty()
	}
}
