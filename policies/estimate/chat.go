package estimate

import (
	"strings"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

// The template of OpenAI's chat models, from OpenAI's cookbook "How to count
// tokens with tiktoken": three tokens frame every message, one names its role,
// and three open the answer.
const (
	messageTokens = 3
	roleTokens    = 1
	primingTokens = 3
	// extraTextTokens frames a text beyond one per message (a name, a tool
	// call's function and arguments); extraTextBound is more than was ever seen.
	extraTextTokens = 3
	extraTextBound  = 8
	// toolsTokens frames the list of functions, by the same source.
	toolsTokens = 9
	toolBound   = 32
	schemaBound = 64
	// harmonyTokens is the system message that the template of OpenAI's open
	// models adds (gpt-oss; 52 to 54 tokens in recorded requests).
	harmonyTokens = 54
	harmonyBound  = 160
)

// openAI counts a prompt for a model with a public encoding.
func (r *Request) openAI(t *providers.Target) (likely, bound int64) {
	c := r.count(t.Facts.Encoding)
	turns := int64(max(r.b.Turns, 1))
	extra := max(int64(len(r.b.Texts))-turns, 0)
	frame := turns*(messageTokens+roleTokens) + primingTokens
	likely = c.texts + frame + extra*extraTextTokens + c.schema/2 // as seen in reports
	bound = c.texts + frame + turns + extra*extraTextBound        // the first GPT-3.5 took one more a turn
	if r.b.ToolText != "" {
		likely += c.rule + toolsTokens
		bound += max(c.tools, c.rule) + toolBound*int64(r.b.Tools+1)
	}
	if r.b.SchemaText != "" || r.b.JSONOnly {
		bound += 2*c.schema + schemaBound // a schema is repeated by some models
	}
	if strings.Contains(modelName(t), "gpt-oss") {
		likely += harmonyTokens
		bound += harmonyBound
	}
	return likely, bound
}

// The template of other vendors' models, where no rule is public: what a turn
// and the whole take at most. Anthropic documents 159 to 735 tokens of hidden
// prompt with tools; open models' templates take 3 to 12 a turn.
const (
	turnTokens       = 5
	turnBound        = 16
	promptTokens     = 8
	promptBound      = 64
	hiddenToolTokens = 300
	hiddenToolBound  = 1024
)

// otherVendor counts a prompt for a model whose tokenizer is not public.
func (r *Request) otherVendor(t *providers.Target) (likely, bound int64) {
	likely = int64(float64(r.rawTokens())*r.e.factor(t)) + r.frame(t)
	texts := max(int64(len(r.b.Texts)), int64(r.b.Turns), 1)
	bound = r.bytes() + texts*turnBound + promptBound
	if r.b.ToolText != "" {
		bound += hiddenToolBound + toolBound*int64(r.b.Tools)
	}
	if r.b.SchemaText != "" || r.b.JSONOnly {
		bound += int64(len(r.b.SchemaText)) + schemaBound
	}
	return likely, bound
}

// frame is the likely template of a model whose template is not public.
func (r *Request) frame(t *providers.Target) int64 {
	n := int64(max(r.b.Turns, 1))*turnTokens + promptTokens
	if r.b.ToolText != "" && anthropic(t) {
		n += hiddenToolTokens
	}
	return n
}

// rawTokens is the o200k_base count that the learned correction multiplies.
func (r *Request) rawTokens() int64 { return r.Tokens(defaultEncoding) }

// typescript writes the functions of a raw `tools` array as OpenAI's models read
// them: not as JSON but as TypeScript (observed and published by
// hmarr/openai-chat-tokens).
func typescript(raw string) string {
	var w strings.Builder
	w.WriteString("namespace functions {\n\n")
	gjson.Parse(raw).ForEach(func(_, tool gjson.Result) bool {
		f := tool.Get("function")
		if !f.IsObject() {
			f = tool // the Responses API has the function's fields at the top
		}
		comment(&w, f.Get("description"), "")
		parameters := f.Get("parameters")
		w.WriteString("type " + f.Get("name").String())
		if len(parameters.Get("properties").Map()) == 0 {
			w.WriteString(" = () => any;\n\n")
			return true
		}
		w.WriteString(" = (_: {\n")
		properties(&w, parameters, 0)
		w.WriteString("}) => any;\n\n")
		return true
	})
	w.WriteString("} // namespace functions")
	return w.String()
}

func comment(w *strings.Builder, text gjson.Result, indent string) {
	if s := text.String(); s != "" {
		w.WriteString(indent + "// " + s + "\n")
	}
}

// deepest bounds the nesting that is followed; deeper schemas are counted to
// there, and by their bytes in the bound.
const deepest = 16

func properties(w *strings.Builder, object gjson.Result, depth int) {
	indent := strings.Repeat(" ", 2*depth)
	required := map[string]bool{}
	for _, name := range object.Get("required").Array() {
		required[name.String()] = true
	}
	object.Get("properties").ForEach(func(name, value gjson.Result) bool {
		comment(w, value.Get("description"), indent)
		w.WriteString(indent + name.String())
		if !required[name.String()] {
			w.WriteByte('?')
		}
		w.WriteString(": ")
		valueType(w, value, depth)
		w.WriteString(",\n")
		return true
	})
}

func valueType(w *strings.Builder, v gjson.Result, depth int) {
	if values := v.Get("enum").Array(); len(values) > 0 {
		for i, value := range values {
			if i > 0 {
				w.WriteString(" | ")
			}
			w.WriteString(value.Raw)
		}
		return
	}
	switch kind := v.Get("type").String(); {
	case depth >= deepest:
		w.WriteString("any")
	case kind == "array":
		valueType(w, v.Get("items"), depth+1)
		w.WriteString("[]")
	case kind == "object":
		w.WriteString("{\n")
		properties(w, v, depth+1)
		w.WriteString(strings.Repeat(" ", 2*depth) + "}")
	case kind == "integer":
		w.WriteString("number")
	case kind == "":
		w.WriteString("any")
	default:
		w.WriteString(kind)
	}
}
