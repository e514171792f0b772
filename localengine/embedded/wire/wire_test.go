package wire

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"farthing/localengine/embedded/tokens"
)

func TestParseChat(t *testing.T) {
	got, e := ParseChat([]byte(`{"model":"demo","stream":true,"stream_options":{"include_usage":true},"max_tokens":9,"max_completion_tokens":5,
		"temperature":0.5,"top_p":0.9,"top_k":-1,"min_p":0.1,"frequency_penalty":-1,"presence_penalty":2,"seed":-1,"stop":["a","b"],"reasoning_effort":"high",
		"n":1,"tools":[],"logprobs":false,"response_format":{"type":"text"},"user":"x","store":true,
		"messages":[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"name":"x"},{"role":"assistant","content":null}]}`), "demo", 0)
	if e != nil {
		t.Fatal(e)
	}
	want := &Chat{
		Messages: []tokens.Message{{Role: "system", Text: "d"}, {Role: "user", Text: "ab"}, {Role: "assistant"}},
		Effort:   "high", Stream: true, IncludeUsage: true, MaxTokens: 5, Stops: []string{"a", "b"},
		Sampling: tokens.Sampling{Temperature: 0.5, TopP: 0.9, MinP: 0.1, Frequency: -1, Presence: 2, Seed: 1<<64 - 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	plain, e := ParseChat([]byte(`{"messages":[{"role":"user","content":"x"}],"stop":"s"}`), "m", 1)
	if e != nil || plain.Sampling.Temperature != 1 || plain.Sampling.TopP != 1 || plain.MaxTokens != 0 || plain.Stops[0] != "s" {
		t.Errorf("%+v %v", plain, e)
	}
	again, _ := ParseChat([]byte(`{"messages":[{"role":"user","content":"x"}]}`), "m", 1)
	if again.Sampling.Seed == plain.Sampling.Seed {
		t.Error("without a seed two requests have the same one")
	}
}

// No bytes that anyone can send may do worse than be refused in OpenAI's shape.
func FuzzParseChat(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"messages":[{"role":"user","content":"x"}]}`, `{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"stop":["a"],"n":1,"temperature":1}`,
		`{"messages":[{"role":"user","content":{}}]}`, "\xff", `{"model":"` + strings.Repeat("x", 300) + `"}`, `[[`, `{"max_tokens":1e999}`, `null`, `{"messages":null,"tools":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, e := ParseChat(body, "demo", 0)
		if e == nil {
			if len(c.Messages) == 0 || c.MaxTokens < 0 || c.Sampling.Temperature < 0 || c.Sampling.Temperature > 2 {
				t.Errorf("took %q as %+v", body, c)
			}
			return
		}
		w := httptest.NewRecorder()
		e.Write(w)
		if w.Code < 400 || w.Code > 499 || e.Message == "" || len(e.Message) > 400 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}

func TestStreamShape(t *testing.T) {
	for _, includeUsage := range []bool{false, true} {
		w := httptest.NewRecorder()
		s := NewStream(deadlines{w}, Completion{ID: "i", Object: "chat.completion.chunk", Created: 1, Model: "m", Fingerprint: "f"}, includeUsage)
		text := "hi"
		if err := s.Begin(); err != nil {
			t.Fatal(err)
		}
		if err := s.Add(Delta{Content: &text}); err != nil {
			t.Fatal(err)
		}
		if err := s.End("stop", NewUsage(3, 2, 1)); err != nil {
			t.Fatal(err)
		}
		head, tail, usage := `data: {"id":"i","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"f","choices":[`, "]}\n\n", ""
		if includeUsage {
			tail = `],"usage":null}` + "\n\n"
			usage = head + `],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"completion_tokens_details":{"reasoning_tokens":1}}}` + "\n\n"
		}
		want := head + `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}` + tail +
			head + `{"index":0,"delta":{"content":"hi"},"finish_reason":null}` + tail +
			head + `{"index":0,"delta":{},"finish_reason":"stop"}` + tail + usage + "data: [DONE]\n\n"
		if diff := cmp.Diff(want, w.Body.String()); diff != "" {
			t.Error(diff)
		}
		if got := w.Header().Get("Content-Type"); got != "text/event-stream" {
			t.Error(got)
		}
	}
}

// deadlines makes a recorder take write deadlines, as a connection does.
type deadlines struct{ *httptest.ResponseRecorder }

func (deadlines) SetWriteDeadline(time.Time) error { return nil }
