package translate

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/providertest"
	"farthing/providers/sse"
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
	want := []providers.PartKind{providers.PartText, providers.PartText, providers.PartReasoning, providers.PartToolCall, providers.PartOther,
		providers.PartToolResult, providers.PartToolResult, providers.PartText, providers.PartRefusal}
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
	req := &providers.Request{Model: "m", MaxOutput: 9, Stream: true, StreamUsage: true, Temperature: &half, Parallel: &yes, Stop: []string{"x"}, Effort: "low",
		ToolChoice: providers.ToolChoice{Mode: "required", Raw: json.RawMessage(`{"type":"any"}`)},
		Tools:      []providers.Tool{{Name: "f", Parameters: json.RawMessage(`{}`), Raw: json.RawMessage(`{"name":"f","input_schema":{}}`)}},
		Schema:     &providers.Schema{Schema: json.RawMessage(`{"type":"object"}`), Raw: json.RawMessage(`{"type":"json_schema","schema":{}}`)},
		Turns: []providers.Turn{
			{Role: providers.RoleAssistant, Parts: []providers.Part{
				{Kind: providers.PartReasoning, Text: "secret"},
				{Kind: providers.PartOther, Opaque: &providers.Opaque{Format: providers.FormatAnthropic, Raw: json.RawMessage(`{"type":"thinking"}`)}},
				{Kind: providers.PartToolCall, ID: "1", Name: "f"}, {Kind: providers.PartToolCall, ID: "2", Name: "f", Args: json.RawMessage(`{"a":1}`)}}},
			{Role: providers.RoleUser, Parts: []providers.Part{
				{Kind: providers.PartToolResult, ID: "1", Parts: []providers.Part{{Kind: providers.PartText, Text: "r1"}}},
				{Kind: providers.PartToolResult, ID: "2", Parts: []providers.Part{{Kind: providers.PartText, Text: "r2"}}},
				{Kind: providers.PartText, Text: "and"}, {Kind: providers.PartMedia, Media: &providers.Media{Kind: "image", Type: "image/png", Data: []byte{1}}}}},
		}}
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

// TestEvents decodes every stream fixture, writes it as a stream and as a body,
// and decodes again.
func TestEvents(t *testing.T) {
	files, err := filepath.Glob("../relay/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		part := map[string]string{}
		for _, f := range a.Files {
			part[f.Name] = string(f.Data)
		}
		q := openai.KnownQuirks(strings.TrimSpace(part["row"]))
		for _, read := range providertest.Readers {
			events, err := providertest.Decode(NewDecoder(q), sse.NewReader(read(strings.NewReader(part["upstream-sse"])), 0))
			if (err != nil) != (part["error"] != "") {
				t.Errorf("%s: %v, the fixture says %q", file, err, part["error"])
			}
			if err != nil {
				continue
			}
			enc := NewEncoder(true)
			stream := append(bytes.Clone(enc.Events(events)), enc.End()...)
			again, err := providertest.Decode(NewDecoder(openai.Quirks{}), sse.NewReader(bytes.NewReader(stream), 0))
			if err != nil {
				t.Fatalf("%s: %v in\n%s", file, err, stream)
			}
			whole, err := NewDecoder(openai.Quirks{}).Body(NewEncoder(true).Body(events))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, got := range [][]providers.Event{again, whole} {
				if diff := cmp.Diff(providertest.Gather(events), providertest.Gather(got)); diff != "" {
					t.Errorf("%s: (-want +got)\n%s", file, diff)
				}
			}
		}
	}
}

// TestEncoder checks the bytes: role once, type and name of a call once, usage
// only where it was asked for.
func TestEncoder(t *testing.T) {
	events := []providers.Event{
		{Kind: providers.EventStart, ID: "i", Model: "m", Created: 5},
		{Kind: providers.EventText, Text: "a"},
		{Kind: providers.EventToolCall, Call: providers.ToolDelta{ID: "c", Name: "f", Args: "{"}},
		{Kind: providers.EventToolCall, Call: providers.ToolDelta{Args: "}"}},
		{Kind: providers.EventOther, Opaque: &providers.Opaque{Format: providers.FormatAnthropic, Raw: json.RawMessage(`{"x":1}`)}},
		{Kind: providers.EventFinish, Finish: providers.FinishToolCalls},
		{Kind: providers.EventUsage, Usage: providers.Usage{Input: 3, CacheRead: 2, Output: 4, Reasoning: 1}},
	}
	head := `data: {"id":"i","object":"chat.completion.chunk","created":5,"model":"m","choices":[`
	want := head + `{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null}]}` + "\n\n" +
		head + `{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{"}}]},"finish_reason":null}]}` + "\n\n" +
		head + `{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]},"finish_reason":null}]}` + "\n\n" +
		head + `{"index":0,"delta":{},"finish_reason":"tool_calls"}]}` + "\n\n"
	usage := head + `],"usage":{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":2,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0}}}` + "\n\n"
	for wanted, tail := range map[bool]string{false: "data: [DONE]\n\n", true: usage + "data: [DONE]\n\n"} {
		e := NewEncoder(wanted)
		if diff := cmp.Diff(want+tail, string(e.Events(events))+string(e.End())); diff != "" {
			t.Errorf("usage wanted %v: (-want +got)\n%s", wanted, diff)
		}
	}
	e := NewEncoder(true)
	out := string(e.Events([]providers.Event{{Kind: providers.EventError, Err: &providers.Error{Kind: providers.Upstream, Message: "m"}}})) + string(e.End())
	if !strings.HasPrefix(out, `data: {"error":{`) || strings.Contains(out, "[DONE]") {
		t.Errorf("an error was written as %q", out)
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
