//go:build data

package estimate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

func dataRoot() string {
	if dir := os.Getenv("FARTHING_DATA"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "shared", "data")
}

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

// Every recorded OpenAI chat request with reported usage: the bound is never
// below what was billed, and the likely figure is near it.
func TestRecordedPrompts(t *testing.T) {
	oracle, err := os.ReadFile(filepath.Join(dataRoot(), "cassettes", "usage_oracle.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	compared, off := 0, 0
	for line := range bytes.Lines(oracle) {
		entry := gjson.ParseBytes(line)
		reported := entry.Get("final_usage.usage.prompt_tokens").Int()
		provider := entry.Get("provider").Str
		if entry.Get("endpoint").Str != "chat.completions" || reported == 0 {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dataRoot(), "cassettes", provider, entry.Get("id").Str+".json"))
		if err != nil {
			t.Fatal(err)
		}
		body := gjson.GetBytes(raw, "request.body")
		if body.Type == gjson.String {
			body = gjson.Parse(body.Str)
		}
		if !json.Valid([]byte(body.Raw)) || !body.Get("messages").IsArray() {
			continue
		}
		target := &providers.Target{Name: provider + "/" + body.Get("model").Str, ID: body.Get("model").Str}
		if provider == "openai" || provider == "azure" || strings.Contains(target.ID, "gpt-oss") {
			target.Facts.Encoding = encodingOf(target.ID)
		}
		est := New().Read(briefOf(body)).For(target)
		compared++
		if est.InputBound < reported && !ownPrompt[entry.Get("id").Str] {
			t.Errorf("%s %s: bound %d, billed %d", entry.Get("id").Str, target.Name, est.InputBound, reported)
		}
		if diff := est.Input - reported; max(diff, -diff) > 20+reported/4 {
			off++
		}
	}
	if compared < 20 {
		t.Fatalf("only %d recordings compared", compared)
	}
	if off*2 > compared {
		t.Errorf("%d of %d likely figures are off by more than a quarter", off, compared)
	}
	t.Logf("%d of %d likely figures are off by more than a quarter", off, compared)
}
