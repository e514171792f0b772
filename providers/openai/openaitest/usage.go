package openaitest

import (
	"encoding/json"
	"math/big"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

// Usage puts the usage that an answer reports, in the provider's words as
// UsageOracle gives them, into disjoint classes. row is the provider's row, since
// providers differ in where they count reasoning. ok is false where the answer
// reports none.
func Usage(reported json.RawMessage, row string) (out providers.Usage, ok bool) {
	u := usageOf(reported)
	if !u.Get("prompt_tokens").Exists() {
		return out, false
	}
	n := func(paths ...string) (most int64) {
		for _, path := range paths {
			most = max(most, u.Get(path).Int())
		}
		return most
	}
	input, output := n("prompt_tokens"), n("completion_tokens")
	reasoning := n("completion_tokens_details.reasoning_tokens", "reasoning_tokens")
	switch row {
	case "xai", "vercel-gateway", "perplexity": // beside the output
		output += reasoning
	case "gemini": // in the total alone
		reasoning = n("total_tokens") - input - output
		output += reasoning
	}
	take := func(of *int64, want int64) int64 {
		want = min(want, *of)
		*of -= want
		return want
	}
	out.CacheRead = take(&input, n("prompt_tokens_details.cached_tokens", "cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens"))
	out.CacheWrite5m = take(&input, n("prompt_tokens_details.cache_write_tokens"))
	out.AudioIn = take(&input, n("prompt_tokens_details.audio_tokens"))
	out.ImageIn = take(&input, n("prompt_tokens_details.image_tokens"))
	out.VideoIn = take(&input, n("prompt_tokens_details.video_tokens"))
	out.AudioOut = take(&output, n("completion_tokens_details.audio_tokens"))
	out.ImageOut = take(&output, n("completion_tokens_details.image_tokens"))
	out.Input, out.Output, out.Reasoning = input, output, min(reasoning, output)
	out.WebSearches = n("server_tool_use_details.web_search_requests", "server_tool_use.web_search_requests", "num_search_queries")
	out.SearchSize, out.Citations = u.Get("search_context_size").Str, n("citation_tokens")
	return out, true
}

// Cost is what the provider itself says that the call cost, rounded up to the
// nano-dollar; ok is false where it does not say.
func Cost(reported json.RawMessage, row string) (cost providers.Money, ok bool) {
	field, perDollar := "", int64(1)
	switch row {
	case "openrouter", "vercel-gateway", "avian":
		field = "cost"
	case "perplexity":
		field = "cost.total_cost"
	case "xai":
		field, perDollar = "cost_in_usd_ticks", 1e10
	default:
		return 0, false
	}
	v := usageOf(reported).Get(field)
	dollars, ok := new(big.Rat).SetString(v.Raw)
	if v.Type != gjson.Number || !ok {
		return 0, false
	}
	nano := dollars.Mul(dollars, big.NewRat(1e9, perDollar))
	whole, rest := new(big.Int).DivMod(nano.Num(), nano.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return providers.Money(whole.Int64()), true
}

// WantsUsage says whether a request asks for usage in its stream.
func WantsUsage(request []byte) bool {
	return gjson.GetBytes(request, "stream_options.include_usage").Bool()
}

func usageOf(reported json.RawMessage) gjson.Result {
	all := gjson.ParseBytes(reported)
	if u := all.Get("usage"); u.IsObject() && u.Get("prompt_tokens").Exists() {
		return u
	}
	return all.Get("x_groq_usage")
}
