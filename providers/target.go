package providers

import "strings"

// Format is a wire format, spoken by clients to us and by us to providers.
type Format string

// The wire formats.
const (
	FormatOpenAI    Format = "openai" // chat completions
	FormatResponses Format = "responses"
	FormatAnthropic Format = "anthropic"
	FormatGemini    Format = "gemini"
	FormatBedrock   Format = "bedrock"
)

// Answer is a three-valued fact about a provider.
type Answer uint8

// The answers.
const (
	Unknown Answer = iota
	Yes
	No
)

// Target is one model at one provider or engine: the thing that bills.
type Target struct {
	Name       string // provider/model, as written in files, receipts and metrics
	Provider   string // the provider's or engine's name in the file
	Model      string // the catalog's name of the model, at whatever provider; "" if the catalog has none
	ID         string // what the upstream calls the model
	Type       string // the provider row (openai, deepseek, openai-compatible, …) or the engine type
	SelfHosted bool
	DataIn     string // region of the data, "" when unset
	Facts      Facts
}

// Facts are what a model can do, from the catalog or the file. Zero means
// unknown for numbers.
type Facts struct {
	Context       int64  // tokens of input and output together
	MaxOutput     int64  // tokens
	Chat          bool   // answers chat completions
	Tools         Answer // function calling
	Images        Answer // image input
	Schema        Answer // structured output by JSON schema
	Reasoning     bool   // thinks before it answers; its output limit includes the thinking
	Encoding      string // tiktoken encoding; "" when the vendor's tokenizer is another
	Ability       Ability
	Experts       int    // experts per layer of a Mixture-of-Experts model, 0 if dense or unknown
	ExpertsUsed   int    // experts used per token
	OutputField   string // the field that limits the output: max_tokens (default) or max_completion_tokens
	NoTemperature bool   // refuses a temperature other than 1
}

// Ability is a model's measured ability on a scale of 0 to 1 and where the
// figure comes from. Known is false where nobody measured it.
type Ability struct {
	Value  float64
	Known  bool
	Source string
}

// SplitTarget splits provider/model at its first slash.
func SplitTarget(name string) (provider, model string, ok bool) {
	return strings.Cut(name, "/")
}
