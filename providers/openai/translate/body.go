package translate

import (
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"farthing/providers"
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
	var w writer
	e.head(&w, "", "chat.completion")
	w.name("choices")
	w.open('[')
	order := make([]int, 0, len(e.accumulated))
	for i := range e.accumulated {
		order = append(order, i)
	}
	slices.Sort(order)
	for _, i := range order {
		e.accumulated[i].write(&w, i)
	}
	w.close(']')
	if e.usage != nil {
		w.usage(*e.usage)
	}
	w.close('}')
	return w.b
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
			a.others = append(a.others, field(key.Str, v))
			return true
		}
		for _, call := range v.Array() {
			c := a.call(int(call.Get("index").Int()))
			c.extra = append(c.extra, field("extra_content", call.Get("extra_content")))
		}
		return true
	})
}

func (a *answer) write(w *writer, index int) {
	w.open('{')
	w.raw("index", strconv.AppendInt(nil, int64(index), 10))
	w.name("message")
	w.open('{')
	w.str("role", "assistant")
	if len(a.text) == 0 && len(a.calls) > 0 {
		w.raw("content", []byte("null"))
	} else {
		w.str("content", string(a.text))
	}
	if len(a.reasoning) > 0 {
		w.str("reasoning_content", string(a.reasoning))
	}
	if len(a.refusal) > 0 {
		w.str("refusal", string(a.refusal))
	} else {
		w.raw("refusal", []byte("null"))
	}
	if len(a.calls) > 0 {
		w.name("tool_calls")
		w.open('[')
		for _, c := range a.calls {
			w.open('{')
			w.str("id", c.id)
			w.str("type", "function")
			w.function(c.name, string(c.args))
			w.fields(c.extra)
			w.close('}')
		}
		w.close(']')
	}
	w.fields(a.others)
	w.close('}')
	w.raw("logprobs", []byte("null"))
	w.str("finish_reason", string(a.finish))
	w.close('}')
}
