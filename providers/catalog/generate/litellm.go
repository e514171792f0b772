package main

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"farthing/providers"
	"farthing/providers/catalog"
	"farthing/providers/catalog/price"
)

// litellmProviders maps litellm's provider to ours and to the prefix of its
// model names. Only these are read: the makers' own APIs, and hosts whose own
// models genai-prices lacks.
var litellmProviders = map[string]struct{ name, prefix string }{
	"openai": {"openai", ""}, "text-completion-openai": {"openai", ""}, "anthropic": {"anthropic", ""}, "gemini": {"gemini", "gemini/"},
	"deepseek": {"deepseek", "deepseek/"}, "mistral": {"mistral", "mistral/"}, "xai": {"xai", "xai/"}, "groq": {"groq", "groq/"},
	"cohere": {"cohere", ""}, "cohere_chat": {"cohere", ""}, "perplexity": {"perplexity", "perplexity/"}, "moonshot": {"moonshot", "moonshot/"},
	"zai": {"zai", "zai/"}, "cerebras": {"cerebras", "cerebras/"}, "dashscope": {"alibaba", "dashscope/"},
	"fireworks_ai": {"fireworks", "fireworks_ai/"}, "together_ai": {"together", "together_ai/"},
}

// litellmClasses are litellm's keys for the token classes, without the tier's
// suffix.
var litellmClasses = []struct {
	key   string
	class price.Class
}{
	{"input_cost_per_token", price.Input},
	{"output_cost_per_token", price.Output},
	{"cache_read_input_token_cost", price.CacheRead},
	{"cache_creation_input_token_cost", price.CacheWrite},
	{"cache_creation_input_token_cost_above_1hr", price.CacheWrite1h},
	{"output_cost_per_reasoning_token", price.Reasoning},
	{"input_cost_per_audio_token", price.AudioIn},
	{"cache_read_input_audio_token_cost", price.AudioCacheRead},
	{"output_cost_per_audio_token", price.AudioOut},
	{"input_cost_per_image_token", price.ImageIn},
	{"output_cost_per_image_token", price.ImageOut},
}

// litellmTiers are litellm's suffixes and the service tiers they stand for.
var litellmTiers = []struct{ suffix, tier string }{{"_batches", "batch"}, {"_flex", "flex"}, {"_priority", "priority"}}

var litellmContexts = []struct {
	suffix string
	above  int64
}{{"_above_128k_tokens", 128_000}, {"_above_200k_tokens", 200_000}, {"_above_256k_tokens", 256_000}, {"_above_272k_tokens", 272_000}, {"_above_512k_tokens", 512_000}}

// record is one model of litellm's file.
type record struct {
	provider, model string
	fields          map[string]any
}

func readLitellm(data []byte) ([]record, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	var out []record
	for _, name := range keys(all) {
		r := record{}
		d := json.NewDecoder(strings.NewReader(string(all[name])))
		d.UseNumber()
		if d.Decode(&r.fields) != nil {
			continue
		}
		p, ok := litellmProviders[r.text("litellm_provider")]
		if !ok || strings.HasSuffix(name, "/") || strings.HasPrefix(name, "fireworks-ai-") || strings.HasPrefix(name, "together-ai-") {
			continue // those are sizes that share a price, not models
		}
		r.provider, r.model = p.name, strings.TrimPrefix(name, p.prefix)
		out = append(out, r)
	}
	return out, nil
}

func (r record) text(key string) string { s, _ := r.fields[key].(string); return s }

func (r record) number(key string) string { n, _ := r.fields[key].(json.Number); return n.String() }

func (r record) integer(key string) int64 {
	f, _ := strconv.ParseFloat(r.number(key), 64)
	return int64(f)
}

func (r record) yes(key string) *bool {
	if b, ok := r.fields[key].(bool); ok {
		return &b
	}
	return nil
}

// rates are the record's prices under a suffix ("" for the plain ones).
func (g *generator) rates(r record, suffix string) (rates price.Rates) {
	for _, c := range litellmClasses {
		s := r.number(c.key + suffix)
		if s == "" || c.class == price.CacheWrite && r.integer(c.key+suffix) == 0 && strings.Trim(s, "0.") == "" {
			continue // litellm writes 0 for "writes are not billed apart"
		}
		set(&rates, c.class, g.price(r.provider+"/"+r.model, c.class, s, 6))
	}
	if rates.Reasoning != nil && rates.Output != nil && *rates.Reasoning == *rates.Output {
		rates.Reasoning = nil
	}
	return rates
}

// row is the record as a price row of its own; ok is false where it has no
// price per token.
func (g *generator) row(r record) (row price.RowConfig, ok bool) {
	row = price.RowConfig{Rates: g.rates(r, ""), Source: g.litellmSource}
	g.tieredPricing(r, &row)
	for _, c := range litellmContexts {
		if rates := g.rates(r, c.suffix); !rates.IsZero() {
			if row.Above == nil {
				row.Above = map[int64]price.Rates{}
			}
			row.Above[c.above] = rates
		}
	}
	row.PerSearch = searches(r)
	return row, row.Input != nil || row.Output != nil
}

// tieredPricing reads the list form of context tiers (Alibaba's models).
func (g *generator) tieredPricing(r record, row *price.RowConfig) {
	list, _ := r.fields["tiered_pricing"].([]any)
	for _, x := range list {
		fields, _ := x.(map[string]any)
		at, _ := fields["range"].([]any)
		if len(at) == 0 {
			continue
		}
		rates := g.rates(record{r.provider, r.model, fields}, "")
		from := record{fields: map[string]any{"from": at[0]}}.integer("from")
		if from == 0 {
			row.Rates = rates
			continue
		}
		if row.Above == nil {
			row.Above = map[int64]price.Rates{}
		}
		row.Above[from] = rates
	}
}

func searches(r record) map[string]providers.Money {
	m, _ := r.fields["search_context_cost_per_query"].(map[string]any)
	out := map[string]providers.Money{}
	for _, size := range []string{"low", "medium", "high"} {
		if n, ok := m["search_context_size_"+size].(json.Number); ok {
			if v, err := providers.ParseMoney(n.String()); err == nil {
				out[size] = v
			}
		}
	}
	switch {
	case len(out) == 0:
		return nil
	case len(out) == 3 && out["low"] == out["medium"] && out["medium"] == out["high"]:
		return map[string]providers.Money{"any": out["low"]}
	}
	return out
}

func can(r record) *catalog.Can {
	context := max(r.integer("max_input_tokens"), r.integer("max_tokens"))
	return &catalog.Can{
		Mode: r.text("mode"), Context: context, MaxOutput: r.integer("max_output_tokens"),
		Tools: r.yes("supports_function_calling"), Images: r.yes("supports_vision"), Schema: r.yes("supports_response_schema"),
		Reasoning: r.fields["supports_reasoning"] == true, NoTemperature: r.fields["supports_sampling_params"] == false, Retired: r.text("deprecation_date"),
	}
}

// overlay adds to an entry what genai-prices lacks: tiers, regions, search
// fees, one-hour cache writes, missing classes and context tiers, and facts.
// Prices are taken only into a row whose input and output are the record's own.
func (g *generator) overlay(e *catalog.Entry, r record) {
	c := can(r)
	if e.Can != nil {
		c.Context = max(c.Context, e.Can.Context)
	}
	e.Can = c
	theirs, ok := g.row(r)
	if !ok {
		return
	}
	regions, fast := regionsOf(r)
	agreed := false
	for i := range e.Rows {
		row := &e.Rows[i]
		before, _ := json.Marshal(row)
		agrees := same(row.Input, theirs.Input) && same(row.Output, theirs.Output)
		agreed = agreed || agrees
		if agrees {
			g.fill(row, theirs)
		}
		// Perplexity's fee per request depends on the search size; genai-prices
		// has the dearest.
		if perRequest := e.Provider == "perplexity" && row.PerRequest != nil; theirs.PerSearch != nil && (row.PerSearch == nil || perRequest) {
			row.PerSearch = theirs.PerSearch
			if perRequest {
				row.PerRequest = nil
			}
		}
		g.tiers(row, r, theirs, agrees)
		if fast != "" {
			setTier(row, "fast", price.TierConfig{Factor: fast})
		}
		if len(regions) > 0 {
			row.DataIn = regions
		}
		if after, _ := json.Marshal(row); string(after) != string(before) {
			row.Source = g.genaiSource + " with " + g.litellmSource
		}
	}
	if !agreed {
		g.disagree(e, r, theirs)
	}
}

// fill takes the classes and context tiers that a row lacks.
func (g *generator) fill(row *price.RowConfig, theirs price.RowConfig) {
	theirs.Each(func(c price.Class, p providers.Price) {
		if f := field(&row.Rates, c); *f == nil {
			*f = &p
		}
	})
	if row.Above == nil && theirs.Above != nil {
		row.Above = maps.Clone(theirs.Above)
	}
}

// tiers sets the service tiers: one factor where every price of the tier is
// the same multiple of the plain one, else rates where the row agrees.
func (g *generator) tiers(row *price.RowConfig, r record, base price.RowConfig, agrees bool) {
	for _, t := range litellmTiers {
		rates := g.rates(r, t.suffix)
		if rates.IsZero() {
			continue
		}
		if f, ok := factor(rates, base.Rates); ok {
			if f != "1" {
				setTier(row, t.tier, price.TierConfig{Factor: f})
			}
			continue
		}
		if agrees {
			setTier(row, t.tier, price.TierConfig{Rates: rates})
		}
	}
}

func setTier(row *price.RowConfig, name string, t price.TierConfig) {
	if row.Tiers == nil {
		row.Tiers = map[string]price.TierConfig{}
	}
	row.Tiers[name] = t
}

// factor is the one multiple of base that gives all of rates.
func factor(rates, base price.Rates) (string, bool) {
	var ratios []*big.Rat
	rates.Each(func(c price.Class, p providers.Price) {
		if b := *field(&base, c); b != nil && *b > 0 {
			ratios = append(ratios, big.NewRat(int64(p), int64(*b)))
		} else {
			ratios = append(ratios, new(big.Rat))
		}
	})
	same := !slices.ContainsFunc(ratios, func(x *big.Rat) bool { return x.Sign() == 0 || x.Cmp(ratios[0]) != 0 })
	if !same {
		return "", false
	}
	s := ratios[0].FloatString(6)
	back, _ := new(big.Rat).SetString(s)
	if back.Cmp(ratios[0]) != 0 {
		return "", false
	}
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s, true
}

// regionsOf are the factors for data kept in a region, and of the fast mode.
func regionsOf(r record) (regions map[string]string, fast string) {
	regions = map[string]string{}
	for _, region := range []string{"eu", "us"} {
		if f := r.number("regional_processing_uplift_multiplier_" + region); f != "" {
			regions[region] = f
		}
	}
	specific, _ := r.fields["provider_specific_entry"].(map[string]any)
	if f, ok := specific["us"].(json.Number); ok {
		regions["us"] = f.String()
	}
	if f, ok := specific["fast"].(json.Number); ok {
		fast = strings.TrimSuffix(f.String(), ".0")
	}
	return regions, fast
}

// same says that two prices are equal; litellm writes 0 for what is not billed.
func same(a, b *providers.Price) bool {
	return value(a) == value(b)
}

func value(p *providers.Price) providers.Price {
	if p == nil {
		return 0
	}
	return *p
}

func show(p *providers.Price) string {
	if p == nil {
		return "none"
	}
	return p.String()
}
