package openai

import "slices"

// Repair names a defect of a provider's answers that is mended for the client,
// and only where it occurs. Meter.Repairs tells which were made.
type Repair string

// The repairs.
const (
	// RepairRole adds "role":"assistant" to the first delta of an answer that
	// lacks it; the SDKs' stream helpers throw without it.
	RepairRole Repair = "role"
	// RepairToolType adds "type":"function" where a tool call begins without it.
	RepairToolType Repair = "tool_type"
	// RepairToolIndex adds the index that ties the pieces of a streamed tool call
	// together: one stable number per call, never 0 for all.
	RepairToolIndex Repair = "tool_index"
	// RepairFinish writes the finish_reason of an answer that ends with none,
	// with "", or with a name of the provider's own such as "eos".
	RepairFinish Repair = "finish_reason"
	// RepairDone adds the closing "data: [DONE]" that a stream ended without.
	RepairDone Repair = "done"
	// RepairError rewrites an error inside a stream into the shape that OpenAI's
	// clients read. It is made for every provider.
	RepairError Repair = "error"
)

// Reasoning says where a provider counts the tokens of its reasoning.
type Reasoning string

// The places.
const (
	ReasoningInside  Reasoning = ""        // in completion_tokens, as OpenAI does
	ReasoningOutside Reasoning = "outside" // in reasoning_tokens alone: added to the output
	ReasoningInTotal Reasoning = "total"   // in total_tokens alone: output is total − prompt
)

// Cost names the field of usage in which a provider states what the call cost,
// and its unit.
type Cost string

// The fields.
const (
	CostNone  Cost = ""
	CostUSD   Cost = "cost"              // dollars
	CostTotal Cost = "cost.total_cost"   // dollars
	CostTicks Cost = "cost_in_usd_ticks" // 10^-10 dollars
)

// Quirks is how a provider's chat completions differ from OpenAI's.
type Quirks struct {
	Repairs   []Repair
	Reasoning Reasoning
	Cost      Cost
}

// Mends says whether r is among the row's repairs.
func (q Quirks) Mends(r Repair) bool { return slices.Contains(q.Repairs, r) }

// KnownQuirks gives the quirks of a provider row. The sources are recorded
// answers, with the numbers of recordings that show the quirk where they were
// counted. A row that is not listed, such as openai-compatible, gets every
// repair, since nobody knows what stands behind it, and no reading of money.
func KnownQuirks(row string) Quirks {
	switch row {
	case "openai", "deepseek", "zai", "cerebras", "moonshot", "alibaba", "databricks", "crusoe", "fireworks",
		"bedrock-openai", "bedrock-mantle", "anthropic-compat", "embedded":
		return Quirks{}
	case "azure": // no role after a first chunk that holds only filter results
		return Quirks{Repairs: []Repair{RepairRole}}
	case "groq": // event: error inside a 200 stream
		return Quirks{Repairs: []Repair{RepairError}}
	case "mistral": // tool calls without index and type (2 of 6)
		return Quirks{Repairs: []Repair{RepairToolIndex, RepairToolType}}
	case "together": // finish_reason "eos"
		return Quirks{Repairs: []Repair{RepairFinish}}
	case "cloudflare": // no role at all
		return Quirks{Repairs: []Repair{RepairRole}}
	case "gpustack": // neither role nor [DONE]
		return Quirks{Repairs: []Repair{RepairRole, RepairDone}}
	case "huggingface": // no [DONE] (8 of 18); some of its backends say "eos_token"
		return Quirks{Repairs: []Repair{RepairDone, RepairFinish}}
	case "snowflake": // finish_reason "" in bodies, none in streams
		return Quirks{Repairs: []Repair{RepairFinish}}
	case "gemini": // thinking is counted in total_tokens alone; tool calls without index
		return Quirks{Repairs: []Repair{RepairToolIndex}, Reasoning: ReasoningInTotal}
	case "xai": // confirmed by billed costs (40 of 40)
		return Quirks{Reasoning: ReasoningOutside, Cost: CostTicks}
	case "perplexity": // no [DONE] (3 of 3)
		return Quirks{Repairs: []Repair{RepairDone}, Reasoning: ReasoningOutside, Cost: CostTotal}
	case "openrouter": // an error beside the choices of a chunk
		return Quirks{Repairs: []Repair{RepairError}, Cost: CostUSD}
	case "vercel-gateway": // reasoning outside: so the billed costs of six recordings come out
		return Quirks{Reasoning: ReasoningOutside, Cost: CostUSD}
	case "avian":
		return Quirks{Cost: CostUSD}
	}
	return Quirks{Repairs: []Repair{RepairRole, RepairToolType, RepairToolIndex, RepairFinish, RepairDone, RepairError}}
}
