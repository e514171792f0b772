package openai

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

// maxLimit bounds max_tokens: no model answers with two thousand million tokens.
// maxAnswers bounds n, as OpenAI does.
const (
	maxLimit   = 1 << 31
	maxAnswers = 128
)

// guarded are the members that decide what a request costs. Each may stand once
// and under its exact name: of a second one, or of "Max_Tokens", we would read
// one and a provider perhaps the other.
var guarded = []string{
	"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
	"n", "service_tier", "tools", "functions",
}

// Parse reads a client's chat completion request in one scan. The brief's texts
// point into body, which must not be changed afterwards. A request that cannot
// be right is an *providers.Error of kind Invalid in OpenAI's words; what only a
// provider can judge passes.
func Parse(body []byte) (*providers.Brief, error) {
	if !utf8.Valid(body) {
		return nil, invalid("", "We could not parse the JSON body of your request: it is not valid UTF-8.")
	}
	if !WellFormed(body) {
		return nil, invalid("", "We could not parse the JSON body of your request. The OpenAI API expects a JSON payload.")
	}
	root := gjson.Parse(view(body))
	if !root.IsObject() {
		return nil, invalid("", "The request body must be a JSON object.")
	}
	p := parser{b: &providers.Brief{Body: body, N: 1}}
	root.ForEach(func(key, v gjson.Result) bool {
		if p.err = p.guard(key.Str); p.err == nil {
			p.member(key.Str, v)
		}
		return p.err == nil
	})
	if p.err == nil {
		p.complete()
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.b, nil
}

// invalid is an error that blames the field param.
func invalid(param, format string, args ...any) error {
	return &providers.Error{Kind: providers.Invalid, Param: param, Message: fmt.Sprintf(format, args...)}
}

func wrongType(param, want string, v gjson.Result) error {
	got := map[gjson.Type]string{
		gjson.Null: "null", gjson.False: "a boolean", gjson.True: "a boolean",
		gjson.Number: "a number", gjson.String: "a string", gjson.JSON: "an object",
	}[v.Type]
	if v.IsArray() {
		got = "an array"
	}
	return invalid(param, "Invalid type for '%s': expected %s, but got %s instead.", param, want, got)
}

type parser struct {
	b        *providers.Brief
	seen     uint // bits of guarded
	input    bool // a Responses body
	lastUser gjson.Result
	err      error
}

// guard refuses a second spelling or a second copy of a guarded member.
func (p *parser) guard(key string) error {
	i := slices.Index(guarded, key)
	if i < 0 {
		for _, name := range guarded {
			if len(key) <= 2*len(name) && strings.EqualFold(key, name) {
				return invalid(key, "Unknown parameter: '%s'. Did you mean '%s'?", key, name)
			}
		}
		return nil
	}
	if p.seen&(1<<i) != 0 {
		return invalid(key, "Duplicate parameter: '%s' may be given once.", key)
	}
	p.seen |= 1 << i
	return nil
}

// member reads one top-level member.
func (p *parser) member(key string, v gjson.Result) {
	b := p.b
	switch key {
	case "model":
		b.Model = p.text(key, v)
	case "messages":
		p.messages(v)
	case "stream":
		b.Stream = p.flag(key, v)
	case "stream_options":
		p.streamOptions(v)
	case "max_tokens", "max_completion_tokens":
		// With both, the larger binds: a provider may go by either.
		b.MaxOutput = max(b.MaxOutput, p.integer(key, v, 0, maxLimit))
	case "n":
		b.N = max(1, p.integer(key, v, 1, maxAnswers))
	case "service_tier":
		b.Tier = p.text(key, v)
	case "tools", "functions":
		p.tools(key, v)
	default:
		p.optional(key, v)
	}
}

// optional reads members that matter to routing or price but that no provider
// needs; a wrong type in them is the provider's to refuse.
func (p *parser) optional(key string, v gjson.Result) {
	b := p.b
	switch key {
	case "input":
		p.input = true
	case "user":
		b.User = v.Str
	case "reasoning_effort":
		b.Effort = v.Str
	case "reasoning":
		if e := v.Get("effort").Str; e != "" {
			b.Effort = e
		}
	case "response_format":
		p.schema(v)
	case "web_search_options", "search_parameters":
		if v.IsObject() {
			b.ServerTools = append(b.ServerTools, key)
		}
	case "plugins":
		for _, plugin := range v.Array() {
			b.ServerTools = append(b.ServerTools, "plugin:"+plugin.Get("id").Str)
		}
	case "prediction":
		p.content(v.Get("content"))
	}
}

// complete checks what must be there.
func (p *parser) complete() {
	p.b.LastUser = joined(p.lastUser)
	switch {
	case p.b.Model == "":
		p.err = invalid("model", "you must provide a model parameter")
	case p.b.Turns == 0 && p.input:
		p.err = invalid("messages", "Missing required parameter: 'messages'. The body has 'input', which belongs to the Responses API; this endpoint takes chat completions.")
	case p.b.Turns == 0:
		p.err = invalid("messages", "Missing required parameter: 'messages'.")
	}
}

func (p *parser) text(key string, v gjson.Result) string {
	if v.Type != gjson.String && v.Type != gjson.Null {
		p.err = wrongType(key, "a string", v)
	}
	return v.Str
}

func (p *parser) flag(key string, v gjson.Result) bool {
	if !v.IsBool() && v.Type != gjson.Null {
		p.err = wrongType(key, "a boolean", v)
	}
	return v.Type == gjson.True
}

// integer reads a whole number from least to most; null is 0, as if it were not
// there. A limit of 0 is none: some servers take it so.
func (p *parser) integer(key string, v gjson.Result, least, most int64) int64 {
	switch {
	case v.Type == gjson.Null:
		return 0
	case v.Type != gjson.Number:
		p.err = wrongType(key, "an integer", v)
		return 0
	case strings.ContainsAny(v.Raw, ".eE"):
		p.err = invalid(key, "Invalid type for '%s': expected an integer, but got a decimal number instead.", key)
		return 0
	case v.Num < float64(least):
		p.err = invalid(key, "Invalid '%s': integer below minimum value. Expected a value >= %d, but got %.40s instead.", key, least, v.Raw)
		return 0
	case v.Num > float64(most):
		p.err = invalid(key, "Invalid '%s': integer above maximum value. Expected a value <= %d, but got %.40s instead.", key, most, v.Raw)
		return 0
	}
	return v.Int()
}

func (p *parser) streamOptions(v gjson.Result) {
	if v.Type == gjson.Null {
		return
	}
	if !v.IsObject() {
		p.err = wrongType("stream_options", "an object", v)
		return
	}
	found := 0
	v.ForEach(func(key, v gjson.Result) bool {
		if strings.EqualFold(key.Str, "include_usage") {
			found++
			p.b.StreamUsage = p.flag("stream_options.include_usage", v)
		}
		return p.err == nil
	})
	if found > 1 {
		p.err = invalid("stream_options.include_usage", "Duplicate parameter: 'stream_options.include_usage' may be given once.")
	}
}

func (p *parser) tools(key string, v gjson.Result) {
	if v.Type == gjson.Null {
		return
	}
	if !v.IsArray() {
		p.err = wrongType(key, "an array", v)
		return
	}
	p.b.ToolText += v.Raw
	v.ForEach(func(_, tool gjson.Result) bool {
		switch typ := tool.Get("type").Str; {
		case !tool.IsObject():
			p.err = wrongType(key, "an array of objects", tool)
		case key == "functions", typ == "", typ == "function", typ == "custom":
			p.b.Tools++
		default:
			p.b.ServerTools = append(p.b.ServerTools, typ)
		}
		return p.err == nil
	})
}

func (p *parser) schema(v gjson.Result) {
	switch v.Get("type").Str {
	case "json_object":
		p.b.JSONOnly = true
	case "json_schema":
		p.b.SchemaText = v.Get("json_schema").Raw
	}
}
