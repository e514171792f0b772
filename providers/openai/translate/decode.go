package translate

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"farthing/providers"
	"farthing/providers/openai"
)

// DecodeRequest reads a chat completion request. It refuses what openai.Parse
// refuses. The result does not refer to body.
func DecodeRequest(body []byte) (*providers.Request, error) {
	if _, err := openai.Parse(body); err != nil {
		return nil, err
	}
	r := &providers.Request{}
	gjson.ParseBytes(body).ForEach(func(key, v gjson.Result) bool {
		if v.Type == gjson.Null || !decodeMember(r, key.Str, v) {
			r.Extra = append(r.Extra, field(key.Str, v))
		}
		return true
	})
	return r, nil
}

// field is a member kept as it stood.
func field(name string, v gjson.Result) providers.Field {
	return providers.Field{Name: name, Raw: json.RawMessage(v.Raw)}
}

// decodeMember reads one top-level member and says whether the request's own
// fields say all that it said.
func decodeMember(r *providers.Request, key string, v gjson.Result) bool {
	switch key {
	case "model":
		r.Model = v.Str
	case "messages":
		v.ForEach(func(_, turn gjson.Result) bool {
			r.Turns = append(r.Turns, decodeTurn(turn))
			return true
		})
	case "tools":
		v.ForEach(func(_, tool gjson.Result) bool {
			r.Tools = append(r.Tools, decodeTool(tool))
			return true
		})
		return len(r.Tools) > 0
	case "tool_choice":
		r.ToolChoice = decodeChoice(v)
	case "response_format":
		return decodeSchema(r, v)
	case "max_tokens", "max_completion_tokens":
		// Kept under Extra too: it tells which name stood, or that both did.
		r.MaxOutput = max(r.MaxOutput, v.Int())
		return false
	case "n":
		r.N = int(v.Int())
	case "stream":
		r.Stream = v.Bool()
		return r.Stream
	case "stream_options":
		r.StreamUsage = v.Get("include_usage").Bool()
		return r.StreamUsage && len(v.Map()) == 1
	case "service_tier":
		r.Tier = v.Str
		return v.Str != ""
	default:
		return decodeSampling(r, key, v)
	}
	return true
}

func decodeSampling(r *providers.Request, key string, v gjson.Result) bool {
	switch key {
	case "temperature":
		return number(&r.Temperature, v)
	case "top_p":
		return number(&r.TopP, v)
	case "frequency_penalty":
		return number(&r.Penalty.Frequency, v)
	case "presence_penalty":
		return number(&r.Penalty.Presence, v)
	case "seed":
		n := v.Int()
		if v.Type != gjson.Number || strings.ContainsAny(v.Raw, ".eE") {
			return false
		}
		r.Seed = &n
	case "stop":
		return decodeStop(r, v)
	case "parallel_tool_calls":
		b := v.Bool()
		r.Parallel = &b
		return v.IsBool()
	case "logprobs", "top_logprobs":
		return decodeLogprobs(r, v)
	case "user":
		r.User = v.Str
		return v.Str != ""
	case "reasoning_effort":
		r.Effort = v.Str
		return v.Str != ""
	case "reasoning":
		if e := v.Get("effort").Str; e != "" {
			r.Effort = e
		}
		return false
	default:
		return false
	}
	return true
}

func number(dst **float64, v gjson.Result) bool {
	if v.Type != gjson.Number {
		return false
	}
	*dst = &v.Num
	return true
}

func decodeStop(r *providers.Request, v gjson.Result) bool {
	if v.Type == gjson.String {
		r.Stop = []string{v.Str}
		return false
	}
	if !v.IsArray() {
		return false
	}
	for _, s := range v.Array() {
		if s.Type != gjson.String {
			r.Stop = nil
			return false
		}
		r.Stop = append(r.Stop, s.Str)
	}
	return len(r.Stop) > 0
}

// decodeLogprobs joins logprobs (a switch) and top_logprobs (a number).
func decodeLogprobs(r *providers.Request, v gjson.Result) bool {
	if !v.Bool() && v.Int() <= 0 {
		return false
	}
	n := 0
	if v.Type == gjson.Number {
		n = int(v.Int())
	} else if r.Logprobs != nil {
		return true
	}
	r.Logprobs = &n
	return true
}

func decodeTool(v gjson.Result) providers.Tool {
	t := providers.Tool{Raw: json.RawMessage(v.Raw)}
	f := v.Get("function")
	if !f.IsObject() {
		t.Server = v.Get("type").Str
		t.Name = v.Get("name").Str
		return t
	}
	t.Name, t.Description = f.Get("name").Str, f.Get("description").Str
	t.Parameters, t.Strict = rawOf(f.Get("parameters")), boolOf(f.Get("strict"))
	return t
}

func decodeChoice(v gjson.Result) providers.ToolChoice {
	c := providers.ToolChoice{Raw: json.RawMessage(v.Raw), Mode: v.Str}
	if name := v.Get("function.name"); name.Exists() {
		c.Mode, c.Name = "tool", name.Str
	}
	if c.Mode == "any" { // Mistral's word
		c.Mode = "required"
	}
	return c
}

func decodeSchema(r *providers.Request, v gjson.Result) bool {
	s := &providers.Schema{Raw: json.RawMessage(v.Raw)}
	switch v.Get("type").Str {
	case "json_object":
		s.JSONOnly = true
	case "json_schema":
		j := v.Get("json_schema")
		s.Name, s.Schema, s.Strict = j.Get("name").Str, rawOf(j.Get("schema")), boolOf(j.Get("strict"))
	default:
		return false
	}
	r.Schema = s
	return true
}

func rawOf(v gjson.Result) json.RawMessage {
	if !v.Exists() || v.Type == gjson.Null {
		return nil
	}
	return json.RawMessage(v.Raw)
}

func boolOf(v gjson.Result) *bool {
	if !v.IsBool() {
		return nil
	}
	b := v.Bool()
	return &b
}

// extra finds a kept member.
func extra(fields []providers.Field, name string) (json.RawMessage, bool) {
	i := slices.IndexFunc(fields, func(f providers.Field) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	return fields[i].Raw, true
}
