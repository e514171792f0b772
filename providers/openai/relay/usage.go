package relay

import (
	"strconv"

	"github.com/tidwall/gjson"

	"farthing/providers"
	"farthing/providers/openai"
)

// maxCount bounds a token count, so that no sum of counts overflows.
const maxCount = 1 << 40

// readUsage normalises a usage object into disjoint classes. Everyone counts
// cached and written tokens inside prompt_tokens, so they are taken out of it;
// what a provider claims beyond the whole is cut, and nothing is negative. ok is
// false for a partial object without counts, which some streams carry early.
func readUsage(u gjson.Result, q openai.Quirks) (out providers.Usage, ok bool) {
	prompt, completion, total := u.Get("prompt_tokens"), u.Get("completion_tokens"), u.Get("total_tokens")
	if prompt.Type != gjson.Number || completion.Type != gjson.Number && total.Type != gjson.Number {
		return out, false
	}
	input, output, all := count(prompt), count(completion), count(total)
	if completion.Type != gjson.Number {
		output = max(all-input, 0)
	}
	readInput(&out, u, input, all-output)
	readOutput(&out, u, output, all-input, q.Reasoning)
	out.WebSearches = first(u, "server_tool_use_details.web_search_requests", "server_tool_use.web_search_requests", "num_search_queries")
	out.SearchSize = u.Get("search_context_size").Str
	out.Citations = first(u, "citation_tokens")
	return out, input > 0 || output > 0
}

// readInput splits the prompt. Cached tokens come first, because a provider that
// counts beyond the whole (Azure's Grok, Gemini by OpenRouter) does it in the
// other classes.
func readInput(out *providers.Usage, u gjson.Result, prompt, totalInput int64) {
	read := first(u, "prompt_tokens_details.cached_tokens", "prompt_cache_hit_tokens", "cached_tokens",
		"num_cached_tokens", "cache_read_input_tokens")
	write := first(u, "prompt_tokens_details.cache_write_tokens", "prompt_tokens_details.cache_creation_input_tokens",
		"cache_creation_input_tokens")
	if beside := count(u.Get("cache_read_input_tokens")) + count(u.Get("cache_creation_input_tokens")); totalInput == prompt+beside {
		prompt = totalInput // Anthropic's fields, and the total says that they are not in the prompt
	}
	rest := prompt
	out.CacheRead = take(&rest, read)
	out.CacheWrite5m = take(&rest, write)
	out.AudioIn = take(&rest, first(u, "prompt_tokens_details.audio_tokens"))
	out.ImageIn = take(&rest, first(u, "prompt_tokens_details.image_tokens"))
	out.VideoIn = take(&rest, first(u, "prompt_tokens_details.video_tokens"))
	out.Input = rest
}

// readOutput splits the output. Reasoning stays a part of it.
func readOutput(out *providers.Usage, u gjson.Result, completion, totalOutput int64, where openai.Reasoning) {
	reasoning := first(u, "completion_tokens_details.reasoning_tokens", "reasoning_tokens")
	switch {
	case where == openai.ReasoningOutside:
		completion += reasoning
	case where == openai.ReasoningInTotal && totalOutput > completion:
		reasoning = max(reasoning, totalOutput-completion)
		completion = totalOutput
	}
	rest := completion
	out.AudioOut = take(&rest, first(u, "completion_tokens_details.audio_tokens"))
	out.ImageOut = take(&rest, first(u, "completion_tokens_details.image_tokens"))
	out.Output = rest
	out.Reasoning = min(reasoning, rest)
}

// take moves up to n tokens out of rest.
func take(rest *int64, n int64) int64 {
	n = min(n, *rest)
	*rest -= n
	return n
}

// first is the first of the paths that holds a number.
func first(u gjson.Result, paths ...string) int64 {
	for _, path := range paths {
		if v := u.Get(path); v.Type == gjson.Number {
			return count(v)
		}
	}
	return 0
}

// count reads a token count.
func count(v gjson.Result) int64 {
	if v.Type != gjson.Number {
		return 0
	}
	return min(max(v.Int(), 0), maxCount)
}

// readCost reads the provider's own cost from its literal, rounding up; nil if
// the field is not there or is no amount.
func readCost(u gjson.Result, field openai.Cost) *providers.Money {
	if field == openai.CostNone {
		return nil
	}
	v := u.Get(string(field))
	if v.Type != gjson.Number {
		return nil
	}
	cost, err := providers.CeilMoney(v.Raw)
	if field == openai.CostTicks {
		var ticks int64
		ticks, err = strconv.ParseInt(v.Raw, 10, 64)
		cost = min(providers.Money(ticks/10+min(ticks%10, 1)), providers.MaxMoney)
	}
	if err != nil || cost < 0 {
		return nil
	}
	return &cost
}
