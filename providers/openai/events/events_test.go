package events

import (
	"bytes"
	"encoding/json"
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
