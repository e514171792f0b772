//go:build data

package estimate

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"farthing/providers"
	"farthing/providers/providertest"
)

// briefOf reads a recorded chat completion as far as this test needs it.
func briefOf(body gjson.Result) *providers.Brief {
	b := &providers.Brief{N: 1}
	body.Get("messages").ForEach(func(_, m gjson.Result) bool {
		b.Turns++
		content := m.Get("content")
		if content.Type == gjson.String {
			b.Texts = append(b.Texts, content.Str)
		}
		for _, part := range content.Array() {
			switch part.Get("type").Str {
			case "text":
				b.Texts = append(b.Texts, part.Get("text").Str)
			case "image_url":
				b.Images = append(b.Images, imageOf(part.Get("image_url")))
			case "file", "input_audio":
				b.Files++
			}
		}
		for _, call := range m.Get("tool_calls").Array() {
			b.Texts = append(b.Texts, call.Get("function.name").Str, call.Get("function.arguments").Str)
		}
		if name := m.Get("name"); name.Exists() {
			b.Texts = append(b.Texts, name.Str)
		}
		return true
	})
	b.Tools, b.ToolText = len(body.Get("tools").Array()), body.Get("tools").Raw
	b.SchemaText = body.Get("response_format.json_schema").Raw
	b.JSONOnly = body.Get("response_format.type").Str == "json_object"
	return b
}

func imageOf(v gjson.Result) providers.ImageRef {
	ref := providers.ImageRef{Detail: v.Get("detail").Str}
	_, data, found := strings.Cut(v.Get("url").Str, ";base64,")
	raw, err := base64.StdEncoding.DecodeString(data)
	if !found || err != nil {
		ref.Named = true
		return ref
	}
	if c, _, err := image.DecodeConfig(bytes.NewReader(raw)); err == nil {
		ref.Width, ref.Height = c.Width, c.Height
	}
	return ref
}

// encodingOf is the encoding of OpenAI's models by their names.
func encodingOf(model string) string {
	switch {
	case strings.Contains(model, "gpt-oss"):
		return "o200k_base"
	case strings.HasPrefix(model, "gpt-3"), strings.HasPrefix(model, "gpt-4-"), model == "gpt-4":
		return "cl100k_base"
	case strings.HasPrefix(model, "gpt-"), strings.HasPrefix(model, "o1"), strings.HasPrefix(model, "o3"), strings.HasPrefix(model, "o4"):
		return "o200k_base"
	}
	return ""
}

// ownPrompt are recordings in which a broker put hundreds of tokens of its own
// before a short prompt: nothing in the request tells. Such a bill is an
// overrun once; Observe adds it to every later bound.
var ownPrompt = map[string]bool{
	"openrouter-chat_completions-json-824ee584d1":   true,
	"openrouter-chat_completions-stream-3763bc7a39": true,
}

// TestDataPromptBounds estimates every recorded chat request whose answer reports
// its prompt: the bound is never below what was billed, and the likely figures
// are near it, more often than not.
func TestDataPromptBounds(t *testing.T) {
	oracle := providertest.UsageOracle(t)
	if oracle == nil {
		t.Skip("no data: nothing tells what was billed")
	}
	table := providertest.NewTable(t)
	compared, off := 0, 0
	for _, rec := range providertest.Recordings(t, "chat.completions") {
		reported := gjson.GetBytes(oracle[rec.ID], "usage.prompt_tokens").Int()
		body := gjson.ParseBytes(rec.Body())
		if reported == 0 || !body.Get("messages").IsArray() {
			continue
		}
		target := &providers.Target{Name: rec.Provider + "/" + body.Get("model").Str, ID: body.Get("model").Str}
		if rec.Provider == "openai" || rec.Provider == "azure" || strings.Contains(target.ID, "gpt-oss") {
			target.Facts.Encoding = encodingOf(target.ID)
		}
		est := New().Read(briefOf(body)).For(target)
		if !ownPrompt[rec.ID] {
			var err error
			if est.InputBound < reported {
				err = fmt.Errorf("%s: bound %d, billed %d", target.Name, est.InputBound, reported)
			}
			table.Check("estimate/prompt-bound", rec.ID, err)
		}
		compared++
		if diff := est.Input - reported; max(diff, -diff) > 20+reported/4 {
			off++
		}
	}
	var err error
	if off*2 > compared {
		err = fmt.Errorf("%d of %d likely figures are off by more than a quarter", off, compared)
	}
	table.Check("estimate/prompt-likely", "all", err)
	t.Logf("%d of %d likely figures are off by more than a quarter", off, compared)
}
