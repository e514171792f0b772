package catalog

// Entry is one model of one provider in the embedded book: one line of
// book.jsonl, written by providers/catalog/generate.
type Entry struct {
	Provider string      `json:"provider"`        // a provider row's name
	Model    string      `json:"model"`           // the catalog's name of the model
	Match    *Match      `json:"match,omitempty"` // other names that mean this model
	Rows     []RowConfig `json:"rows"`            // by date, oldest first
	Can      *Can        `json:"can,omitempty"`   // nil: nothing is known
}

// Can is what published data says a model can do.
type Can struct {
	Mode          string `json:"mode,omitempty"` // chat, embedding, responses, …
	Context       int64  `json:"context,omitempty"`
	MaxOutput     int64  `json:"max_output,omitempty"`
	Tools         *bool  `json:"tools,omitempty"`
	Images        *bool  `json:"images,omitempty"`
	Schema        *bool  `json:"schema,omitempty"`
	Reasoning     bool   `json:"reasoning,omitempty"`
	NoTemperature bool   `json:"no_temperature,omitempty"` // refuses sampling parameters
	Retired       string `json:"retired,omitempty"`        // the date on which the provider switches it off
}

// Match says which names mean a model. Exactly one field is set.
type Match struct {
	Equals     string  `json:"equals,omitempty"`
	StartsWith string  `json:"starts_with,omitempty"`
	EndsWith   string  `json:"ends_with,omitempty"`
	Contains   string  `json:"contains,omitempty"`
	Regex      string  `json:"regex,omitempty"`
	Or         []Match `json:"or,omitempty"`
	And        []Match `json:"and,omitempty"`
}

// Header is the first line of book.jsonl.
type Header struct {
	AsOf    string            `json:"as_of"`   // the newest source's date
	Sources map[string]string `json:"sources"` // the name used in rows → where it is from, and its license
}
