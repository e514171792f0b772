package events

import (
	"encoding/json"
	"slices"

	"github.com/tidwall/gjson"

	"farthing/providers"
	"farthing/providers/openai/jsontext"
)

// answer gathers one choice for a body.
type answer struct {
	text, reasoning, refusal []byte
	calls                    []wholeCall
	others                   []providers.Field
	finish                   providers.Finish
}

type wholeCall struct {
	index    int
	id, name string
	args     []byte
	extra    []providers.Field
}

// Body writes the events of a whole answer as one chat completion. An error
// among them is not written: it is for the caller to send instead.
func (e *Encoder) Body(events []providers.Event) []byte {
	for i := range events {
		e.gather(&events[i])
	}
	var w jsontext.Writer
	e.head(&w, "", "chat.completion")
	w.Name("choices")
	w.Open('[')
	order := make([]int, 0, len(e.accumulated))
	for i := range e.accumulated {
		order = append(order, i)
	}
	slices.Sort(order)
	for _, i := range order {
		e.accumulated[i].write(&w, i)
	}
	w.Close(']')
	if e.usage != nil {
		usage(&w, *e.usage)
	}
	w.Close('}')
	return w.B
}

func (e *Encoder) gather(ev *providers.Event) {
	switch ev.Kind {
	case providers.EventStart:
		e.start(ev)
		return
	case providers.EventUsage:
		e.usage = &ev.Usage
		return
	case providers.EventError:
		return
	}
	a := e.accumulated[ev.Choice]
	if a == nil {
		a = &answer{}
		e.accumulated[ev.Choice] = a
	}
	switch ev.Kind {
	case providers.EventText:
		a.text = append(a.text, ev.Text...)
	case providers.EventReasoning:
		a.reasoning = append(a.reasoning, ev.Text...)
	case providers.EventRefusal:
		a.refusal = append(a.refusal, ev.Text...)
	case providers.EventFinish:
		a.finish = ev.Finish
	case providers.EventToolCall:
		c := a.call(ev.Call.Index)
		if c.name == "" {
			c.id, c.name = ev.Call.ID, ev.Call.Name
		}
		c.args = append(c.args, ev.Call.Args...)
	case providers.EventOther:
		a.other(ev.Opaque)
	}
}

func (a *answer) call(index int) *wholeCall {
	i := slices.IndexFunc(a.calls, func(c wholeCall) bool { return c.index == index })
	if i < 0 {
		a.calls = append(a.calls, wholeCall{index: index})
		i = len(a.calls) - 1
	}
	return &a.calls[i]
}

// other keeps this format's own members: of the message, or of a tool call.
func (a *answer) other(o *providers.Opaque) {
	if o == nil || o.Format != providers.FormatOpenAI {
		return
	}
	gjson.ParseBytes(o.Raw).ForEach(func(key, v gjson.Result) bool {
		if key.Str != "tool_calls" {
			a.others = append(a.others, providers.Field{Name: key.Str, Raw: json.RawMessage(v.Raw)})
			return true
		}
		for _, call := range v.Array() {
			c := a.call(int(call.Get("index").Int()))
			c.extra = append(c.extra, providers.Field{Name: "extra_content", Raw: json.RawMessage(call.Get("extra_content").Raw)})
		}
		return true
	})
}

func (a *answer) write(w *jsontext.Writer, index int) {
	w.Open('{')
	w.Int("index", int64(index))
	w.Name("message")
	w.Open('{')
	w.Str("role", "assistant")
	if len(a.text) == 0 && len(a.calls) > 0 {
		w.Raw("content", []byte("null"))
	} else {
		w.Str("content", string(a.text))
	}
	if len(a.reasoning) > 0 {
		w.Str("reasoning_content", string(a.reasoning))
	}
	if len(a.refusal) > 0 {
		w.Str("refusal", string(a.refusal))
	} else {
		w.Raw("refusal", []byte("null"))
	}
	if len(a.calls) > 0 {
		w.Name("tool_calls")
		w.Open('[')
		for _, c := range a.calls {
			w.Open('{')
			w.Str("id", c.id)
			w.Str("type", "function")
			function(w, c.name, string(c.args))
			w.Fields(c.extra)
			w.Close('}')
		}
		w.Close(']')
	}
	w.Fields(a.others)
	w.Close('}')
	w.Raw("logprobs", []byte("null"))
	w.Str("finish_reason", string(a.finish))
	w.Close('}')
}
