package translate

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

// EncodeRequest writes a request as a chat completion. Parts of other formats'
// own (Opaque of another Format) are left out; reasoning is written only where it
// came from this format, since servers refuse fields that they do not know.
func EncodeRequest(r *providers.Request) ([]byte, error) {
	w := writer{b: make([]byte, 0, 1<<10)}
	w.open('{')
	w.str("model", r.Model)
	w.name("messages")
	w.open('[')
	for i := range r.Turns {
		w.turn(&r.Turns[i])
	}
	w.close(']')
	w.tools(r)
	w.limits(r)
	w.sampling(r)
	w.fields(r.Extra, w.written...)
	w.close('}')
	if !json.Valid(w.b) {
		return nil, &providers.Error{Kind: providers.Invalid, Message: "the request holds a value that is not JSON"}
	}
	return w.b, nil
}

// writer appends JSON. written are the top-level members that hold what an Extra
// field of the same name would repeat.
type writer struct {
	b       []byte
	first   bool
	written []string
}

func (w *writer) comma() {
	if !w.first && len(w.b) > 0 {
		w.b = append(w.b, ',')
	}
	w.first = false
}

func (w *writer) open(c byte) {
	if n := len(w.b); n > 0 && w.b[n-1] != ':' {
		w.comma()
	}
	w.b = append(w.b, c)
	w.first = true
}

func (w *writer) close(c byte) {
	w.b = append(w.b, c)
	w.first = false
}

func (w *writer) name(name string) {
	w.comma()
	w.b = append(gjson.AppendJSONString(w.b, name), ':')
}

func (w *writer) str(name, value string) {
	w.name(name)
	w.b = gjson.AppendJSONString(w.b, value)
}

func (w *writer) raw(name string, value []byte) {
	w.name(name)
	w.b = append(w.b, value...)
}

// value appends an element of an array.
func (w *writer) value(raw []byte) {
	w.comma()
	w.b = append(w.b, raw...)
}

// fields writes kept members but for those named.
func (w *writer) fields(fields []providers.Field, but ...string) {
	for _, f := range fields {
		if len(f.Raw) > 0 && !slices.Contains(but, f.Name) {
			w.raw(f.Name, f.Raw)
		}
	}
}

func (w *writer) tools(r *providers.Request) {
	if len(r.Tools) > 0 {
		w.name("tools")
		w.open('[')
		for _, t := range r.Tools {
			w.tool(t)
		}
		w.close(']')
	}
	c := r.ToolChoice
	switch raw := gjson.ParseBytes(c.Raw); {
	case c.Mode == "" && len(c.Raw) == 0:
	case raw.Type == gjson.String, raw.Get("function").Exists(), raw.Get("allowed_tools").Exists():
		w.raw("tool_choice", c.Raw)
	case c.Mode == "tool":
		w.name("tool_choice")
		w.open('{')
		w.str("type", "function")
		w.name("function")
		w.open('{')
		w.str("name", c.Name)
		w.close('}')
		w.close('}')
	case c.Mode != "":
		w.str("tool_choice", c.Mode)
	}
	if r.Parallel != nil {
		w.raw("parallel_tool_calls", strconv.AppendBool(nil, *r.Parallel))
	}
}

// tool writes a tool: as it came, if it came from this format.
func (w *writer) tool(t providers.Tool) {
	raw := gjson.ParseBytes(t.Raw)
	if raw.Get("function.name").Str == t.Name && t.Server == "" && len(t.Raw) > 0 || t.Server != "" && raw.Get("type").Str == t.Server {
		w.value(t.Raw)
		return
	}
	w.open('{')
	w.str("type", "function")
	w.name("function")
	w.open('{')
	w.str("name", t.Name)
	if t.Description != "" {
		w.str("description", t.Description)
	}
	if len(t.Parameters) > 0 {
		w.raw("parameters", t.Parameters)
	}
	if t.Strict != nil {
		w.raw("strict", strconv.AppendBool(nil, *t.Strict))
	}
	w.close('}')
	w.close('}')
}

// limits writes what bounds the answer's size and form.
func (w *writer) limits(r *providers.Request) {
	w.maxOutput(r)
	if r.N > 0 {
		w.raw("n", strconv.AppendInt(nil, int64(r.N), 10))
	}
	if r.Stream {
		w.own("stream")
		w.raw("stream", []byte("true"))
	}
	if _, ok := extra(r.Extra, "stream_options"); r.StreamUsage && !ok {
		w.raw("stream_options", []byte(`{"include_usage":true}`))
	}
	if s := r.Schema; s != nil {
		w.schema(s)
	}
}

// maxOutput writes the limit under the name that it had; of two limits both stay
// as they stood.
func (w *writer) maxOutput(r *providers.Request) {
	_, old := extra(r.Extra, "max_tokens")
	_, completion := extra(r.Extra, "max_completion_tokens")
	if r.MaxOutput <= 0 || old && completion {
		return
	}
	limit := "max_tokens"
	if completion {
		limit = "max_completion_tokens"
	}
	w.own(limit)
	w.raw(limit, strconv.AppendInt(nil, r.MaxOutput, 10))
}

// own marks a member as written, whatever Extra says of it.
func (w *writer) own(name string) { w.written = append(w.written, name) }

func (w *writer) schema(s *providers.Schema) {
	switch kind := gjson.GetBytes(s.Raw, "type").Str; {
	case kind == "json_schema" && !s.JSONOnly && gjson.GetBytes(s.Raw, "json_schema").Exists(), kind == "json_object" && s.JSONOnly:
		w.raw("response_format", s.Raw)
		return
	case s.JSONOnly:
		w.raw("response_format", []byte(`{"type":"json_object"}`))
		return
	}
	w.name("response_format")
	w.open('{')
	w.str("type", "json_schema")
	w.name("json_schema")
	w.open('{')
	name := s.Name
	if name == "" {
		name = "answer" // required by OpenAI, unknown to other formats
	}
	w.str("name", name)
	if len(s.Schema) > 0 {
		w.raw("schema", s.Schema)
	}
	if s.Strict != nil {
		w.raw("strict", strconv.AppendBool(nil, *s.Strict))
	}
	w.close('}')
	w.close('}')
}

func (w *writer) sampling(r *providers.Request) {
	for _, p := range []struct {
		name  string
		value *float64
	}{{"temperature", r.Temperature}, {"top_p", r.TopP}, {"frequency_penalty", r.Penalty.Frequency}, {"presence_penalty", r.Penalty.Presence}} {
		if p.value != nil {
			w.raw(p.name, strconv.AppendFloat(nil, *p.value, 'g', -1, 64))
		}
	}
	if r.Seed != nil {
		w.raw("seed", strconv.AppendInt(nil, *r.Seed, 10))
	}
	if _, ok := extra(r.Extra, "stop"); len(r.Stop) > 0 && !ok {
		w.name("stop")
		w.open('[')
		for _, s := range r.Stop {
			w.value(gjson.AppendJSONString(nil, s))
		}
		w.close(']')
	}
	if r.Logprobs != nil {
		w.raw("logprobs", []byte("true"))
		if *r.Logprobs > 0 {
			w.raw("top_logprobs", strconv.AppendInt(nil, int64(*r.Logprobs), 10))
		}
	}
	if _, ok := extra(r.Extra, "reasoning"); r.Effort != "" && !ok {
		w.str("reasoning_effort", r.Effort)
	}
	for _, s := range [][2]string{{"service_tier", r.Tier}, {"user", r.User}} {
		if s[1] != "" {
			w.str(s[0], s[1])
		}
	}
}

// media writes the member typ of a content part.
func (w *writer) media(typ string, m *providers.Media) {
	w.open('{')
	switch typ {
	case "image_url":
		url := m.URL
		if m.Data != nil {
			url = dataURL(m)
		}
		w.str("url", url)
		if m.Detail != "" {
			w.str("detail", m.Detail)
		}
	case "input_audio":
		w.str("data", base64.StdEncoding.EncodeToString(m.Data))
		w.str("format", strings.TrimPrefix(m.Type, "audio/"))
	default:
		for _, s := range [][2]string{{"filename", m.Name}, {"file_id", m.FileID}} {
			if s[1] != "" {
				w.str(s[0], s[1])
			}
		}
		if m.Data != nil {
			w.str("file_data", dataURL(m))
		}
	}
	w.close('}')
}

func dataURL(m *providers.Media) string {
	return "data:" + m.Type + ";base64," + base64.StdEncoding.EncodeToString(m.Data)
}
