package record

import (
	"time"

	"farthing/policies/route"
	"farthing/providers"
)

// Receipt is what happened to one request, as it is kept, shown and returned by
// GET /v1/receipts/{id}. Money is a decimal string of dollars.
type Receipt struct {
	ID       string            `json:"id"`
	Time     time.Time         `json:"time"`
	Format   providers.Format  `json:"format"`
	Endpoint string            `json:"endpoint"`
	Stream   bool              `json:"stream,omitempty"`
	Key      string            `json:"key,omitempty"`   // the key's name, never the key
	Owner    string            `json:"owner,omitempty"` // the key's
	User     string            `json:"user,omitempty"`  // the owner, or whom a trusted key named
	Team     string            `json:"team,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Session  string            `json:"session,omitempty"`

	Asked      string            `json:"model"`           // the name the client sent
	Entry      string            `json:"entry,omitempty"` // the entry of `models` that it matched
	Estimate   Estimate          `json:"estimate"`
	Reason     string            `json:"reason,omitempty"` // why the first candidate is first; "; fallback" or "; budget" where another served
	Policies   []string          `json:"policies,omitempty"`
	Candidates []route.Explained `json:"candidates,omitempty"`
	Notes      []string          `json:"notes,omitempty"` // what a reader should know: not learned yet, clamped, dropped

	Attempts []Attempt `json:"attempts,omitempty"`

	Target      string                `json:"target,omitempty"` // that answered
	Usage       providers.Usage       `json:"usage"`
	UsageSource providers.UsageSource `json:"usage_source,omitempty"`
	Cost        providers.Money       `json:"cost_usd"` // of all attempts
	Budgets     []Budget              `json:"budgets,omitempty"`
	PriceBook   string                `json:"price_book,omitempty"`

	Outcome string `json:"outcome"` // ok, or the kind of the error
	Error   string `json:"error,omitempty"`
	Millis  int64  `json:"ms"` // arrival to the end of the answer
}

// Estimate is what was known before anything was sent, and how far off it was.
type Estimate struct {
	Input           int64    `json:"input_tokens"`
	InputBound      int64    `json:"input_bound,omitempty"` // what the hold counts
	OutputLikely    int64    `json:"output_likely,omitempty"`
	OutputMost      int64    `json:"output_most,omitempty"`
	Difficulty      *float64 `json:"difficulty,omitempty"` // nil: was not needed
	DifficultyModel string   `json:"difficulty_model,omitempty"`
	InputError      int64    `json:"input_error,omitempty"`  // actual − estimate, tokens
	OutputError     int64    `json:"output_error,omitempty"` // actual − likely, tokens
}

// Attempt is one send to one target, with its own hold.
type Attempt struct {
	ID          string                `json:"id"`
	Target      string                `json:"target"`
	Hold        providers.Money       `json:"hold_usd"`
	MaxOutput   int64                 `json:"max_output,omitempty"` // granted
	Clamped     bool                  `json:"clamped,omitempty"`    // less than the client or the model would take
	Status      int                   `json:"status,omitempty"`     // the upstream's
	Outcome     string                `json:"outcome"`
	Error       string                `json:"error,omitempty"`
	Usage       providers.Usage       `json:"usage"`
	UsageSource providers.UsageSource `json:"usage_source"`
	Cost        providers.Money       `json:"cost_usd"`
	Lines       []Line                `json:"lines,omitempty"`          // of the price book; the provider's own cost field goes before it
	Model       string                `json:"upstream_model,omitempty"` // as the provider named it
	Tier        string                `json:"service_tier,omitempty"`
	UpstreamID  string                `json:"upstream_id,omitempty"`
	Repairs     []string              `json:"repairs,omitempty"`
	FirstByteMS int64                 `json:"first_byte_ms,omitempty"`
	Millis      int64                 `json:"ms"`
}

// Line is one line of the bill: tokens × price = dollars, exact to the
// pico-dollar. Where the provider named the cost itself there is one line of the
// class "reported"; where an estimate stands, the hold may be more than the lines.
type Line struct {
	Class  string `json:"class"`
	Count  int64  `json:"count"`
	Price  string `json:"price"` // dollars per million tokens, or per call
	Amount string `json:"usd"`
	Source string `json:"source,omitempty"`
}

// Budget is one limit that the request charged, as the store last spoke of it.
type Budget struct {
	Name   string          `json:"name"`
	Limit  providers.Money `json:"limit_usd"`
	Per    string          `json:"per"` // minute … year, or total
	*Spent                 // nil: the store has not spoken of it
}

// Spent is what has become of a limit in its present window.
type Spent struct {
	Window string          `json:"window"`
	Spent  providers.Money `json:"spent_usd"`
	Held   providers.Money `json:"held_usd"`
	Left   providers.Money `json:"left_usd"`
}
