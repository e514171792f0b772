// Package relay passes an answer of a provider that speaks OpenAI's chat
// completions to a client that speaks the same, event by event or whole.
//
// The bytes go through unchanged but for the repairs that the provider's row
// lists (openai.Quirks), made only where the defect occurs, and the usage chunk
// that the client did not ask for. What the answer tells of itself (usage in
// disjoint classes, the provider's own cost, finish, text) is read on the way
// into a providers.Meter.
//
// Relay is the state of one answer; scan.go finds what matters in one chunk,
// repair.go mends it, usage.go reads the counts.
package relay

import (
	"bytes"
	"slices"
	"strings"

	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/sse"
)

const (
	maxChoices = 128
	// maxText bounds the text that one answer may bring.
	maxText = 64 << 20
)

var doneFrame = []byte("data: [DONE]\n\n")

// Relay passes one answer of a provider of this format to a client of this
// format: the bytes go through, but for the row's repairs and the usage chunk
// that the client did not ask for. It is a pure step and reads what it must into
// its Meter on the way. Use one Relay per attempt.
//
// The bytes that Frame, End and Body give hold until the next call; they may be
// the bytes that came in. Where an error comes with bytes, the bytes are the
// error as an event for a client that has already been sent something.
type Relay struct {
	quirks    openai.Quirks
	wantUsage bool
	meter     providers.Meter

	c       chunk
	edits   edits
	out     []byte
	flat    []byte
	created string

	open                       string // the line ends that the last event passed lacks
	seen, roles, ended, called set
	tools                      []toolSlot
	started, done, failed      bool
	refused                    bool // failed by the provider's own word
}

// set holds choice indices below maxChoices.
type set [maxChoices / 64]uint64

func (s *set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
func (s *set) add(i int)      { s[i/64] |= 1 << (i % 64) }

// toolSlot is a tool call whose pieces come without an index.
type toolSlot struct {
	choice, index int
	id            string
}

// New makes a relay for an answer of a provider with quirks q. wantUsage
// says that the client asked for usage in the stream (Brief.StreamUsage).
func New(q openai.Quirks, wantUsage bool) *Relay {
	return &Relay{quirks: q, wantUsage: wantUsage}
}

// Meter is what the answer has told so far. HasUsage alone does not mean that the
// answer is whole: some providers count as they go; see Complete.
func (r *Relay) Meter() *providers.Meter { return &r.meter }

// Started says that a data event has passed: comments alone, such as the ones
// that some providers send while they wait, commit nobody to this provider.
func (r *Relay) Started() bool { return r.started }

// Refused says that the provider answered with an error of its own although its
// status said that all was well.
func (r *Relay) Refused() bool { return r.refused }

// Frame takes the next event of a stream. Comments pass as they are.
func (r *Relay) Frame(f sse.Frame) ([]byte, error) {
	out, err := r.frame(f)
	if len(out) > 0 {
		r.open = unclosed(out)
	}
	if err != nil { // the client's last event
		out, r.open = append(out, r.open...), ""
	}
	return out, err
}

func (r *Relay) frame(f sse.Frame) ([]byte, error) {
	data := bytes.TrimSpace(f.Data)
	switch {
	case len(data) == 0:
		return f.Raw, nil
	case string(data) == "[DONE]":
		r.done, r.meter.Complete = true, true
		return r.after(f.Raw), nil
	case !openai.WellFormed(f.Data) || data[0] != '{':
		return r.fail(&providers.Error{Kind: providers.Upstream, Message: "the provider sent an event that is not a JSON object"})
	}
	r.meter.Text = r.c.scan(f.Data, r.meter.Text)
	r.read()
	if len(r.meter.Text) > maxText {
		return r.fail(&providers.Error{Kind: providers.Upstream, Message: "the provider's answer is too large"})
	}
	if (r.c.failed || string(f.Event) == "error") && !r.finished() {
		return r.failAs(f)
	}
	r.started = true
	if len(r.c.choices) == 0 && r.c.usage.Exists() {
		if r.wantUsage {
			return r.after(f.Raw), nil
		}
		return r.after(nil), nil
	}
	r.mend(false)
	return r.apply(f), nil
}

// End takes the end of the stream. An end before the answer was finished is an
// error, since nobody can tell what is missing. A last event that came without
// its blank line is closed, so that nothing behind it runs into it.
func (r *Relay) End() ([]byte, error) {
	last, err := r.end()
	if r.open != "" {
		last = append([]byte(r.open), last...)
		r.open = ""
	}
	return last, err
}

func (r *Relay) end() ([]byte, error) {
	switch {
	case r.done || r.failed:
		return nil, nil
	case !r.finished():
		return r.fail(&providers.Error{Kind: providers.Upstream, Message: "the provider's stream ended before the answer was complete"})
	}
	r.done, r.meter.Complete = true, true
	if !r.quirks.Mends(openai.RepairDone) {
		return nil, nil
	}
	r.repaired(openai.RepairDone)
	return doneFrame, nil
}

// Body takes a whole answer that was not streamed.
func (r *Relay) Body(body []byte) ([]byte, error) {
	if !openai.WellFormed(body) {
		return nil, &providers.Error{Kind: providers.Upstream, Message: "the provider's answer is not JSON"}
	}
	r.meter.Text = r.c.scan(body, r.meter.Text)
	r.read()
	if r.c.failed {
		r.refused = true
		return nil, openai.StreamError(body)
	}
	if len(r.c.choices) == 0 {
		return nil, &providers.Error{Kind: providers.Upstream, Message: "the provider's answer has no choices", Body: body}
	}
	r.started, r.meter.Complete = true, true
	r.mend(true)
	return r.edits.apply(body, 0), nil
}

// read takes over what the scanned chunk says of the whole answer.
func (r *Relay) read() {
	m, c := &r.meter, &r.c
	keep(&m.ID, c.id)
	keep(&m.Model, c.model)
	keep(&m.Tier, c.tier)
	if r.created == "" {
		r.created = strings.Clone(c.created)
	}
	if c.usage.Exists() {
		if u, ok := readUsage(c.usage, r.quirks); ok {
			m.Usage, m.HasUsage = u, true
		}
		if cost := readCost(c.usage, r.quirks.Cost); cost != nil {
			m.Cost = cost
		}
	}
}

// keep copies a value that is new; from then on it costs a comparison.
func keep(dst *string, v string) {
	if v != "" && v != *dst {
		*dst = strings.Clone(v)
	}
}

// finished says that every answer that began has ended.
func (r *Relay) finished() bool { return r.seen != set{} && r.seen == r.ended }

// unclosed is what an event lacks of its closing blank line.
func unclosed(event []byte) string {
	line := bytes.TrimSuffix(bytes.TrimSuffix(event, []byte("\n")), []byte("\r"))
	switch {
	case len(line) == len(event):
		return "\n\n"
	case len(line) > 0 && line[len(line)-1] != '\n' && line[len(line)-1] != '\r':
		return "\n"
	}
	return ""
}

// fail gives err with its event for the client.
func (r *Relay) fail(err *providers.Error) ([]byte, error) {
	r.failed = true
	return openai.ErrorEvent(err), err
}

// failAs passes a provider's own error event, rewritten if clients cannot read
// its shape.
func (r *Relay) failAs(f sse.Frame) ([]byte, error) {
	err := openai.StreamError(f.Data)
	r.failed, r.refused = true, true
	if readable(f.Data) {
		return f.Raw, err
	}
	r.repaired(openai.RepairError)
	return openai.ErrorEvent(err), err
}

func (r *Relay) repaired(what openai.Repair) {
	if !slices.Contains(r.meter.Repairs, string(what)) {
		r.meter.Repairs = append(r.meter.Repairs, string(what))
	}
}
