package translate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"farthing/providers"
	"farthing/providers/providertest"
)

func requests(t testing.TB) map[string][]byte {
	files, err := filepath.Glob("../testdata/request/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures", err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		if out[filepath.Base(f)], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestRequestRound decodes and encodes: equal meaning.
func TestRequestRound(t *testing.T) {
	for name, body := range requests(t) {
		req, err := DecodeRequest(body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out, err := EncodeRequest(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := providertest.SameJSON(body, out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeRequest(t *testing.T) {
	req, err := DecodeRequest(requests(t)["tools.json"])
	if err != nil {
		t.Fatal(err)
	}
	var kinds []providers.PartKind
	for _, turn := range req.Turns {
		for _, p := range turn.Parts {
			kinds = append(kinds, p.Kind)
		}
	}
	want := []providers.PartKind{
		providers.PartText, providers.PartText, providers.PartReasoning, providers.PartToolCall, providers.PartOther,
		providers.PartToolResult, providers.PartToolResult, providers.PartText, providers.PartRefusal,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
	call, result := req.Turns[2].Parts[1], req.Turns[3].Parts[0]
	if call.ID != "c1" || call.Name != "w" || string(call.Args) != `{"c":"Rome"}` || result.ID != "c1" || result.Parts[0].Text != "20" {
		t.Errorf("call %+v, result %+v", call, result)
	}
	if tool := req.Tools[0]; tool.Name != "w" || tool.Description != "weather" || string(tool.Parameters) != `{"type": "object"}` || !*tool.Strict || req.Tools[1].Server != "web_search" {
		t.Errorf("tools %+v", req.Tools)
	}
	if !req.Stream || !req.StreamUsage || req.ToolChoice.Mode != "tool" || req.ToolChoice.Name != "w" || req.Schema.Name != "n" {
		t.Errorf("%+v", req)
	}
	req, err = DecodeRequest(requests(t)["media.json"])
	if err != nil {
		t.Fatal(err)
	}
	m := req.Turns[0].Parts
	if m[1].Media.Type != "image/png" || len(m[1].Media.Data) == 0 || m[1].Media.Detail != "low" || m[3].Media.URL != "https://example.com/b.png" ||
		m[4].Media.Type != "audio/wav" || m[5].Media.Name != "a.pdf" || m[6].Media.FileID != "file-1" {
		t.Errorf("media %+v", m)
	}
	if _, err := DecodeRequest([]byte(`{"model":"m"}`)); providers.AsError(err).Kind != providers.Invalid {
		t.Errorf("a request without messages: %v", err)
	}
}

// TestEncodeForeign writes a request that came from another format: nothing of
// that format's own may leak, and one turn may hold several results.
func TestEncodeForeign(t *testing.T) {
	half, yes := 0.5, true
	req := &providers.Request{
		Model: "m", MaxOutput: 9, Stream: true, StreamUsage: true, Temperature: &half, Parallel: &yes, Stop: []string{"x"}, Effort: "low",
		ToolChoice: providers.ToolChoice{Mode: "required", Raw: json.RawMessage(`{"type":"any"}`)},
		Tools:      []providers.Tool{{Name: "f", Parameters: json.RawMessage(`{}`), Raw: json.RawMessage(`{"name":"f","input_schema":{}}`)}},
		Schema:     &providers.Schema{Schema: json.RawMessage(`{"type":"object"}`), Raw: json.RawMessage(`{"type":"json_schema","schema":{}}`)},
		Turns: []providers.Turn{
			{Role: providers.RoleAssistant, Parts: []providers.Part{
				{Kind: providers.PartReasoning, Text: "secret"},
				{Kind: providers.PartOther, Opaque: &providers.Opaque{Format: providers.FormatAnthropic, Raw: json.RawMessage(`{"type":"thinking"}`)}},
				{Kind: providers.PartToolCall, ID: "1", Name: "f"},
				{Kind: providers.PartToolCall, ID: "2", Name: "f", Args: json.RawMessage(`{"a":1}`)},
			}},
			{Role: providers.RoleUser, Parts: []providers.Part{
				{Kind: providers.PartToolResult, ID: "1", Parts: []providers.Part{{Kind: providers.PartText, Text: "r1"}}},
				{Kind: providers.PartToolResult, ID: "2", Parts: []providers.Part{{Kind: providers.PartText, Text: "r2"}}},
				{Kind: providers.PartText, Text: "and"},
				{Kind: providers.PartMedia, Media: &providers.Media{Kind: "image", Type: "image/png", Data: []byte{1}}},
			}},
		},
	}
	out, err := EncodeRequest(req)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"model":"m","max_tokens":9,"stream":true,"stream_options":{"include_usage":true},"temperature":0.5,"parallel_tool_calls":true,"stop":["x"],"reasoning_effort":"low",
	"tool_choice":"required","tools":[{"type":"function","function":{"name":"f","parameters":{}}}],
	"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}},
	"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"2","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
	{"role":"tool","tool_call_id":"1","content":"r1"},{"role":"tool","tool_call_id":"2","content":"r2"},
	{"role":"user","content":[{"type":"text","text":"and"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AQ=="}}]}]}`
	if err := providertest.SameJSON([]byte(want), out); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	req.Extra = []providers.Field{{Name: "x", Raw: json.RawMessage(`{`)}}
	if _, err := EncodeRequest(req); err == nil {
		t.Error("a broken member was written")
	}
}

func FuzzRequest(f *testing.F) {
	for _, b := range requests(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := DecodeRequest(body)
		if err != nil {
			return
		}
		out, err := EncodeRequest(req)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeRequest(out)
		if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if len(again.Turns) != len(req.Turns) || again.Model != req.Model || again.MaxOutput != req.MaxOutput || again.Stream != req.Stream {
			t.Fatalf("read again as %+v", again)
		}
	})
}
