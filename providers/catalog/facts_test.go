package catalog

import (
	"regexp"
	"testing"

	"farthing/providers"
	"farthing/providers/catalog/price"
)

func TestFacts(t *testing.T) {
	b := Embedded()
	for _, c := range []struct {
		row, id, model, maker string
		check                 func(f providers.Facts) bool
	}{
		{"openai", "gpt-5.4-mini-2026-03-17", "gpt-5.4-mini", "openai", func(f providers.Facts) bool {
			return f.Chat && f.Reasoning && f.NoTemperature && f.OutputField == "max_completion_tokens" && f.Encoding == "o200k_base" && f.Context >= 400_000 && f.MaxOutput == 128_000
		}},
		{"openai", "gpt-4o", "gpt-4o", "openai", func(f providers.Facts) bool {
			return f.OutputField == "" && !f.NoTemperature && f.Ability.Value == 0.726 && f.Images == providers.Yes && f.Tools == providers.Yes
		}},
		{"openai", "gpt-4-0613", "gpt-4", "openai", func(f providers.Facts) bool { return f.Encoding == "cl100k_base" }},
		{"openai", "text-embedding-3-small", "text-embedding-3-small", "openai", func(f providers.Facts) bool { return !f.Chat && f.Encoding == "cl100k_base" }},
		{"openai", "o1-pro", "o1-pro", "openai", func(f providers.Facts) bool { return !f.Chat }},
		{"openrouter", "openai/o3-mini", "o3-mini", "openai", func(f providers.Facts) bool { return f.OutputField == "" && f.Ability.Known }},
		{"openrouter", "anthropic/claude-opus-4.6", "claude-opus-4-6", "anthropic", func(f providers.Facts) bool { return f.Ability.Value == 0.891 && f.Encoding == "" }},
		{"openrouter", "deepseek/deepseek-r1:free", "deepseek-r1", "deepseek", func(f providers.Facts) bool { return f.Experts == 256 && f.ExpertsUsed == 8 }},
		{"bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5", "anthropic", func(f providers.Facts) bool { return f.Ability.Known }},
		{"vllm", "deepseek-ai/DeepSeek-R1", "deepseek-r1", "deepseek", func(f providers.Facts) bool { return f.Ability.Value == 0.84 && f.Experts == 256 }},
		{"vllm", "Qwen/Qwen3-30B-A3B-Instruct-2507-FP8", "qwen3-30b-a3b-instruct-2507", "", func(f providers.Facts) bool { return f.ExpertsUsed == 8 && f.Context == 262_144 }},
		{"ollama", "deepseek-r1", "", "", func(f providers.Facts) bool { return !f.Ability.Known && f.Experts == 0 && f.Chat }},
		{"ollama", "deepseek-r1:671b", "deepseek-r1", "deepseek", func(f providers.Facts) bool { return f.Ability.Known }},
		{"ollama", "nomic-embed-text", "", "", func(f providers.Facts) bool { return !f.Chat }},
		{"llamacpp", "gpt-oss-20b-mxfp4.gguf", "gpt-oss-20b", "", func(f providers.Facts) bool { return f.Experts == 32 && f.Encoding == "o200k_base" }},
		{"groq", "openai/gpt-oss-120b", "gpt-oss-120b", "", func(f providers.Facts) bool { return f.OutputField == "" && f.MaxOutput > 0 }},
		{"openai-compatible", "in-house-7b", "", "", func(f providers.Facts) bool { return f.Chat && f.Context == 0 }},
		{"anthropic", "claude-sonnet-5", "claude-sonnet-5", "anthropic", func(f providers.Facts) bool { return f.NoTemperature && !f.Ability.Known }},
	} {
		f := b.Facts(c.row, c.id)
		if f.Model != c.model || f.Maker != c.maker || !c.check(f.Facts) {
			t.Errorf("%s/%s: %+v, want model %q of %q", c.row, c.id, f, c.model, c.maker)
		}
	}
}

func TestMaker(t *testing.T) {
	for name, want := range map[string]string{
		"gpt-4o": "openai", "gpt-4o-2024-08-06": "openai", "o1": "openai", "claude-sonnet-5": "anthropic",
		"claude-3-5-sonnet-20241022": "anthropic", "gemini-2.5-pro": "gemini", "deepseek-chat": "deepseek", "deepseek-r1": "deepseek",
		"mistral-small-latest": "mistral", "grok-4.5": "xai", "kimi-k3": "moonshot", "sonar": "perplexity", "qwen-max": "alibaba",
		"gpt-oss-120b": "", "llama-3.3-70b-instruct": "", "in-house": "", "": "",
	} {
		if got, ok := Embedded().Maker(name); got != want || ok != (want != "") {
			t.Errorf("%q is made by %q (%v), want %q", name, got, ok, want)
		}
	}
}

func TestModel(t *testing.T) {
	if f, ok := Embedded().Model("o1"); !ok || f.Maker != "openai" || f.Facts.OutputField != "max_completion_tokens" {
		t.Errorf("o1: %+v %v", f, ok)
	}
	if f, ok := Embedded().Model("mixtral-8x7b-instruct-v0.1"); !ok || f.Facts.Experts != 8 {
		t.Errorf("mixtral: %+v %v", f, ok)
	}
	if _, ok := Embedded().Model("no-such-model"); ok {
		t.Error("an unknown name is known")
	}
}

// TestKnowledge holds that what is measured says where, on the one scale, and
// that experts come in pairs.
func TestKnowledge(t *testing.T) {
	for name, k := range knowledge() {
		if name != Normalize(name) && Normalize(name) != k.Model {
			t.Errorf("%q can never be found: it is looked up as %q", name, Normalize(name))
		}
		if (k.Ability > 0) != (k.Source != "") || k.Ability < 0 || k.Ability >= 1 {
			t.Errorf("%s: ability %v from %q", k.Model, k.Ability, k.Source)
		}
		if k.Source != "" && !regexp.MustCompile(`MMLU-Pro`).MatchString(k.Source) {
			t.Errorf("%s: the source %q does not name the benchmark", k.Model, k.Source)
		}
		if (k.Experts > 0) != (k.ExpertsUsed > 0) || k.ExpertsUsed > k.Experts {
			t.Errorf("%s: %d of %d experts", k.Model, k.ExpertsUsed, k.Experts)
		}
	}
}

func TestProviderRows(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range ProviderRows() {
		if seen[p.Name] || p.ChatPath == "" || p.Auth == "" || p.Format == "" {
			t.Errorf("%+v", p)
		}
		seen[p.Name] = true
		if p.CancelStopsBilling != providers.Unknown && p.CancelSource == "" {
			t.Errorf("%s: whether cancelling stops the bill needs a source", p.Name)
		}
		if !p.Served() && p.Note == "" {
			t.Errorf("%s: a format that is not served must say so", p.Name)
		}
	}
	for _, name := range []string{
		"openai", "deepseek", "mistral", "xai", "groq", "openrouter", "together", "fireworks", "perplexity", "cerebras", "moonshot", "zai",
		"alibaba", "huggingface", "cohere", "gemini", "openai-compatible", "vllm", "sglang", "llamacpp", "lmstudio", "ollama", "gpustack", "anthropic", "bedrock", "azure", "vertex",
	} {
		if !seen[name] {
			t.Errorf("no row %s", name)
		}
	}
	if p, ok := ProviderRow("x-ai"); !ok || p.Name != "xai" {
		t.Error("x-ai is xai")
	}
	if _, ok := ProviderRow("nobody"); ok {
		t.Error("nobody has a row")
	}
}

// TestPairs wants a price, chat and no announced end of every small and large
// model, and that the large one is the dearer.
func TestPairs(t *testing.T) {
	for name := range pairs {
		small, _ := Small(name)
		large, ok := Large(name)
		if _, has := ProviderRow(name); !ok || !has {
			t.Errorf("%s has no row", name)
		}
		var dollars [2]providers.Pico
		for i, model := range []string{small, large} {
			r, ok := Embedded().Row(name, model, now)
			if !ok {
				t.Errorf("%s/%s has no price", name, model)
				continue
			}
			dollars[i] = r.Total(providers.Usage{Input: 1000, Output: 500}, price.Terms{At: now})
			if f := Embedded().Facts(name, model); !f.Facts.Chat {
				t.Errorf("%s/%s does not chat", name, model)
			}
			if e, _ := Embedded().Entry(name, model); e.Can != nil && e.Can.Retired != "" {
				t.Errorf("%s/%s ends on %s", name, model, e.Can.Retired)
			}
		}
		if dollars[0] >= dollars[1] {
			t.Errorf("%s: %s ($%s) is not smaller than %s ($%s)", name, small, dollars[0], large, dollars[1])
		}
	}
}
