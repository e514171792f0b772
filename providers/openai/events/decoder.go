// Package events turns an answer in OpenAI's chat completions into events and
// back: Decoder reads what a provider sends, Encoder writes what a client gets,
// streamed or whole. It serves traffic between different formats; between equal
// ones the bytes go through package relay.
//
// The Decoder works on what relay makes of the answer, so it sees repaired chunks
// only, and has relay's meter and errors.
package events

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/tidwall/gjson"

	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/openai/jsontext"
	"farthing/providers/openai/relay"
	"farthing/providers/sse"
)

// Decoder turns one answer of a provider of this format into events. It is a
// pure step over what package relay makes of the answer, so it sees repaired
// chunks and shares the relay's meter and errors.
type Decoder struct {
	relay   *relay.Relay
	started bool
	counted bool
	ended   map[int]bool
}

// NewDecoder makes a decoder for an answer of a provider with quirks q.
func NewDecoder(q openai.Quirks) *Decoder {
	return &Decoder{relay: relay.New(q, true), ended: map[int]bool{}}
}

// Meter is what the answer has told so far.
func (d *Decoder) Meter() *providers.Meter { return d.relay.Meter() }

// Decode takes the next event of a stream. The events do not refer to it.
func (d *Decoder) Decode(f sse.Frame) ([]providers.Event, error) {
	out, err := d.relay.Frame(f)
	if err != nil {
		return nil, err
	}
	return d.frames(out)
}

// End takes the end of the stream; an early one is an error.
func (d *Decoder) End() ([]providers.Event, error) {
	out, err := d.relay.End()
	if err != nil {
		return nil, err
	}
	return d.frames(out)
}

// Body takes a whole answer.
func (d *Decoder) Body(body []byte) ([]providers.Event, error) {
	out, err := d.relay.Body(body)
	if err != nil {
		return nil, err
	}
	return d.complete(d.chunk(out)), nil
}

// frames decodes the frames that the relay gave for one: mostly one.
func (d *Decoder) frames(out []byte) (events []providers.Event, err error) {
	r := sse.NewReader(bytes.NewReader(out), 0)
	for {
		f, err := r.Next()
		if err == io.EOF {
			return d.complete(events), nil
		}
		if err != nil {
			return nil, err
		}
		if data := bytes.TrimSpace(f.Data); len(data) > 0 && data[0] == '{' {
			events = append(events, d.chunk(data)...)
		}
	}
}

// complete adds the usage, once, when the answer is whole.
func (d *Decoder) complete(events []providers.Event) []providers.Event {
	if m := d.Meter(); m.Complete && m.HasUsage && !d.counted {
		d.counted = true
		events = append(events, providers.Event{Kind: providers.EventUsage, Usage: m.Usage})
	}
	return events
}

func (d *Decoder) chunk(data []byte) (events []providers.Event) {
	v := gjson.ParseBytes(data)
	choices := v.Get("choices").Array()
	if !d.started && len(choices) > 0 {
		d.started = true
		events = append(events, providers.Event{Kind: providers.EventStart, ID: v.Get("id").Str, Model: v.Get("model").Str, Created: v.Get("created").Int()})
	}
	for _, c := range choices {
		i := int(c.Get("index").Int())
		delta := c.Get("delta")
		if !delta.Exists() {
			delta = c.Get("message")
		}
		events = d.delta(events, i, delta)
		if reason := c.Get("finish_reason").Str; reason != "" && !d.ended[i] {
			d.ended[i] = true
			events = append(events, providers.Event{Kind: providers.EventFinish, Choice: i, Finish: finish(reason)})
		}
	}
	return events
}

func finish(reason string) providers.Finish {
	if reason == "function_call" {
		return providers.FinishToolCalls
	}
	return providers.Finish(reason)
}

func (d *Decoder) delta(events []providers.Event, choice int, delta gjson.Result) []providers.Event {
	text := func(kind providers.EventKind, s string) {
		if s != "" {
			events = append(events, providers.Event{Kind: kind, Choice: choice, Text: s})
		}
	}
	reasoned := false
	delta.ForEach(func(key, v gjson.Result) bool {
		switch name := key.Str; {
		case v.Type == gjson.Null, name == "role":
		case name == "content" && v.IsArray():
			for _, part := range v.Array() {
				text(providers.EventText, part.Get("text").Str)
				for _, t := range part.Get("thinking").Array() {
					text(providers.EventReasoning, t.Get("text").Str)
				}
			}
		case name == "content" && v.IsObject(): // a JSON answer that is not in a string
			text(providers.EventText, v.Raw)
		case name == "content":
			text(providers.EventText, v.Str)
		case name == "refusal":
			text(providers.EventRefusal, v.Str)
		case name == "reasoning_content", name == "reasoning":
			if !reasoned {
				text(providers.EventReasoning, v.Str)
			}
			reasoned = true
		case name == "tool_calls":
			for i, call := range v.Array() {
				events = append(events, toolEvents(choice, i, call)...)
			}
		default:
			events = append(events, other(choice, name, []byte(v.Raw)))
		}
		return true
	})
	return events
}

// other keeps a member of a delta for this format alone.
func other(choice int, name string, value []byte) providers.Event {
	var w jsontext.Writer
	w.Open('{')
	w.Raw(name, value)
	w.Close('}')
	return providers.Event{
		Kind: providers.EventOther, Choice: choice,
		Opaque: &providers.Opaque{Format: providers.FormatOpenAI, Raw: json.RawMessage(w.B)},
	}
}

// toolEvents reads a piece of a tool call; what it says beside id and function
// (a thought signature) goes into an event of its own.
func toolEvents(choice, place int, call gjson.Result) []providers.Event {
	e := providers.Event{Kind: providers.EventToolCall, Choice: choice}
	e.Call = providers.ToolDelta{Index: place, ID: call.Get("id").Str, Name: call.Get("function.name").Str, Args: call.Get("function.arguments").Str}
	if i := call.Get("index"); i.Type == gjson.Number {
		e.Call.Index = int(i.Int())
	}
	out := []providers.Event{e}
	if x := call.Get("extra_content"); x.IsObject() {
		var w jsontext.Writer
		w.Open('[')
		w.Open('{')
		w.Int("index", int64(e.Call.Index))
		w.Raw("extra_content", []byte(x.Raw))
		w.Close('}')
		w.Close(']')
		out = append(out, other(choice, "tool_calls", w.B))
	}
	return out
}
