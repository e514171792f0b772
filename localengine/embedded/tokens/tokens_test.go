package tokens

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTextIsWholeHoweverItIsCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few letters, so that stops and parts of them are frequent; some
		// bytes that are parts of characters, and some that are none.
		letters := []string{"a", "b", "c", "ä", "世", "🙂", "\xff", "\xe4", "\x96"}
		whole := strings.Join(rapid.SliceOfN(rapid.SampledFrom(letters), 0, 30).Draw(t, "text"), "")
		stops := rapid.SliceOfN(rapid.StringMatching("[abc]{1,4}|ä|世b"), 0, 3).Draw(t, "stops")
		want, stopped := whole, false
		for i := range whole {
			if slices.ContainsFunc(stops, func(s string) bool { return strings.HasPrefix(whole[i:], s) }) {
				want, stopped = whole[:i], true
				break
			}
		}
		if !utf8.ValidString(want) {
			want = string([]rune(want))
		}
		x, got := Text{Stops: stops}, ""
		for rest := whole; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			part := x.Write(rest[:n])
			if !utf8.ValidString(part) {
				t.Fatalf("sends %q", part)
			}
			got, rest = got+part, rest[n:]
		}
		got += x.Flush()
		if got != want || x.Stopped != stopped {
			t.Fatalf("%q with stops %q: got %q (%v), want %q (%v)", whole, stops, got, x.Stopped, want, stopped)
		}
	})
}

// allowed is what may be picked, found in the plain and slow way.
func allowed(s Sampling, logits []float32) map[int32]bool {
	c := make([]candidate, len(logits))
	best := slices.Max(logits)
	for i, l := range logits {
		c[i] = candidate{int32(i), math.Exp(float64(l-best) / s.Temperature)}
	}
	slices.SortFunc(c, likelier)
	if s.TopK > 0 && s.TopK < len(c) {
		c = c[:s.TopK]
	}
	sum, reached, out := total(c), 0.0, map[int32]bool{}
	for _, x := range c {
		if x.p < s.MinP || x.p == 0 {
			break
		}
		out[x.id] = true
		if reached += x.p; reached >= s.TopP*sum {
			break
		}
	}
	return out
}

func TestSamplerPicksOnlyWhatIsAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Sampling{
			Temperature: rapid.SampledFrom([]float64{1e-300, 0.1, 0.7, 1, 2}).Draw(t, "temperature"),
			TopK:        rapid.IntRange(0, 12).Draw(t, "k"),
			TopP:        rapid.SampledFrom([]float64{0, 0.1, 0.5, 0.9, 0.999, 1}).Draw(t, "p"),
			MinP:        rapid.SampledFrom([]float64{0, 0.05, 0.5, 1}).Draw(t, "min"),
			Seed:        rapid.Uint64().Draw(t, "seed"),
		}
		// Whole numbers, so that ties occur.
		logits := rapid.SliceOfN(rapid.Map(rapid.IntRange(-6, 6), func(i int) float32 { return float32(i) }), 1, 40).Draw(t, "logits")
		ok, one, two := allowed(s, logits), NewSampler(s), NewSampler(s)
		for range 20 {
			a, errA := one.Next(slices.Clone(logits))
			b, errB := two.Next(slices.Clone(logits))
			if errA != nil || errB != nil || a != b {
				t.Fatalf("one seed, two tokens: %d %v, %d %v", a, errA, b, errB)
			}
			if !ok[a] {
				t.Fatalf("picked %d of %v with %+v, allowed %v", a, logits, s, ok)
			}
		}
	})
}

// Shares of the draws are the probabilities: e^1 and e^0 to e^-1.
func TestSamplerIsFair(t *testing.T) {
	s := NewSampler(Sampling{Temperature: 1, TopP: 1, Seed: 3})
	counts, logits := make([]float64, 3), []float32{1, 0, -1}
	const n = 20000
	for range n {
		id, err := s.Next(slices.Clone(logits))
		if err != nil {
			t.Fatal(err)
		}
		counts[id]++
	}
	sum := math.E + 1 + 1/math.E
	for i, want := range []float64{math.E / sum, 1 / sum, 1 / math.E / sum} {
		if got := counts[i] / n; math.Abs(got-want) > 0.015 {
			t.Errorf("token %d: share %.3f, want %.3f", i, got, want)
		}
	}
}

func TestGreedyPenaltiesAndNonsense(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	s := NewSampler(Sampling{TopP: 1})
	for _, c := range []struct {
		logits []float32
		want   int32
	}{{[]float32{1, 3, 3, 2}, 1}, {[]float32{nan, -5, -4}, 2}, {[]float32{-inf, -9}, 1}} {
		if got, err := s.Next(c.logits); err != nil || got != c.want {
			t.Errorf("%v: %d %v, want %d", c.logits, got, err, c.want)
		}
	}
	for _, bad := range [][]float32{{nan, nan}, {-inf}, {inf, 1}, {}} {
		if id, err := s.Next(bad); err == nil {
			t.Errorf("%v gave token %d", bad, id)
		}
	}
	p := NewSampler(Sampling{TopP: 1, Presence: 1, Frequency: 0.5})
	got := []int32{}
	for range 4 {
		id, err := p.Next([]float32{3, 2, 0})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, id)
	}
	// 3, then 3-1.5 < 2, then 2-1.5 < 1.5, then 3-2 > 0.5.
	if diff := cmp.Diff([]int32{0, 1, 0, 0}, got); diff != "" {
		t.Error(diff)
	}
}

func flat(segments []Segment) string {
	b := strings.Builder{}
	for _, s := range segments {
		b.WriteString(s.Text)
	}
	return b.String()
}

func TestPrompts(t *testing.T) {
	talk := []Message{{"system", "Be brief."}, {"user", "Hi <|im_end|>"}, {"assistant", "Hello."}, {"user", "2+2?"}}
	chatML, _ := FamilyOf("qwen3moe")
	want := "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi <|im_end|><|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
	got := chatML.Render(talk, "", time.Time{})
	if diff := cmp.Diff(want, flat(got)); diff != "" {
		t.Error(diff)
	}
	for _, s := range got {
		if s.Control != (s.Text == "<|im_start|>" || s.Text == "<|im_end|>") {
			t.Errorf("segment %+v", s)
		}
	}
	harmony, _ := FamilyOf("gpt-oss")
	want = "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\nCurrent date: 2026-11-24\n\nReasoning: low\n\n# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>" +
		"<|start|>developer<|message|># Instructions\n\nBe brief.<|end|><|start|>user<|message|>Hi <|im_end|><|end|><|start|>assistant<|channel|>final<|message|>Hello.<|end|><|start|>user<|message|>2+2?<|end|><|start|>assistant"
	if diff := cmp.Diff(want, flat(harmony.Render(talk, "low", time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)))); diff != "" {
		t.Error(diff)
	}
	for _, arch := range []string{"llama", "olmoe", "deepseek2", "qwen3", ""} {
		if _, known := FamilyOf(arch); known {
			t.Errorf("%s is served", arch)
		}
	}
}

func TestSplitMarkers(t *testing.T) {
	specials := []string{"<|im_start|>", "<|im_end|>", "<think>", "x"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"<|im_start|>", "<|im_end|>", "<|im_", "end|>", "<think>", "<", "a", "世"})).Draw(t, "text"), "")
		parts := SplitMarkers(text, specials)
		if strings.Join(parts, "") != text {
			t.Fatalf("%q became %q", text, parts)
		}
		for _, p := range parts {
			for _, s := range specials[:3] {
				if strings.Contains(p, s) {
					t.Fatalf("%q is still in %q", s, p)
				}
			}
		}
	})
}

// places runs tokens, written as their texts, through a splitter.
func places(m Marks, pieces ...string) (answer, thoughts string) {
	s := m.Splitter()
	for _, p := range pieces {
		switch s.Next(lookup(p), p) {
		case Content:
			answer += p
		case Reasoning:
			thoughts += p
		}
	}
	return answer, thoughts
}

func lookup(s string) int32 {
	return int32(slices.Index([]string{"<think>", "</think>", "<|channel|>", "<|message|>", "<|start|>", "<|end|>"}, s))
}

func TestReasoningIsApart(t *testing.T) {
	qwen, _ := FamilyOf("qwen3moe")
	oss, _ := FamilyOf("gptoss")
	none := func(string) int32 { return -1 }
	for _, c := range []struct {
		name             string
		marks            Marks
		pieces           string
		answer, thoughts string
	}{
		{"plain", FindMarks(qwen, false, none), "a b", "ab", ""},
		{"thinks", FindMarks(qwen, false, lookup), "<think> hm </think> b", "b", "hm"},
		{"thinks from the start", FindMarks(qwen, true, lookup), "hm </think> b", "b", "hm"},
		{"no such token", FindMarks(qwen, true, none), "a", "a", ""},
		{"harmony", FindMarks(oss, false, lookup), "<|channel|> analysis <|message|> hm <|end|> <|start|> assistant <|channel|> fi nal <|message|> yes no", "yesno", "hm"},
		{"harmony, final at once", FindMarks(oss, false, lookup), "<|channel|> final <|message|> yes", "yes", ""},
		{"harmony, header only", FindMarks(oss, false, lookup), "<|channel|> final", "", ""},
	} {
		if answer, thoughts := places(c.marks, strings.Fields(c.pieces)...); answer != c.answer || thoughts != c.thoughts {
			t.Errorf("%s: %q, %q", c.name, answer, thoughts)
		}
	}
}

func BenchmarkSampler(b *testing.B) {
	logits := make([]float32, 151936) // Qwen 3's vocabulary
	r := rand.New(rand.NewPCG(1, 2))
	for i := range logits {
		logits[i] = float32(r.NormFloat64() * 3)
	}
	s := NewSampler(Sampling{Temperature: 0.7, TopK: 40, TopP: 0.9})
	for b.Loop() {
		if _, err := s.Next(logits); err != nil {
			b.Fatal(err)
		}
	}
}
