package events

import (
	"github.com/tidwall/gjson"

	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/openai/jsontext"
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
	var w jsontext.Writer
	for i := range events {
		e.event(&w, &events[i])
	}
	return w.B
}

// End writes what closes a stream: the usage, if it was asked for, and [DONE].
// After an error there is nothing to close.
func (e *Encoder) End() []byte {
	if e.failed {
		return nil
	}
	var w jsontext.Writer
	if e.wantUsage && e.usage != nil {
		e.head(&w, "data: ", "chat.completion.chunk")
		w.Raw("choices", []byte("[]"))
		usage(&w, *e.usage)
		w.Close('}')
		w.End("\n\n")
	}
	return append(w.B, "data: [DONE]\n\n"...)
}

func (e *Encoder) event(w *jsontext.Writer, ev *providers.Event) {
	switch ev.Kind {
	case providers.EventStart:
		e.start(ev)
	case providers.EventUsage:
		e.usage = &ev.Usage
	case providers.EventError:
		e.failed = true
		w.B = append(append(append(w.B, "data: "...), openai.ErrorBody(ev.Err)...), "\n\n"...)
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
func (e *Encoder) head(w *jsontext.Writer, prefix, object string) {
	w.Begin(prefix)
	w.Open('{')
	w.Str("id", e.id)
	w.Str("object", object)
	w.Int("created", e.created)
	w.Str("model", e.model)
}

func (e *Encoder) chunk(w *jsontext.Writer, ev *providers.Event) {
	e.head(w, "data: ", "chat.completion.chunk")
	w.Name("choices")
	w.Open('[')
	w.Open('{')
	w.Int("index", int64(ev.Choice))
	w.Name("delta")
	w.Open('{')
	if !e.begun[ev.Choice] {
		e.begun[ev.Choice] = true
		w.Str("role", "assistant")
	}
	e.delta(w, ev)
	w.Close('}')
	if ev.Kind == providers.EventFinish {
		w.Str("finish_reason", string(ev.Finish))
	} else {
		w.Raw("finish_reason", []byte("null"))
	}
	w.Close('}')
	w.Close(']')
	w.Close('}')
	w.End("\n\n")
}

func (e *Encoder) delta(w *jsontext.Writer, ev *providers.Event) {
	switch ev.Kind {
	case providers.EventText:
		w.Str("content", ev.Text)
	case providers.EventReasoning:
		w.Str("reasoning_content", ev.Text)
	case providers.EventRefusal:
		w.Str("refusal", ev.Text)
	case providers.EventOther:
		gjson.ParseBytes(ev.Opaque.Raw).ForEach(func(key, v gjson.Result) bool {
			w.Raw(key.Str, []byte(v.Raw))
			return true
		})
	case providers.EventToolCall:
		w.Name("tool_calls")
		w.Open('[')
		w.Open('{')
		w.Int("index", int64(ev.Call.Index))
		if at := [2]int{ev.Choice, ev.Call.Index}; !e.calls[at] {
			e.calls[at] = true
			w.Str("id", ev.Call.ID)
			w.Str("type", "function")
			function(w, ev.Call.Name, ev.Call.Args)
		} else {
			w.Name("function")
			w.Open('{')
			w.Str("arguments", ev.Call.Args)
			w.Close('}')
		}
		w.Close('}')
		w.Close(']')
	}
}

func function(w *jsontext.Writer, name, args string) {
	w.Name("function")
	w.Open('{')
	w.Str("name", name)
	w.Str("arguments", args)
	w.Close('}')
}

// usage writes disjoint classes as OpenAI counts: cached tokens inside the
// prompt, reasoning inside the completion.
func usage(w *jsontext.Writer, u providers.Usage) {
	count := func(name string, n int64, always bool) {
		if n > 0 || always {
			w.Int(name, n)
		}
	}
	w.Name("usage")
	w.Open('{')
	count("prompt_tokens", u.TotalInput(), true)
	count("completion_tokens", u.TotalOutput(), true)
	count("total_tokens", u.TotalInput()+u.TotalOutput(), true)
	w.Name("prompt_tokens_details")
	w.Open('{')
	count("cached_tokens", u.CacheRead+u.AudioCacheRead+u.ImageCacheRead, true)
	count("cache_write_tokens", u.CacheWrite5m+u.CacheWrite1h, false)
	count("audio_tokens", u.AudioIn, true)
	count("image_tokens", u.ImageIn, false)
	count("video_tokens", u.VideoIn, false)
	w.Close('}')
	w.Name("completion_tokens_details")
	w.Open('{')
	count("reasoning_tokens", u.Reasoning, true)
	count("audio_tokens", u.AudioOut, true)
	count("image_tokens", u.ImageOut, false)
	w.Close('}')
	if u.WebSearches > 0 {
		w.Name("server_tool_use_details")
		w.Open('{')
		count("web_search_requests", u.WebSearches, true)
		w.Close('}')
	}
	if u.SearchSize != "" {
		w.Str("search_context_size", u.SearchSize)
	}
	count("citation_tokens", u.Citations, false)
	w.Close('}')
}
