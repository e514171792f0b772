package translate

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

// turn writes a turn as messages: one, but for tool results, which are a message
// each.
func (w *writer) turn(t *providers.Turn) {
	var rest []providers.Part
	for i := range t.Parts {
		if p := &t.Parts[i]; p.Kind == providers.PartToolResult {
			w.result(p, t)
		} else {
			rest = append(rest, *p)
		}
	}
	if len(rest) == 0 && len(t.Parts) > 0 {
		return
	}
	w.Open('{')
	w.Str("role", string(t.Role))
	if t.Name != "" {
		w.Str("name", t.Name)
	}
	var content, calls []providers.Part
	for _, p := range rest {
		switch {
		case p.Kind == providers.PartOther && (p.Opaque == nil || p.Opaque.Format != providers.FormatOpenAI):
		case p.Kind == providers.PartToolCall, p.Kind == providers.PartOther && p.Name == "tool_calls":
			calls = append(calls, p)
		case p.Kind == providers.PartReasoning, p.Kind == providers.PartRefusal && len(p.Extra) == 0, p.Kind == providers.PartOther && p.Name != "":
			w.aside(&p)
		default:
			content = append(content, p)
		}
	}
	w.content(content)
	w.calls(calls)
	w.Fields(t.Extra)
	w.Close('}')
}

// result writes a tool's result. Kept members of a tool turn are its only
// result's.
func (w *writer) result(p *providers.Part, t *providers.Turn) {
	w.Open('{')
	w.Str("role", string(providers.RoleTool))
	if p.ID != "" {
		w.Str("tool_call_id", p.ID)
	}
	w.content(p.Parts)
	if t.Role == providers.RoleTool {
		if t.Name != "" {
			w.Str("name", t.Name)
		}
		w.Fields(t.Extra)
	}
	w.Close('}')
}

// aside writes a part that stands beside the content.
func (w *writer) aside(p *providers.Part) {
	switch {
	case p.Kind == providers.PartRefusal:
		w.Str("refusal", p.Text)
	case p.Kind == providers.PartReasoning && len(p.Extra) > 0:
		w.Str(p.Extra[0].Name, p.Text)
	case p.Opaque != nil:
		w.Raw(p.Name, p.Opaque.Raw)
	}
}

// content writes plain text as a string and anything else as an array.
func (w *writer) content(parts []providers.Part) {
	if len(parts) == 0 {
		return
	}
	w.Name("content")
	if p := parts[0]; len(parts) == 1 && p.Kind == providers.PartText && len(p.Extra) == 0 {
		w.Quote(p.Text)
		return
	}
	w.Open('[')
	for i := range parts {
		w.part(&parts[i])
	}
	w.Close(']')
}

func (w *writer) part(p *providers.Part) {
	switch p.Kind {
	case providers.PartText:
		w.typed(p, "text", gjson.AppendJSONString(nil, p.Text))
	case providers.PartRefusal:
		w.typed(p, "refusal", gjson.AppendJSONString(nil, p.Text))
	case providers.PartMedia:
		typ := map[string]string{"image": "image_url", "audio": "input_audio", "file": "file", "video": "file"}[p.Media.Kind]
		var m writer
		m.media(typ, p.Media)
		w.typed(p, typ, m.B)
	case providers.PartOther:
		if p.Opaque != nil && p.Opaque.Format == providers.FormatOpenAI {
			w.Value(p.Opaque.Raw)
		}
	}
}

// typed writes a part of type typ, whose value stands in the member of the same
// name.
func (w *writer) typed(p *providers.Part, typ string, value []byte) {
	w.Open('{')
	if _, ok := extra(p.Extra, "type"); !ok {
		w.Str("type", typ)
	}
	if _, ok := extra(p.Extra, typ); !ok {
		w.Raw(typ, value)
	}
	w.Fields(p.Extra)
	w.Close('}')
}

func (w *writer) calls(calls []providers.Part) {
	if len(calls) == 0 {
		return
	}
	w.Name("tool_calls")
	w.Open('[')
	for i := range calls {
		p := &calls[i]
		if p.Kind == providers.PartOther {
			w.Value(p.Opaque.Raw)
			continue
		}
		w.call(p)
	}
	w.Close(']')
}

func (w *writer) call(p *providers.Part) {
	w.Open('{')
	if p.ID != "" {
		w.Str("id", p.ID)
	}
	if _, ok := extra(p.Extra, "type"); !ok {
		w.Str("type", "function")
	}
	w.Name("function")
	w.Open('{')
	w.Str("name", p.Name)
	w.Str("arguments", arguments(p.Args))
	w.Close('}')
	w.Fields(p.Extra)
	w.Close('}')
}

// arguments are the call's as text; a call without any has the empty object.
func arguments(args json.RawMessage) string {
	if args == nil {
		return "{}"
	}
	return string(args)
}
