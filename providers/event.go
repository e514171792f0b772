package providers

// EventKind says what an Event carries.
type EventKind uint8

// The kinds of event, in the order in which an answer has them.
const (
	EventStart     EventKind = iota // ID, Model, Created
	EventText                       // Text, a delta
	EventReasoning                  // Text, a delta of visible reasoning
	EventRefusal                    // Text
	EventToolCall                   // Call: once per call with ID and Name, then argument deltas
	EventOther                      // Opaque
	EventFinish                     // Finish
	EventUsage                      // Usage, cumulative: the last one holds
	EventError                      // Err: the stream failed after it began
)

// Event is one step of an answer, streamed or not.
type Event struct {
	Kind    EventKind
	Choice  int // which of n answers
	ID      string
	Model   string
	Created int64 // Unix seconds
	Text    string
	Call    ToolDelta
	Finish  Finish
	Usage   Usage
	Opaque  *Opaque
	Err     *Error
}

// ToolDelta is a piece of one tool call. Index is stable per call.
type ToolDelta struct {
	Index int
	ID    string
	Name  string
	Args  string
}

// Finish is why an answer ended.
type Finish string

// The reasons, common to all formats.
const (
	FinishStop      Finish = "stop"
	FinishLength    Finish = "length"
	FinishToolCalls Finish = "tool_calls"
	FinishFilter    Finish = "content_filter"
)

// Meter is what one attempt's answer told about itself, gathered while it
// passed to the client.
type Meter struct {
	Usage    Usage
	HasUsage bool   // the provider reported a complete usage
	Cost     *Money // the provider's own cost field, where its row names one; nil otherwise
	ID       string // the provider's id of the answer
	Model    string // the model as the provider names it
	Tier     string // the service tier that was served
	Finish   Finish // "" until the answer ended
	Complete bool   // the answer ended as its format says
	// Text is the generated text of all answers in order (visible reasoning and
	// tool arguments included), for counting where no usage is reported.
	Text []byte
	// Repairs names the provider's defects that were mended on the way.
	Repairs []string
}
