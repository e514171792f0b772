package translate

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

// decodeTurn reads a message. Its parts stand in the order in which a model
// makes them: reasoning, content, refusal, tool calls.
func decodeTurn(v gjson.Result) providers.Turn {
	t := providers.Turn{Role: providers.Role(v.Get("role").Str)}
	var reasoning, content, refusal, calls []providers.Part
	v.ForEach(func(key, v gjson.Result) bool {
		kept := v.Type == gjson.Null
		switch name := key.Str; {
		case kept, name == "role":
		case name == "name" && v.Str != "":
			t.Name = v.Str
		case name == "content":
			content, kept = decodeContent(v)
		case name == "tool_call_id" && t.Role == providers.RoleTool && v.Str != "":
		case t.Role == providers.RoleTool: // a result has nothing beside its content
			kept = true
		case name == "refusal" && v.Type == gjson.String:
			refusal = []providers.Part{{Kind: providers.PartRefusal, Text: v.Str}}
		case (name == "reasoning_content" || name == "reasoning") && v.Type == gjson.String:
			// The part's extra field tells under which name the text stood.
			reasoning = append(reasoning, providers.Part{Kind: providers.PartReasoning, Text: v.Str, Extra: []providers.Field{{Name: name}}})
		case name == "reasoning_details":
			reasoning = append(reasoning, opaque(name, v))
		case name == "tool_calls" && v.IsArray() && len(v.Array()) > 0:
			for _, call := range v.Array() {
				calls = append(calls, decodeCall(call))
			}
		default:
			kept = true
		}
		if kept {
			t.Extra = append(t.Extra, field(key.Str, v))
		}
		return true
	})
	if t.Role == providers.RoleTool {
		content = []providers.Part{{Kind: providers.PartToolResult, ID: v.Get("tool_call_id").Str, Parts: content}}
	}
	t.Parts = append(append(append(reasoning, content...), refusal...), calls...)
	return t
}

// opaque is a part that only this format understands. Name is the member of the
// message in which it stands; "" means the content.
func opaque(name string, v gjson.Result) providers.Part {
	return providers.Part{
		Kind: providers.PartOther, Name: name,
		Opaque: &providers.Opaque{Format: providers.FormatOpenAI, Raw: json.RawMessage(v.Raw)},
	}
}

// decodeCall reads a tool call; one that is no plain function call stays as it
// is.
func decodeCall(v gjson.Result) providers.Part {
	f := v.Get("function")
	args := f.Get("arguments")
	if !f.IsObject() || len(f.Map()) != 2 || args.Type != gjson.String || f.Get("name").Type != gjson.String {
		return opaque("tool_calls", v)
	}
	p := providers.Part{Kind: providers.PartToolCall, ID: v.Get("id").Str, Name: f.Get("name").Str, Args: json.RawMessage(args.Str)}
	v.ForEach(func(key, v gjson.Result) bool {
		plain := key.Str == "id" && v.Str != "" || key.Str == "type" && v.Str == "function" || key.Str == "function"
		if !plain {
			p.Extra = append(p.Extra, field(key.Str, v))
		}
		return true
	})
	return p
}

// decodeContent reads a message's content. kept says that the parts do not say
// all.
func decodeContent(v gjson.Result) (parts []providers.Part, kept bool) {
	if v.Type == gjson.String {
		return []providers.Part{{Kind: providers.PartText, Text: v.Str}}, false
	}
	for _, part := range v.Array() {
		parts = append(parts, decodePart(part))
	}
	return parts, len(parts) == 0
}

// decodePart reads one content part. Its members that have no field, the type
// among them, are kept: so a text in an array differs from a plain string.
func decodePart(v gjson.Result) providers.Part {
	p := providers.Part{Kind: providers.PartOther}
	typ := v.Get("type").Str
	switch typ {
	case "text":
		if m := v.Get(typ); m.Type == gjson.String {
			p = providers.Part{Kind: providers.PartText, Text: m.Str}
		}
	case "refusal":
		if m := v.Get(typ); m.Type == gjson.String {
			p = providers.Part{Kind: providers.PartRefusal, Text: m.Str}
		}
	case "image_url", "input_audio", "file":
		if media := decodeMedia(typ, v.Get(typ)); media != nil {
			p = providers.Part{Kind: providers.PartMedia, Media: media}
		}
	}
	if p.Kind == providers.PartOther {
		return opaque("", v)
	}
	v.ForEach(func(key, member gjson.Result) bool {
		if key.Str != typ || p.Kind == providers.PartMedia && !faithful(p.Media, typ, member) {
			p.Extra = append(p.Extra, field(key.Str, member))
		}
		return true
	})
	return p
}

func decodeMedia(typ string, v gjson.Result) *providers.Media {
	m := &providers.Media{}
	switch typ {
	case "image_url":
		m.Kind, m.Detail = "image", v.Get("detail").Str
		url := v.Get("url").Str
		if v.Type == gjson.String {
			url = v.Str
		}
		if m.Type, m.Data = decodeDataURL(url); m.Data == nil {
			m.URL = url
		}
	case "input_audio":
		m.Kind, m.Type = "audio", "audio/"+v.Get("format").Str
		m.Data, _ = base64.StdEncoding.DecodeString(v.Get("data").Str)
	case "file":
		m.Kind, m.Name, m.FileID = "file", v.Get("filename").Str, v.Get("file_id").Str
		m.Type, m.Data = decodeDataURL(v.Get("file_data").Str)
	}
	if m.URL == "" && m.FileID == "" && m.Data == nil {
		return nil
	}
	return m
}

// decodeDataURL reads data:TYPE;base64,DATA; anything else gives nil.
func decodeDataURL(url string) (typ string, data []byte) {
	head, text, ok := strings.Cut(url, ",")
	typ, isData := strings.CutPrefix(head, "data:")
	typ, isBase64 := strings.CutSuffix(typ, ";base64")
	if !ok || !isData || !isBase64 {
		return "", nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", nil
	}
	return typ, data
}

// faithful says whether media would be written just as v says it.
func faithful(m *providers.Media, typ string, v gjson.Result) bool {
	var w writer
	w.media(typ, m)
	written := gjson.ParseBytes(w.B)
	if !v.IsObject() || len(v.Map()) != len(written.Map()) {
		return false
	}
	same := true
	written.ForEach(func(key, w gjson.Result) bool {
		same = same && v.Get(gjson.Escape(key.Str)).String() == w.String()
		return same
	})
	return same
}
