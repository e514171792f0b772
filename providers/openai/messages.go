package openai

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"farthing/providers"
	"farthing/providers/openai/picture"
)

func (p *parser) messages(v gjson.Result) {
	if !v.IsArray() {
		p.err = wrongType("messages", "an array of objects", v)
		return
	}
	v.ForEach(func(_, turn gjson.Result) bool {
		p.turn(turn)
		return p.err == nil
	})
	if p.err == nil && p.b.Turns == 0 {
		p.err = invalid("messages", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
}

// turn reads one message. Members given twice are all counted, so that the
// estimate is never below what a provider reads.
func (p *parser) turn(v gjson.Result) {
	at := p.b.Turns
	if !v.IsObject() {
		p.err = wrongType(fmt.Sprintf("messages[%d]", at), "an object", v)
		return
	}
	p.b.Turns++
	var role string
	var content gjson.Result
	thought := false
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "role":
			if role = v.Str; role == "" {
				p.err = wrongType(fmt.Sprintf("messages[%d].role", at), "a string", v)
			}
		case "content":
			content = v
			p.turnContent(at, v)
		case "name", "refusal":
			p.add(v.Str)
		case "reasoning_content", "reasoning", "reasoning_details":
			if !thought && v.Type != gjson.Null { // the same under several names
				thought = true
				p.thought(v)
			}
		case "tool_calls":
			if v.IsArray() {
				v.ForEach(func(_, call gjson.Result) bool {
					p.call(call.Get("function"))
					p.call(call.Get("custom"))
					return true
				})
			}
		case "function_call":
			p.call(v)
		}
		return p.err == nil
	})
	if p.err == nil && role == "" {
		p.err = invalid(fmt.Sprintf("messages[%d].role", at), "Missing required parameter: 'messages[%d].role'.", at)
	}
	switch role {
	case "user":
		p.lastUser = content
	case "system", "developer":
		if p.b.System == "" {
			p.b.System = joined(content)
		}
	}
}

func (p *parser) thought(v gjson.Result) {
	if v.Type == gjson.String {
		p.add(v.Str)
		return
	}
	p.add(v.Raw)
}

func (p *parser) call(v gjson.Result) {
	p.add(v.Get("name").Str)
	p.add(v.Get("arguments").Str)
	p.add(v.Get("input").Str)
}

func (p *parser) add(text string) {
	if text != "" {
		p.b.Texts = append(p.b.Texts, text)
	}
}

func (p *parser) turnContent(at int, v gjson.Result) {
	switch {
	case v.Type == gjson.Null:
	case v.Type == gjson.String, v.IsArray():
		p.content(v)
	default:
		p.err = wrongType(fmt.Sprintf("messages[%d].content", at), "one of a string or array of objects", v)
	}
}

// content reads a string or an array of parts.
func (p *parser) content(v gjson.Result) {
	if v.Type == gjson.String {
		p.add(v.Str)
		return
	}
	if v.IsArray() {
		v.ForEach(func(_, part gjson.Result) bool {
			p.part(part)
			return true
		})
	}
}

// part reads a content part by the members it has, whatever type it gives
// itself. One that nobody here knows is counted as text.
func (p *parser) part(v gjson.Result) {
	known := false
	v.ForEach(func(key, v gjson.Result) bool {
		switch {
		case v.Type == gjson.Null || key.Str == "type" || key.Str == "cache_control":
			return true
		case key.Str == "text" && v.Type == gjson.String, key.Str == "refusal":
			p.add(v.Str)
		case key.Str == "thinking":
			p.content(v)
		case key.Str == "image_url":
			p.image(v)
		case key.Str == "input_audio":
			p.file(v.Get("data").Str, "")
		case key.Str == "file":
			p.file(v.Get("file_data").Str, v.Get("file_id").Str)
		case key.Str == "audio_url", key.Str == "video_url", key.Str == "document_url":
			p.named(v)
		default:
			return true
		}
		known = true
		return true
	})
	if !known {
		p.add(v.Raw)
	}
}

// image reads an image by its data URL or by name.
func (p *parser) image(v gjson.Result) {
	url, detail := v.Str, ""
	if v.IsObject() {
		url, detail = v.Get("url").Str, v.Get("detail").Str
	}
	ref := providers.ImageRef{Detail: detail}
	if data, ok := dataURL(url); ok {
		ref.Width, ref.Height = picture.Size(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	} else {
		ref.Named = true
	}
	p.b.Images = append(p.b.Images, ref)
}

// named is a sound, a film or a document by URL.
func (p *parser) named(v gjson.Result) {
	url := v.Str
	if v.IsObject() {
		url = v.Get("url").Str
	}
	if _, ok := dataURL(url); ok {
		p.file(url, "")
		return
	}
	p.file("", url)
}

// file counts a document or a sound, by value (base64, with or without the head
// of a data URL) or by name.
func (p *parser) file(value, name string) {
	p.b.Files++
	if value == "" {
		p.b.Named = append(p.b.Named, name)
		return
	}
	if data, ok := dataURL(value); ok {
		value = data
	}
	p.b.FileBytes += int64(base64.RawStdEncoding.DecodedLen(len(strings.TrimRight(value, "="))))
}

// dataURL gives the base64 text of data:TYPE;base64,TEXT.
func dataURL(url string) (data string, ok bool) {
	if len(url) < 5 || !strings.EqualFold(url[:5], "data:") {
		return "", false
	}
	_, data, ok = strings.Cut(url, ",")
	return data, ok
}

// joined is the text of a message's content.
func joined(v gjson.Result) string {
	if v.Type == gjson.String {
		return v.Str
	}
	var texts []string
	if v.IsArray() {
		v.ForEach(func(_, part gjson.Result) bool {
			if t := part.Get("text"); t.Type == gjson.String {
				texts = append(texts, t.Str)
			}
			return true
		})
	}
	return strings.Join(texts, "\n")
}
