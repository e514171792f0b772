package providers

import "encoding/json"

// Request is a client's request in the shared words, for translation between
// formats: turns of ordered parts, so that nothing loses its place. Between
// equal formats it is not used: there the client's own bytes go through.
type Request struct {
	Model       string
	Turns       []Turn
	Tools       []Tool
	ToolChoice  ToolChoice
	Parallel    *bool // parallel tool calls; nil: the provider's default
	MaxOutput   int64 // 0: not given
	N           int   // answers wanted; 0: one
	Stream      bool
	StreamUsage bool // the client asked for usage in the stream
	Temperature *float64
	TopP        *float64
	Penalty     Penalty
	Seed        *int64
	Stop        []string
	Schema      *Schema
	Effort      string // reasoning effort as the format names it: none, minimal, low, medium, high, …
	Logprobs    *int   // top log-probabilities per token; nil: none
	Tier        string // service tier asked for
	User        string // the end user's id for the provider's abuse detection
	// Extra holds the format's remaining top-level fields, raw and in order, so
	// that decoding and encoding in one format loses nothing.
	Extra []Field
}

// Penalty holds the two repetition penalties of the OpenAI formats.
type Penalty struct{ Frequency, Presence *float64 }

// Field is one raw JSON member.
type Field struct {
	Name string
	Raw  json.RawMessage
}

// Role is who speaks in a turn.
type Role string

// The roles. Developer counts as system where a format has only that.
const (
	RoleSystem    Role = "system"
	RoleDeveloper Role = "developer"
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleTool      Role = "tool"
)

// Turn is one message.
type Turn struct {
	Role  Role
	Name  string
	Parts []Part
	Extra []Field
}

// PartKind says which fields of a Part hold.
type PartKind uint8

// The kinds of part.
const (
	PartText PartKind = iota
	PartMedia
	PartToolCall
	PartToolResult
	PartReasoning
	PartRefusal
	PartOther // known to its own format only: Opaque
)

// Part is a piece of a turn. ID joins a tool call and its result.
type Part struct {
	Kind   PartKind
	Text   string          // text, reasoning, refusal
	Media  *Media          // PartMedia
	ID     string          // tool call and result
	Name   string          // tool call: the function
	Args   json.RawMessage // tool call: arguments as the model wrote them, a JSON text that need not be valid
	Parts  []Part          // tool result: its content
	Failed bool            // tool result: the tool failed
	Opaque *Opaque
	Extra  []Field
}

// Media is an image, a sound or a document, by value or by name.
type Media struct {
	Kind   string // image, audio, file, video
	URL    string // http(s) or a provider's own scheme; "" if by value
	FileID string
	Type   string // media type, e.g. image/png
	Data   []byte // decoded bytes; nil if named
	Name   string // file name
	Detail string // low, high, auto
}

// Opaque is a part that only its origin understands (signatures, encrypted
// reasoning, response ids). It goes back to that format and account only.
type Opaque struct {
	Format  Format
	Account string
	Raw     json.RawMessage
}

// Tool is a function that the model may call, or a tool that the provider runs
// itself (Server not empty).
type Tool struct {
	Name        string
	Description string
	Parameters  json.RawMessage // JSON schema
	Strict      *bool
	Server      string // the provider-run tool's type
	Raw         json.RawMessage
}

// ToolChoice says whether tools must be called.
type ToolChoice struct {
	Mode string // "", none, auto, required, tool
	Name string // Mode tool
	Raw  json.RawMessage
}

// Schema asks for structured output.
type Schema struct {
	JSONOnly bool // any JSON object
	Name     string
	Schema   json.RawMessage
	Strict   *bool
	Raw      json.RawMessage
}
