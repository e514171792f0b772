// Package openai speaks OpenAI's chat completions, the format of most clients
// and of most providers and engines.
//
// Here is the request's side and what both sides share: Parse reads a client's
// bytes into a Brief, Splice makes the few changes that a provider of the same
// format needs, ParseError and ErrorBody carry errors, and KnownQuirks lists how
// each provider row differs. The answer's side is package relay. For providers of
// other formats, package translate takes requests to and from the shared words
// and package events answers. Package picture reads the size of an image, package
// jsontext appends JSON, and package openaitest says what a client should get of a
// recorded answer.
//
// # Quirks
//
//	row             repairs              reasoning tokens  own cost
//	openai          none                 in completion     –
//	azure           role                 in completion     –
//	deepseek        none                 in completion     –
//	xai             none                 beside it         cost_in_usd_ticks
//	groq            error                in completion     –
//	mistral         tool_index tool_type in completion     –
//	openrouter      error                in completion     cost
//	vercel-gateway  none                 beside it         cost
//	together        finish_reason        in completion     –
//	perplexity      done                 beside it         cost.total_cost
//	gemini          tool_index           in total alone    –
//	cloudflare      role                 in completion     –
//	gpustack        role done            in completion     –
//	huggingface     done finish_reason   in completion     –
//	snowflake       finish_reason        in completion     –
//	avian           none                 in completion     cost
//	others named    none                 in completion     –
//	unknown         all                  in completion     –
//
// Where cached tokens stand needs no quirk: every spelling of them is read, and
// the total decides whether Anthropic's fields stand inside the prompt. The place
// of usage (a chunk of its own, the last chunk, every chunk) needs none either:
// the last complete one holds.
package openai
