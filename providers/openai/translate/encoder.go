package translate

import (
	"strconv"

	"github.com/tidwall/gjson"

	"farthing/providers"
	"farthing/providers/openai"
)

// Encoder writes events as an OpenAI answer: as chunks of a stream (Events, End)
// or as one body (Body).
type Encoder struct {
	wantUsage   bool
	id, model   string
	created     int64
	usage       *providers.Usage
	begun       map[int]bool    // choices whose role was written
	calls       map[[2]int]bool // calls whose type was written
	failed      bool
	accumulated map[int]*answer
}

// NewEncoder makes an encoder. wantUsage says that the client asked for usage in
// the stream; a body always has it.
func NewEncoder(wantUsage bool) *Encoder {
	return &Encoder{wantUsage: wantUsage, begun: map[int]bool{}, calls: map[[2]int]bool{}, accumulated: map[int]*answer{}}
}

// Events writes events as server-sent events.
func (e *Encoder) Events(events []providers.Event) []byte {
	var w writer
	for i := range events {
		e.event(&w, &events[i])
	}
	return w.b
}

// End writes what closes a stream: the usage, if it was asked for, and [DONE].
// After an error there is nothing to close.
func (e *Encoder) End() []byte {
	if e.failed {
		return nil
	}
	var w writer
	if e.wantUsage && e.usage != nil {
		e.head(&w, "data: ", "chat.completion.chunk")
		w.raw("choices", []byte("[]"))
		w.usage(*e.usage)
		w.close('}')
		w.b = append(w.b, "\n\n"...)
	}
	return append(w.b, "data: [DONE]\n\n"...)
}

func (e *Encoder) event(w *writer, ev *providers.Event) {
	switch ev.Kind {
	case providers.EventStart:
		e.start(ev)
	case providers.EventUsage:
		e.usage = &ev.Usage
	case providers.EventError:
		e.failed = true
		w.b = append(append(append(w.b, "data: "...), openai.ErrorBody(ev.Err)...), "\n\n"...)
	case providers.EventOther:
		if ev.Opaque != nil && ev.Opaque.Format == providers.FormatOpenAI {
			e.chunk(w, ev)
		}
	default:
		e.chunk(w, ev)
	}
}

func (e *Encoder) start(ev *providers.Event) { e.id, e.model, e.created = ev.ID, ev.Model, ev.Created }

// head opens a chunk or a body.
func (e *Encoder) head(w *writer, prefix, object string) {
	w.b = append(w.b, prefix...)
	w.first = true
	w.open('{')
	w.str("id", e.id)
	w.str("object", object)
	w.raw("created", strconv.AppendInt(nil, e.created, 10))
	w.str("model", e.model)
}

func (e *Encoder) chunk(w *writer, ev *providers.Event) {
	e.head(w, "data: ", "chat.completion.chunk")
	w.name("choices")
	w.open('[')
	w.open('{')
	w.raw("index", strconv.AppendInt(nil, int64(ev.Choice), 10))
	w.name("delta")
	w.open('{')
	if !e.begun[ev.Choice] {
		e.begun[ev.Choice] = true
		w.str("role", "assistant")
	}
	e.delta(w, ev)
	w.close('}')
	if ev.Kind == providers.EventFinish {
		w.str("finish_reason", string(ev.Finish))
	} else {
		w.raw("finish_reason", []byte("null"))
	}
	w.close('}')
	w.close(']')
	w.close('}')
	w.b = append(w.b, "\n\n"...)
}

func (e *Encoder) delta(w *writer, ev *providers.Event) {
	switch ev.Kind {
	case providers.EventText:
		w.str("content", ev.Text)
	case providers.EventReasoning:
		w.str("reasoning_content", ev.Text)
	case providers.EventRefusal:
		w.str("refusal", ev.Text)
	case providers.EventOther:
		gjson.ParseBytes(ev.Opaque.Raw).ForEach(func(key, v gjson.Result) bool {
			w.raw(key.Str, []byte(v.Raw))
			return true
		})
	case providers.EventToolCall:
		w.name("tool_calls")
		w.open('[')
		w.open('{')
		w.raw("index", strconv.AppendInt(nil, int64(ev.Call.Index), 10))
		if at := [2]int{ev.Choice, ev.Call.Index}; !e.calls[at] {
			e.calls[at] = true
			w.str("id", ev.Call.ID)
			w.str("type", "function")
			w.function(ev.Call.Name, ev.Call.Args)
		} else {
			w.name("function")
			w.open('{')
			w.str("arguments", ev.Call.Args)
			w.close('}')
		}
		w.close('}')
		w.close(']')
	}
}

func (w *writer) function(name, args string) {
	w.name("function")
	w.open('{')
	w.str("name", name)
	w.str("arguments", args)
	w.close('}')
}

// usage writes disjoint classes as OpenAI counts: cached tokens inside the
// prompt, reasoning inside the completion.
func (w *writer) usage(u providers.Usage) {
	count := func(name string, n int64, always bool) {
		if n > 0 || always {
			w.raw(name, strconv.AppendInt(nil, n, 10))
		}
	}
	w.name("usage")
	w.open('{')
	count("prompt_tokens", u.TotalInput(), true)
	count("completion_tokens", u.TotalOutput(), true)
	count("total_tokens", u.TotalInput()+u.TotalOutput(), true)
	w.name("prompt_tokens_details")
	w.open('{')
	count("cached_tokens", u.CacheRead+u.AudioCacheRead+u.ImageCacheRead, true)
	count("cache_write_tokens", u.CacheWrite5m+u.CacheWrite1h, false)
	count("audio_tokens", u.AudioIn, true)
	count("image_tokens", u.ImageIn, false)
	count("video_tokens", u.VideoIn, false)
	w.close('}')
	w.name("completion_tokens_details")
	w.open('{')
	count("reasoning_tokens", u.Reasoning, true)
	count("audio_tokens", u.AudioOut, true)
	count("image_tokens", u.ImageOut, false)
	w.close('}')
	if u.WebSearches > 0 {
		w.name("server_tool_use_details")
		w.open('{')
		count("web_search_requests", u.WebSearches, true)
		w.close('}')
	}
	if u.SearchSize != "" {
		w.str("search_context_size", u.SearchSize)
	}
	count("citation_tokens", u.Citations, false)
	w.close('}')
}
