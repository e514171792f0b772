package openaitest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"farthing/providers"
	"farthing/providers/openai"
)

// expectation rewrites an answer as it should reach the client.
type expectation struct {
	q       openai.Quirks
	wanted  bool // the client asked for usage
	answer  Answer
	begun   map[int]bool     // answers that have come up
	spoke   map[int]bool     // answers that have had a delta
	ended   map[int]bool     // answers that have had a finish
	calls   map[int][]string // ids of the tool calls of each answer, in the order of their indices
	done    bool             // data: [DONE] has come
	head    map[string]any   // of the last chunk
	missing string           // the line ends that the last event lacks
}

func newExpectation(q openai.Quirks, wanted bool) *expectation {
	return &expectation{q: q, wanted: wanted, begun: map[int]bool{}, spoke: map[int]bool{}, ended: map[int]bool{}, calls: map[int][]string{}}
}

// Stream is what a client should get of a recorded stream. usageWanted says that
// the client asked for usage.
func Stream(stream string, q openai.Quirks, usageWanted bool) Answer {
	x := newExpectation(q, usageWanted)
	for _, event := range Events(stream) {
		x.event(event)
		if x.answer.Failed {
			return x.answer
		}
	}
	if n := len(x.answer.Events); n > 0 {
		x.answer.Events[n-1].Text += x.missing
	}
	if !x.done && x.mends(openai.RepairDone) {
		x.pass(Event{Text: "data: [DONE]\n\n"})
	}
	return x.answer
}

// Body is what a client should get of a recorded answer that was not streamed.
func Body(body string, q openai.Quirks) Answer {
	x := newExpectation(q, false)
	m, ok := object(body)
	if !ok || isError(m) {
		x.answer.Failed = true
		return x.answer
	}
	mended := false
	for _, choice := range list(m["choices"]) {
		mended = x.choice(choice, true) || mended
	}
	x.answer.Body = Event{Text: body}
	if mended {
		x.answer.Body = Event{Text: marshal(m), Mended: true}
	}
	return x.answer
}

func (x *expectation) pass(e Event) { x.answer.Events = append(x.answer.Events, e) }

// mends says whether the row has the repair, and notes it.
func (x *expectation) mends(r openai.Repair) bool {
	if !x.q.Mends(r) {
		return false
	}
	x.repaired(r)
	return true
}

func (x *expectation) repaired(r openai.Repair) {
	if !slices.Contains(x.answer.Repairs, string(r)) {
		x.answer.Repairs = append(x.answer.Repairs, string(r))
	}
}

func (x *expectation) event(event string) {
	x.missing = ""
	switch {
	case !strings.HasSuffix(event, "\n"):
		x.missing = "\n\n"
	case !strings.HasSuffix(event, "\n\n") && !strings.HasSuffix(event, "\n\r\n") && strings.TrimSpace(event) != "":
		x.missing = "\n"
	}
	m, ok := object(event)
	switch {
	case !ok:
		if data, _ := dataOf(event); data == "[DONE]" {
			x.done = true
			x.finish()
		}
		x.pass(Event{Text: event})
	case isError(m) && !x.finished():
		x.answer.Failed = true
		if text(m, "error", "message") == "" {
			x.repaired(openai.RepairError)
		}
		x.pass(Event{Text: event, Error: true})
	case len(list(m["choices"])) == 0 && isObject(m["usage"]):
		x.finish()
		if x.wanted {
			x.pass(Event{Text: event})
		}
	default:
		x.chunk(event, m)
	}
}

func (x *expectation) finished() bool { return len(x.begun) > 0 && len(x.begun) == len(x.ended) }

func (x *expectation) chunk(event string, m map[string]any) {
	x.head = m
	mended := false
	for _, choice := range list(m["choices"]) {
		mended = x.choice(choice, false) || mended
	}
	if mended {
		event = "data: " + marshal(m) + "\n\n"
		x.missing = ""
	}
	x.pass(Event{Text: event, Mended: mended})
}

// choice mends one choice and says whether it had to.
func (x *expectation) choice(ch map[string]any, whole bool) (mended bool) {
	i := index(ch)
	delta, ok := ch["delta"].(map[string]any)
	if !ok {
		delta, ok = ch["message"].(map[string]any)
	}
	for _, call := range list(delta["tool_calls"]) {
		mended = x.call(call, i, whole) || mended
	}
	if ok && !x.spoke[i] {
		x.spoke[i] = true
		if text(delta, "role") == "" && x.mends(openai.RepairRole) {
			delta["role"], mended = "assistant", true
		}
	}
	x.begun[i] = true
	reason, isText := ch["finish_reason"].(string)
	switch {
	case reason != "":
		x.ended[i] = true
		if common, own := commonFinish[reason]; own && x.mends(openai.RepairFinish) {
			ch["finish_reason"], mended = string(common), true
		}
	case whole && x.mends(openai.RepairFinish):
		ch["finish_reason"], mended = x.likely(i), true
	case !whole && isText && x.mends(openai.RepairFinish):
		ch["finish_reason"], mended = nil, true
	}
	return mended
}

// call mends one tool call, or a piece of one.
func (x *expectation) call(call map[string]any, choice int, whole bool) (mended bool) {
	ids, id := x.calls[choice], text(call, "id")
	at := slices.Index(ids, id)
	switch {
	case id == "" && len(ids) > 0:
		at = len(ids) - 1
	case at < 0:
		at = len(ids)
		x.calls[choice] = append(ids, id)
	}
	if text(call, "type") == "" && id != "" && x.mends(openai.RepairToolType) {
		call["type"], mended = "function", true
	}
	if _, ok := call["index"].(float64); !ok && !whole && x.mends(openai.RepairToolIndex) {
		call["index"], mended = float64(at), true
	}
	return mended
}

// likely is the reason for which an answer that does not say so has ended.
func (x *expectation) likely(choice int) string {
	if len(x.calls[choice]) > 0 {
		return string(providers.FinishToolCalls)
	}
	return string(providers.FinishStop)
}

// finish adds the finishes that never came.
func (x *expectation) finish() {
	var choices []any
	for _, i := range slices.Sorted(maps.Keys(x.begun)) {
		if !x.ended[i] {
			choices = append(choices, map[string]any{"index": i, "delta": map[string]any{}, "finish_reason": x.likely(i)})
		}
	}
	if len(choices) == 0 || !x.mends(openai.RepairFinish) {
		return
	}
	maps.Copy(x.ended, x.begun)
	x.pass(Event{Mended: true, Text: "data: " + marshal(map[string]any{
		"id": x.head["id"], "object": "chat.completion.chunk",
		"created": x.head["created"], "model": x.head["model"], "choices": choices,
	}) + "\n\n"})
}

// dataOf is the data of an event, or a body itself.
func dataOf(event string) (string, bool) {
	if strings.HasPrefix(strings.TrimSpace(event), "{") {
		return event, true
	}
	for line := range strings.Lines(event) {
		if data, ok := strings.CutPrefix(line, "data:"); ok {
			return strings.TrimSpace(data), true
		}
	}
	return "", false
}

func object(event string) (m map[string]any, ok bool) {
	data, ok := dataOf(event)
	return m, ok && json.Unmarshal([]byte(data), &m) == nil && m != nil
}

func marshal(m map[string]any) string {
	out, err := json.Marshal(m)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(out)
}

func isObject(v any) bool { _, ok := v.(map[string]any); return ok }

// isError says that an error stands where an answer should.
func isError(m map[string]any) bool {
	return isObject(m["error"]) || text(m, "error") != "" || text(m, "object") == "error"
}

// list gives the objects of an array.
func list(v any) (out []map[string]any) {
	items, _ := v.([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// text is the string at a path, "" if there is none.
func text(v any, path ...string) string {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

func index(ch map[string]any) int {
	n, _ := ch["index"].(float64)
	return int(n)
}
