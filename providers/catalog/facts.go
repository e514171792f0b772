package catalog

import (
	_ "embed"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"

	"farthing/providers"
)

// knowledge.json holds what price data does not: measured ability, with its
// source, and the shape of Mixture-of-Experts models. Ability is accuracy on
// one benchmark, MMLU-Pro, so that figures compare; a model for which no figure
// was published has none.
//
//go:embed knowledge.json
var knowledgeFile []byte

type known struct {
	Model       string   `json:"model"`
	Names       []string `json:"names"`
	Maker       string   `json:"maker"`
	Ability     float64  `json:"ability"`
	Source      string   `json:"source"`
	Experts     int      `json:"experts"`
	ExpertsUsed int      `json:"experts_used"`
	Context     int64    `json:"context"`
	Tools       bool     `json:"tools"`
	Images      bool     `json:"images"`
	Reasoning   bool     `json:"reasoning"`
	Note        string   `json:"note"`
}

var knowledge = sync.OnceValue(func() map[string]*known {
	var f struct {
		Scale   string            `json:"scale"`
		Sources map[string]string `json:"sources"`
		Models  []known           `json:"models"`
	}
	if err := json.Unmarshal(knowledgeFile, &f); err != nil {
		panic("catalog: knowledge.json is broken: " + err.Error()) // a test loads it
	}
	byName := map[string]*known{}
	for i := range f.Models {
		k := &f.Models[i]
		if s, ok := f.Sources[k.Source]; ok {
			k.Source = s
		}
		if k.Note != "" {
			k.Source += "; " + k.Note
		}
		for _, name := range append([]string{k.Model}, k.Names...) {
			byName[name] = k
		}
	}
	return byName
})

// ModelFacts is a model as the catalog knows it, at whatever provider.
type ModelFacts struct {
	Model string // the catalog's name
	Maker string // the provider row of the maker's own API; "" where it has none
	Facts providers.Facts
}

// makers are the rows whose own models a bare name may mean. Where two list a
// name, the earlier is its maker.
var makers = []string{"openai", "anthropic", "gemini", "deepseek", "mistral", "xai", "moonshot", "zai", "alibaba", "cohere", "perplexity"}

// madeBy are the names before the slash under which hosts list a maker's models.
var madeBy = map[string]string{
	"openai": "openai", "anthropic": "anthropic", "google": "gemini", "deepseek": "deepseek", "deepseek-ai": "deepseek",
	"mistralai": "mistral", "x-ai": "xai", "moonshotai": "moonshot", "z-ai": "zai", "zai-org": "zai", "qwen": "alibaba", "cohere": "cohere", "perplexity": "perplexity",
}

// openWeights are names that their makers' own APIs do not serve.
var openWeights = []string{"gpt-oss-", "gemma-"}

func isOpenWeights(name string) bool {
	return slices.ContainsFunc(openWeights, func(w string) bool { return strings.HasPrefix(name, w) })
}

// Maker is the provider whose own API a bare model name means.
func (b *Book) Maker(model string) (provider string, ok bool) {
	name := Normalize(model)
	if isOpenWeights(name) {
		return "", false
	}
	for _, try := range []string{model, name} {
		for _, m := range makers {
			if b.exact[key{m, try}] != nil {
				return m, true
			}
		}
	}
	for _, m := range makers {
		if b.findAt(m, name) != nil {
			return m, true
		}
	}
	return "", false
}

// Model is what the catalog knows of a name, whoever serves it.
func (b *Book) Model(name string) (ModelFacts, bool) {
	maker, ok := b.Maker(name)
	if ok {
		return b.Facts(maker, name), true
	}
	f := b.Facts("", name)
	return f, f.Model != ""
}

// Facts is what a model can do at a provider or engine (a row's name): what is
// published for that provider first, then what is known of the model itself.
// Model is "" where the catalog does not know the name.
func (b *Book) Facts(row, id string) ModelFacts {
	name := Normalize(id)
	if row == "ollama" && !strings.Contains(name, ":") {
		name += ":latest" // Ollama's untagged deepseek-r1 is a small distillation
	}
	var f ModelFacts
	at := b.find(row, id)
	maker := b.maker(id, name)
	k := knowledge()[name]
	switch {
	case k != nil:
		f.Model = k.Model
	case maker != nil:
		f.Model = maker.Model
	case at != nil:
		f.Model = at.Model
	}
	if maker != nil {
		f.Maker = maker.Provider
	} else if k != nil {
		f.Maker = k.Maker
	}
	for _, e := range []*entry{at, maker} {
		if e != nil {
			fill(&f.Facts, e.Can)
		}
	}
	if k != nil {
		k.fill(&f.Facts)
	}
	f.Facts.Chat = chats(at, name)
	f.Facts.Encoding = encoding(name)
	if row == "openai" || row == "azure" {
		openAI(&f.Facts, name)
	}
	return f
}

// maker is the entry of the maker's own API for a name at some host.
func (b *Book) maker(id, name string) *entry {
	if strings.Contains(name, ":") || isOpenWeights(name) {
		return nil
	}
	if vendor, _, ok := strings.Cut(strings.ToLower(id), "/"); ok {
		if m := madeBy[vendor]; m != "" {
			return b.findAt(m, name)
		}
	}
	if m, ok := b.Maker(name); ok {
		return b.findAt(m, name)
	}
	return nil
}

func fill(f *providers.Facts, c *Can) {
	if c == nil {
		return
	}
	f.Context, f.MaxOutput = or(f.Context, c.Context), or(f.MaxOutput, c.MaxOutput)
	f.Tools, f.Images, f.Schema = answer(f.Tools, c.Tools), answer(f.Images, c.Images), answer(f.Schema, c.Schema)
	f.Reasoning = f.Reasoning || c.Reasoning
	f.NoTemperature = f.NoTemperature || c.NoTemperature
}

func (k *known) fill(f *providers.Facts) {
	f.Context = or(f.Context, k.Context)
	f.Experts, f.ExpertsUsed = k.Experts, k.ExpertsUsed
	f.Reasoning = f.Reasoning || k.Reasoning
	for _, x := range []struct {
		have *providers.Answer
		can  bool
	}{{&f.Tools, k.Tools}, {&f.Images, k.Images}} {
		if *x.have == providers.Unknown && x.can {
			*x.have = providers.Yes
		}
	}
	if k.Ability > 0 {
		f.Ability = providers.Ability{Value: k.Ability, Known: true, Source: k.Source}
	}
}

func or(have, other int64) int64 {
	if have != 0 {
		return have
	}
	return other
}

func answer(have providers.Answer, b *bool) providers.Answer {
	switch {
	case have != providers.Unknown || b == nil:
		return have
	case *b:
		return providers.Yes
	}
	return providers.No
}

var notChat = regexp.MustCompile(`embed|rerank|whisper|-tts|transcribe|moderation|guard|dall-e|-image|realtime|-ocr|davinci|babbage|-instruct-0914`)

// chats says whether a model answers chat completions: as published, else by
// its name.
func chats(e *entry, name string) bool {
	if e != nil && e.Can != nil && e.Can.Mode != "" {
		return e.Can.Mode == "chat"
	}
	return !notChat.MatchString(name)
}

// encodings are tiktoken's, by the beginning of OpenAI's names, as in tiktoken's
// model.py. gpt-oss uses o200k_harmony, which is o200k_base with more special
// tokens.
var encodings = []struct{ prefix, encoding string }{
	{"gpt-4o", "o200k_base"},
	{"chatgpt-4o", "o200k_base"},
	{"gpt-4.1", "o200k_base"},
	{"gpt-4.5", "o200k_base"},
	{"gpt-5", "o200k_base"},
	{"o1", "o200k_base"},
	{"o3", "o200k_base"},
	{"o4", "o200k_base"},
	{"gpt-oss", "o200k_base"},
	{"gpt-4", "cl100k_base"},
	{"gpt-3.5", "cl100k_base"},
	{"text-embedding-3", "cl100k_base"},
	{"text-embedding-ada", "cl100k_base"},
}

func encoding(name string) string {
	for _, e := range encodings {
		if rest, ok := strings.CutPrefix(name, e.prefix); ok && (rest == "" || strings.ContainsAny(rest[:1], "-.:") || len(e.prefix) > 2) {
			return e.encoding
		}
	}
	return ""
}

var thinks = regexp.MustCompile(`^(o[134](-|$)|gpt-5)`)

// openAI sets what OpenAI's reasoning models ask of a request: their limit is
// max_completion_tokens and their temperature is fixed. The chat variants of
// gpt-5 take a temperature.
func openAI(f *providers.Facts, name string) {
	if thinks.MatchString(name) {
		f.OutputField = "max_completion_tokens"
		f.NoTemperature = !strings.Contains(name, "-chat")
	}
}

var (
	variants = []string{"free", "nitro", "floor", "online", "extended", "thinking", "exacto", "beta"}
	trailing = regexp.MustCompile(`(-\d{4}-\d{2}-\d{2}|[-@]\d{8}|-v\d+:\d+|-latest|-(fp8|fp4|nvfp4|mxfp4|bf16|awq|gguf|gptq|int4|int8|4bit|8bit|q[2-8]_[0-9a-z_]+))$`)
	dotted   = regexp.MustCompile(`^((us|eu|apac|jp|global|regional)\.)?(anthropic|openai|deepseek|meta|mistral|qwen|moonshot|google|amazon|cohere)\.`)
)

// Normalize strips from a model's name what does not tell models apart: the
// path before it, dates, quantisation, routing variants, Bedrock's prefixes.
func Normalize(name string) string {
	n := strings.ToLower(strings.TrimSuffix(name, "/"))
	n = n[strings.LastIndexByte(n, '/')+1:]
	n = strings.TrimSuffix(n, ".gguf")
	if m := dotted.FindString(n); m != "" {
		n = n[len(m):]
	}
	if base, variant, ok := strings.Cut(n, ":"); ok && slices.Contains(variants, variant) {
		n = base
	}
	for {
		m := trailing.FindStringIndex(n)
		if m == nil || m[0] == 0 {
			return n
		}
		n = n[:m[0]]
	}
}
