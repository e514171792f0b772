package relay

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/sse"
)

// mend notes who has begun and ended, and lists the repairs of the scanned
// chunk. whole says that it is an answer that was not streamed.
func (r *Relay) mend(whole bool) {
	r.edits = r.edits[:0]
	for i := range r.c.calls {
		r.mendCall(&r.c.calls[i], whole)
	}
	for i := range r.c.choices {
		ch := &r.c.choices[i]
		r.seen.add(ch.index)
		r.mendRole(ch)
		r.mendFinish(ch, whole)
	}
}

func (r *Relay) mendRole(ch *choice) {
	if ch.delta.open == 0 || r.roles.has(ch.index) {
		return
	}
	r.roles.add(ch.index)
	if !ch.hasRole && r.quirks.Mends(openai.RepairRole) {
		r.edits.put(ch.delta, ch.role, "role", `"assistant"`)
		r.repaired(openai.RepairRole)
	}
}

func (r *Relay) mendCall(t *call, whole bool) {
	r.called.add(t.choice)
	if !t.hasType && t.id != "" && r.quirks.Mends(openai.RepairToolType) {
		r.edits.put(t.self, t.typ, "type", `"function"`)
		r.repaired(openai.RepairToolType)
	}
	if !t.hasIndex && !whole && r.quirks.Mends(openai.RepairToolIndex) {
		r.edits.put(t.self, t.index, "index", strconv.Itoa(r.toolIndex(t)))
		r.repaired(openai.RepairToolIndex)
	}
}

// toolIndex is the call's place among its answer's calls: known by its id; a
// piece without one belongs to the call before it.
func (r *Relay) toolIndex(t *call) int {
	next := 0
	for i := len(r.tools) - 1; i >= 0; i-- {
		if s := r.tools[i]; s.choice == t.choice {
			if t.id == "" || t.id == s.id {
				return s.index
			}
			next = max(next, s.index+1)
		}
	}
	r.tools = append(r.tools, toolSlot{t.choice, next, strings.Clone(t.id)})
	return next
}

// mendFinish notes an answer's end. A reason of the provider's own is written as
// OpenAI writes it; "" means that the answer goes on, unless it is whole.
func (r *Relay) mendFinish(ch *choice, whole bool) {
	if ch.reason != "" {
		r.ended.add(ch.index)
		reason := commonFinish(ch.reason)
		if r.meter.Finish == "" || ch.index == 0 {
			r.meter.Finish = meterFinish(reason)
		}
		if reason != ch.reason && r.quirks.Mends(openai.RepairFinish) {
			r.edits.put(ch.self, ch.finish, "finish_reason", strconv.Quote(reason))
			r.repaired(openai.RepairFinish)
		}
		return
	}
	if whole {
		r.ended.add(ch.index)
		r.meter.Finish = meterFinish(r.likelyFinish(ch.index))
	}
	switch {
	case !r.quirks.Mends(openai.RepairFinish):
	case whole:
		r.edits.put(ch.self, ch.finish, "finish_reason", strconv.Quote(r.likelyFinish(ch.index)))
		r.repaired(openai.RepairFinish)
	case ch.finish.end-ch.finish.at == len(`""`):
		r.edits.put(ch.self, ch.finish, "finish_reason", "null")
		r.repaired(openai.RepairFinish)
	}
}

func (r *Relay) likelyFinish(choice int) string {
	if r.called.has(choice) {
		return string(providers.FinishToolCalls)
	}
	return string(providers.FinishStop)
}

// commonFinish gives OpenAI's name for a reason that some servers pass on from
// what runs behind them.
func commonFinish(reason string) string {
	switch reason {
	case "eos", "eos_token", "stop_sequence", "end_turn", "STOP":
		return "stop"
	case "max_tokens", "MAX_TOKENS", "model_length":
		return "length"
	case "tool_use":
		return "tool_calls"
	}
	return reason
}

func meterFinish(reason string) providers.Finish {
	if reason == "function_call" {
		return providers.FinishToolCalls
	}
	return providers.Finish(strings.Clone(reason))
}

// after gives raw with, before it, the finish that the provider never sent: what
// comes now (usage or [DONE]) says that every answer is whole.
func (r *Relay) after(raw []byte) []byte {
	if r.seen == r.ended || !r.quirks.Mends(openai.RepairFinish) {
		return raw
	}
	out := append(r.out[:0], `data: {"id":`...)
	out = gjson.AppendJSONString(out, r.meter.ID)
	out = append(out, `,"object":"chat.completion.chunk","created":`...)
	out = append(out, cmp.Or(r.created, "0")...)
	out = append(out, `,"model":`...)
	out = gjson.AppendJSONString(out, r.meter.Model)
	out = append(out, `,"choices":[`...)
	for i, comma := 0, ""; i < maxChoices; i++ {
		if r.seen.has(i) && !r.ended.has(i) {
			out = append(out, comma+`{"index":`...)
			out = strconv.AppendInt(out, int64(i), 10)
			out = append(out, `,"delta":{},"finish_reason":"`+r.likelyFinish(i)+`"}`...)
			r.meter.Finish, comma = providers.Finish(r.likelyFinish(i)), ","
		}
	}
	r.ended = r.seen
	r.repaired(openai.RepairFinish)
	r.out = append(append(out, "]}\n\n"...), raw...)
	return r.out
}

// apply writes the listed edits into the event.
func (r *Relay) apply(f sse.Frame) []byte {
	if len(r.edits) == 0 {
		return f.Raw
	}
	raw, at := f.Raw, f.DataAt
	if at < 0 {
		// Data of several lines: a line end in JSON is white space, so one line says the same.
		r.flat = append(r.flat[:0], "data: "...)
		at = len(r.flat)
		r.flat = append(append(r.flat, f.Data...), "\n\n"...)
		for i := at; i < at+len(f.Data); i++ {
			if r.flat[i] == '\n' {
				r.flat[i] = ' '
			}
		}
		raw = r.flat
	}
	r.out = r.edits.appendTo(r.out[:0], raw, at)
	return r.out
}

// readable says whether OpenAI's clients can read the error in data.
func readable(data []byte) bool { return gjson.GetBytes(data, "error.message").Type == gjson.String }

// edit replaces bytes at … end by text.
type edit struct {
	span
	text string
}

// edits are changes to one JSON text, in any order, not overlapping.
type edits []edit

// put sets a member of an object: at its value if it is there, else as the first
// member.
func (e *edits) put(o object, value span, name, text string) {
	switch {
	case value.end > 0:
		*e = append(*e, edit{value, text})
	case o.empty:
		*e = append(*e, edit{span{o.open, o.open}, `"` + name + `":` + text})
	default:
		*e = append(*e, edit{span{o.open, o.open}, `"` + name + `":` + text + `,`})
	}
}

// apply gives body with the edits made, in one allocation; body itself if there
// are none.
func (e edits) apply(body []byte, at int) []byte {
	if len(e) == 0 {
		return body
	}
	size := len(body)
	for _, d := range e {
		size += len(d.text) - (d.end - d.at)
	}
	return e.appendTo(make([]byte, 0, size), body, at)
}

// appendTo appends raw to out with the edits made; their offsets count from at.
func (e edits) appendTo(out, raw []byte, at int) []byte {
	slices.SortStableFunc(e, func(a, b edit) int { return a.at - b.at })
	from := 0
	for _, d := range e {
		out = append(append(out, raw[from:at+d.at]...), d.text...)
		from = at + d.end
	}
	return append(out, raw[from:]...)
}
