package providers

// Brief is what routing must know of a request, read from the client's bytes in
// one scan and without a translation.
type Brief struct {
	Model       string
	Stream      bool
	StreamUsage bool   // the client asked for usage in the stream
	MaxOutput   int64  // the client's own limit, 0 if it gave none
	N           int64  // answers wanted, at least 1
	Tier        string // service tier asked for
	Effort      string // reasoning effort asked for
	User        string // the end user's id as the body names it; never believed for budgets
	Turns       int
	Texts       []string // every text that becomes prompt tokens, in order: messages, tool calls and results, names
	LastUser    string   // the last user turn's text, what difficulty is read from
	System      string   // the first system text
	Tools       int      // functions offered
	ToolText    string   // the raw JSON of the tools, as the client sent it
	SchemaText  string   // the raw JSON of a response schema, "" if none
	JSONOnly    bool     // structured output without a schema
	Images      []ImageRef
	Files       int      // documents and sounds by value or name
	FileBytes   int64    // decoded bytes of those by value
	Named       []string // content that is only named (URLs, ids): its size is not known here
	ServerTools []string // tools that the provider runs and bills by itself
	Body        []byte   // the client's bytes, never changed
}

// ImageRef is an image in the prompt. Width and Height are 0 where the image is
// only named or its header could not be read.
type ImageRef struct {
	Detail        string
	Width, Height int
	Named         bool
}

// Edits are the only changes made to a client's bytes on the way to a provider
// of the same format. A zero field changes nothing.
type Edits struct {
	Model       string // what the upstream calls the model
	MaxOutput   int64  // the output granted by the hold
	OutputField string // the name of the limit's field where the client gave none
	StreamUsage bool   // ask for usage in the stream
	Tier        string
}
