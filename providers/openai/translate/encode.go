package translate

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"farthing/providers"
	"farthing/providers/openai/jsontext"
)

// EncodeRequest writes a request as a chat completion. Parts of other formats'
// own (Opaque of another Format) are left out; reasoning is written only where it
// came from this format, since servers refuse fields that they do not know.
func EncodeRequest(r *providers.Request) ([]byte, error) {
	w := writer{Writer: jsontext.Writer{B: make([]byte, 0, 1<<10)}}
	w.Open('{')
	w.Str("model", r.Model)
	w.Name("messages")
	w.Open('[')
	for i := range r.Turns {
		w.turn(&r.Turns[i])
	}
	w.Close(']')
	w.tools(r)
	w.limits(r)
	w.sampling(r)
	w.Fields(r.Extra, w.written...)
	w.Close('}')
	if !json.Valid(w.B) {
		return nil, &providers.Error{Kind: providers.Invalid, Message: "the request holds a value that is not JSON"}
	}
	return w.B, nil
}

// writer writes a request. written are the top-level members that hold what an
// Extra field of the same name would repeat.
type writer struct {
	jsontext.Writer
	written []string
}

func (w *writer) tools(r *providers.Request) {
	if len(r.Tools) > 0 {
		w.Name("tools")
		w.Open('[')
		for _, t := range r.Tools {
			w.tool(t)
		}
		w.Close(']')
	}
	c := r.ToolChoice
	switch raw := gjson.ParseBytes(c.Raw); {
	case c.Mode == "" && len(c.Raw) == 0:
	case raw.Type == gjson.String, raw.Get("function").Exists(), raw.Get("allowed_tools").Exists():
		w.Raw("tool_choice", c.Raw)
	case c.Mode == "tool":
		w.Name("tool_choice")
		w.Open('{')
		w.Str("type", "function")
		w.Name("function")
		w.Open('{')
		w.Str("name", c.Name)
		w.Close('}')
		w.Close('}')
	case c.Mode != "":
		w.Str("tool_choice", c.Mode)
	}
	if r.Parallel != nil {
		w.Bool("parallel_tool_calls", *r.Parallel)
	}
}

// tool writes a tool: as it came, if it came from this format.
func (w *writer) tool(t providers.Tool) {
	raw := gjson.ParseBytes(t.Raw)
	if raw.Get("function.name").Str == t.Name && t.Server == "" && len(t.Raw) > 0 || t.Server != "" && raw.Get("type").Str == t.Server {
		w.Value(t.Raw)
		return
	}
	w.Open('{')
	w.Str("type", "function")
	w.Name("function")
	w.Open('{')
	w.Str("name", t.Name)
	if t.Description != "" {
		w.Str("description", t.Description)
	}
	if len(t.Parameters) > 0 {
		w.Raw("parameters", t.Parameters)
	}
	if t.Strict != nil {
		w.Bool("strict", *t.Strict)
	}
	w.Close('}')
	w.Close('}')
}

// limits writes what bounds the answer's size and form.
func (w *writer) limits(r *providers.Request) {
	w.maxOutput(r)
	if r.N > 0 {
		w.Int("n", int64(r.N))
	}
	if r.Stream {
		w.own("stream")
		w.Raw("stream", []byte("true"))
	}
	if _, ok := extra(r.Extra, "stream_options"); r.StreamUsage && !ok {
		w.Raw("stream_options", []byte(`{"include_usage":true}`))
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
	w.Int(limit, r.MaxOutput)
}

// own marks a member as written, whatever Extra says of it.
func (w *writer) own(name string) { w.written = append(w.written, name) }

func (w *writer) schema(s *providers.Schema) {
	switch kind := gjson.GetBytes(s.Raw, "type").Str; {
	case kind == "json_schema" && !s.JSONOnly && gjson.GetBytes(s.Raw, "json_schema").Exists(), kind == "json_object" && s.JSONOnly:
		w.Raw("response_format", s.Raw)
		return
	case s.JSONOnly:
		w.Raw("response_format", []byte(`{"type":"json_object"}`))
		return
	}
	w.Name("response_format")
	w.Open('{')
	w.Str("type", "json_schema")
	w.Name("json_schema")
	w.Open('{')
	name := s.Name
	if name == "" {
		name = "answer" // required by OpenAI, unknown to other formats
	}
	w.Str("name", name)
	if len(s.Schema) > 0 {
		w.Raw("schema", s.Schema)
	}
	if s.Strict != nil {
		w.Bool("strict", *s.Strict)
	}
	w.Close('}')
	w.Close('}')
}

func (w *writer) sampling(r *providers.Request) {
	for _, p := range []struct {
		name  string
		value *float64
	}{{"temperature", r.Temperature}, {"top_p", r.TopP}, {"frequency_penalty", r.Penalty.Frequency}, {"presence_penalty", r.Penalty.Presence}} {
		if p.value != nil {
			w.Raw(p.name, strconv.AppendFloat(nil, *p.value, 'g', -1, 64))
		}
	}
	if r.Seed != nil {
		w.Int("seed", *r.Seed)
	}
	if _, ok := extra(r.Extra, "stop"); len(r.Stop) > 0 && !ok {
		w.Name("stop")
		w.Open('[')
		for _, s := range r.Stop {
			w.Value(gjson.AppendJSONString(nil, s))
		}
		w.Close(']')
	}
	if r.Logprobs != nil {
		w.Raw("logprobs", []byte("true"))
		if *r.Logprobs > 0 {
			w.Int("top_logprobs", int64(*r.Logprobs))
		}
	}
	if _, ok := extra(r.Extra, "reasoning"); r.Effort != "" && !ok {
		w.Str("reasoning_effort", r.Effort)
	}
	for _, s := range [][2]string{{"service_tier", r.Tier}, {"user", r.User}} {
		if s[1] != "" {
			w.Str(s[0], s[1])
		}
	}
}

// media writes the member typ of a content part.
func (w *writer) media(typ string, m *providers.Media) {
	w.Open('{')
	switch typ {
	case "image_url":
		url := m.URL
		if m.Data != nil {
			url = dataURL(m)
		}
		w.Str("url", url)
		if m.Detail != "" {
			w.Str("detail", m.Detail)
		}
	case "input_audio":
		w.Str("data", base64.StdEncoding.EncodeToString(m.Data))
		w.Str("format", strings.TrimPrefix(m.Type, "audio/"))
	default:
		for _, s := range [][2]string{{"filename", m.Name}, {"file_id", m.FileID}} {
			if s[1] != "" {
				w.Str(s[0], s[1])
			}
		}
		if m.Data != nil {
			w.Str("file_data", dataURL(m))
		}
	}
	w.Close('}')
}

func dataURL(m *providers.Media) string {
	return "data:" + m.Type + ";base64," + base64.StdEncoding.EncodeToString(m.Data)
}
