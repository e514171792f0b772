package relay

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
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

var update = flag.Bool("update", false, "write what comes out into the fixtures")

func fixtures(t testing.TB) map[string]*txtar.Archive {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures", err)
	}
	out := map[string]*txtar.Archive{}
	for _, f := range files {
		a, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[f] = a
	}
	return out
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func fixtureRelay(a *txtar.Archive) *Relay {
	return New(openai.KnownQuirks(strings.TrimSpace(section(a, "row"))), strings.TrimSpace(section(a, "wants-usage")) == "true")
}

// TestStreams compares what the client gets, the meter and the error with the
// fixtures, however the bytes come.
func TestStreams(t *testing.T) {
	for name, a := range fixtures(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			for how, read := range providertest.Readers {
				r := fixtureRelay(a)
				out, err := providertest.Run(r, sse.NewReader(read(strings.NewReader(section(a, "upstream-sse"))), 0))
				got := map[string]string{"client-sse": string(out), "meter": meterText(r.Meter()), "error": ""}
				if err != nil {
					e := providers.AsError(err)
					got["error"] = fmt.Sprintf("%v: %s\n", e.Kind, e.Message)
				}
				if *update {
					write(t, name, a, got)
					continue
				}
				for what, text := range got {
					if diff := cmp.Diff(section(a, what), text); diff != "" {
						t.Errorf("%s, %s: (-want +got)\n%s", how, what, diff)
					}
				}
			}
		})
	}
}

func meterText(m *providers.Meter) string {
	b, err := json.MarshalIndent(struct {
		providers.Meter
		Text string
	}{*m, string(m.Text)}, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b) + "\n"
}

func write(t *testing.T, name string, a *txtar.Archive, got map[string]string) {
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if _, made := got[f.Name]; !made {
			out.Files = append(out.Files, f)
		}
	}
	for _, what := range []string{"client-sse", "meter", "error"} {
		out.Files = append(out.Files, txtar.File{Name: what, Data: []byte(got[what])})
	}
	if err := os.WriteFile(name, txtar.Format(out), 0o644); err != nil {
		t.Fatal(err)
	}
}

const stream = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"content":"Grüße, 世界 😀"},"finish_reason":null}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":{"content":"!"},"finish_reason":"stop"}]}

data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}

data: [DONE]

`

const answer = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}`

func TestSuite(t *testing.T) {
	providertest.Suite(t, providertest.Format{
		Stream: []byte(stream), Text: "Grüße, 世界 😀!", Body: []byte(answer),
		NewRelay:   func() providertest.Relay { return New(openai.KnownQuirks("openai"), true) },
		ParseError: openai.ParseError, ErrorBody: openai.ErrorBody,
		Envelopes: []string{
			`{"error":{"message":"boom","type":"invalid_request_error","code":null,"param":"x"}}`,
			`{"type":"error","error":{"type":"overloaded_error","message":"boom"},"request_id":"r"}`,
			`[{"error":{"code":429,"message":"boom","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"3s"}]}}]`,
			`{"detail":"boom"}`, `{"detail":[{"msg":"boom"}]}`, `{"id":"1","message":"boom"}`, `{"code":"x","error":"boom"}`, `{"error":"boom"}`,
		},
	})
}

// TestUnclosed: what the client gets ends with a blank line although the stream
// did not, so that what is added behind it is an event of its own.
func TestUnclosed(t *testing.T) {
	const chunk = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}`
	for _, c := range []struct{ row, in, want string }{
		{"openai", chunk + "\n\ndata: [DONE]", chunk + "\n\ndata: [DONE]\n\n"},
		{"openai", chunk + "\n\ndata: [DONE]\n", chunk + "\n\ndata: [DONE]\n\n"},
		{"openai", chunk + "\r\n\r\ndata: [DONE]\r\n", chunk + "\r\n\r\ndata: [DONE]\r\n\n"},
		{"openai", chunk + "\r\n\r\ndata: [DONE]\r\n\r\n", chunk + "\r\n\r\ndata: [DONE]\r\n\r\n"},
		{"openai", chunk + "\n\ndata: [DONE]\n\n\n", chunk + "\n\ndata: [DONE]\n\n\n"},
		{"perplexity", chunk, chunk + "\n\ndata: [DONE]\n\n"},
		{"perplexity", chunk + "\n", chunk + "\n\ndata: [DONE]\n\n"},
		{"openai", `data: {"error":{"message":"boom"}}`, "data: {\"error\":{\"message\":\"boom\"}}\n\n"},
	} {
		for how, read := range providertest.Readers {
			out, _ := providertest.Run(New(openai.KnownQuirks(c.row), false), sse.NewReader(read(strings.NewReader(c.in)), 0))
			if string(out) != c.want {
				t.Errorf("%s, %q:\n got %q\nwant %q", how, c.in, out, c.want)
			}
		}
	}
}

func TestBody(t *testing.T) {
	for _, c := range []struct{ row, in, out, repairs string }{
		{
			"snowflake", `{"choices":[{"index":0,"message":{"content":"a","tool_calls":null},"finish_reason":""}]}`,
			`{"choices":[{"index":0,"message":{"content":"a","tool_calls":null},"finish_reason":"stop"}]}`, "finish_reason",
		},
		{
			"snowflake", `{"choices":[{"message":{}}, {"index":1,"finish_reason":null,"message":{"tool_calls":[{"id":"x"}]}}]}`,
			`{"choices":[{"finish_reason":"stop","message":{}}, {"index":1,"finish_reason":"tool_calls","message":{"tool_calls":[{"id":"x"}]}}]}`, "finish_reason",
		},
		{
			"mistral", `{"choices":[{"message":{"tool_calls":[{"id":"x","function":{}},{"id":"y","type":"function"}]},"finish_reason":"tool_calls"}]}`,
			`{"choices":[{"message":{"tool_calls":[{"type":"function","id":"x","function":{}},{"id":"y","type":"function"}]},"finish_reason":"tool_calls"}]}`, "tool_type",
		},
		{"cloudflare", "{\"choices\":[{\"message\":{ },\"finish_reason\":\"stop\"}]}\n", "{\"choices\":[{\"message\":{\"role\":\"assistant\" },\"finish_reason\":\"stop\"}]}\n", "role"},
		{"openai", ` {"choices":[{"message":{},"finish_reason":"stop"}]} `, ` {"choices":[{"message":{},"finish_reason":"stop"}]} `, ""},
	} {
		r := New(openai.KnownQuirks(c.row), false)
		out, err := r.Body([]byte(c.in))
		if err != nil || string(out) != c.out || strings.Join(r.Meter().Repairs, " ") != c.repairs {
			t.Errorf("%s:\n got %s\nwant %s (%v, repairs %v)", c.row, out, c.out, err, r.Meter().Repairs)
		}
	}
	for body, kind := range map[string]providers.Kind{
		`{"error":{"message":"boom","code":429}}`: providers.RateLimited,
		`{"error":{"message":"boom","code":"x"}}`: providers.Upstream,
		`{"error":{"type":"overloaded_error"}}`:   providers.Unavailable,
		`{"choices":[]}`:                          providers.Upstream,
		`{"choices":null}`:                        providers.Upstream,
		`<html>`:                                  providers.Upstream,
		`[]`:                                      providers.Upstream,
		strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6): providers.Upstream,
	} {
		out, err := New(openai.Quirks{}, false).Body([]byte(body))
		if err == nil || out != nil || providers.AsError(err).Kind != kind {
			t.Errorf("%.60s: %q, %v, want kind %v", body, out, err, kind)
		}
	}
}

func TestUsage(t *testing.T) {
	type u = providers.Usage
	for _, c := range []struct {
		name, in string
		q        openai.Quirks
		want     u
	}{
		{"cached beyond the prompt", `{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":30}}`, openai.Quirks{}, u{CacheRead: 10, Output: 1}},
		{"read and written", `{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":8,"cache_write_tokens":8}}`, openai.Quirks{}, u{CacheRead: 8, CacheWrite5m: 2, Output: 1}},
		{"image under cache", `{"prompt_tokens":504,"completion_tokens":91,"prompt_tokens_details":{"cached_tokens":370,"text_tokens":248,"image_tokens":256}}`, openai.Quirks{}, u{CacheRead: 370, ImageIn: 134, Output: 91}},
		{"audio", `{"prompt_tokens":9,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":1,"audio_tokens":2},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":4}}`, openai.Quirks{}, u{Input: 6, CacheRead: 1, AudioIn: 2, Output: 6, Reasoning: 3, AudioOut: 4}},
		{"beside the prompt", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":45,"cache_read_input_tokens":20,"cache_creation_input_tokens":10}`, openai.Quirks{}, u{Input: 10, CacheRead: 20, CacheWrite5m: 10, Output: 5}},
		{"inside the prompt", `{"prompt_tokens":40,"completion_tokens":5,"total_tokens":45,"cache_read_input_tokens":20,"cache_creation_input_tokens":10}`, openai.Quirks{}, u{Input: 10, CacheRead: 20, CacheWrite5m: 10, Output: 5}},
		{"reasoning beside", `{"prompt_tokens":10,"completion_tokens":5,"total_tokens":22,"prompt_tokens_details":{"cached_tokens":7},"completion_tokens_details":{"reasoning_tokens":7}}`, openai.Quirks{Reasoning: openai.ReasoningOutside}, u{Input: 3, CacheRead: 7, Output: 12, Reasoning: 7}},
		{"reasoning in total", `{"prompt_tokens":66,"completion_tokens":6,"total_tokens":100}`, openai.Quirks{Reasoning: openai.ReasoningInTotal}, u{Input: 66, Output: 34, Reasoning: 28}},
		{"reasoning beyond the output", `{"prompt_tokens":43,"completion_tokens":10,"completion_tokens_details":{"reasoning_tokens":11}}`, openai.Quirks{}, u{Input: 43, Output: 10, Reasoning: 10}},
		{"negative", `{"prompt_tokens":-5,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":-3}}`, openai.Quirks{}, u{Output: 7}},
		{"absurd", `{"prompt_tokens":1e300,"completion_tokens":9223372036854775807}`, openai.Quirks{}, u{Input: maxCount, Output: maxCount}},
		{"total alone", `{"prompt_tokens":10,"total_tokens":14}`, openai.Quirks{}, u{Input: 10, Output: 4}},
		{"deep research", `{"prompt_tokens":33,"completion_tokens":70,"total_tokens":103,"citation_tokens":200,"num_search_queries":18,"reasoning_tokens":700,"search_context_size":"high"}`, openai.KnownQuirks("perplexity"), u{Input: 33, Output: 770, Reasoning: 700, WebSearches: 18, SearchSize: "high", Citations: 200}},
		{"details null", `{"prompt_tokens":3,"completion_tokens":4,"prompt_tokens_details":null,"completion_tokens_details":null}`, openai.Quirks{}, u{Input: 3, Output: 4}},
	} {
		r := New(c.q, true)
		if _, err := r.Body([]byte(`{"choices":[{"message":{},"finish_reason":"stop"}],"usage":` + c.in + `}`)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, r.Meter().Usage); diff != "" || !r.Meter().HasUsage {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
	for _, none := range []string{`{}`, `{"prompt_tokens":4}`, `{"prompt_tokens":4,"completion_tokens":null,"total_tokens":null}`, `{"prompt_tokens":0,"completion_tokens":0}`, `null`, `7`} {
		r := New(openai.Quirks{}, true)
		if _, err := r.Body([]byte(`{"choices":[{"message":{},"finish_reason":"stop"}],"usage":` + none + `}`)); err != nil || r.Meter().HasUsage {
			t.Errorf("%s: usage %+v, %v", none, r.Meter().Usage, err)
		}
	}
}

func TestCost(t *testing.T) {
	for _, c := range []struct {
		field openai.Cost
		usage string
		want  providers.Money
		none  bool
	}{
		{openai.CostUSD, `"cost":0.0004970133333333333`, 497014, false},
		{openai.CostUSD, `"cost":5.37e-06`, 5370, false},
		{openai.CostUSD, `"cost":0`, 0, false},
		{openai.CostUSD, `"cost":-1`, 0, true},
		{openai.CostUSD, `"cost":null`, 0, true},
		{openai.CostUSD, `"cost":1e999`, 0, true},
		{openai.CostUSD, `"cost":{"total_cost":1}`, 0, true},
		{openai.CostTotal, `"cost":{"total_cost":0.00503}`, 5030000, false},
		{openai.CostTicks, `"cost_in_usd_ticks":5411000`, 541100, false},
		{openai.CostTicks, `"cost_in_usd_ticks":11`, 2, false},
		{openai.CostTicks, `"cost_in_usd_ticks":1.5`, 0, true},
		{openai.CostNone, `"cost":1`, 0, true},
	} {
		r := New(openai.Quirks{Cost: c.field}, true)
		if _, err := r.Body([]byte(`{"choices":[{"message":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,` + c.usage + `}}`)); err != nil {
			t.Fatal(err)
		}
		if got := r.Meter().Cost; (got == nil) != c.none || got != nil && *got != c.want {
			t.Errorf("%s %s: %v, want %v", c.field, c.usage, got, c.want)
		}
	}
}

func FuzzRelay(f *testing.F) {
	for _, a := range fixtures(f) {
		f.Add([]byte(section(a, "upstream-sse")), strings.TrimSpace(section(a, "row")))
	}
	f.Fuzz(func(t *testing.T, in []byte, row string) {
		r := New(openai.KnownQuirks(row), false)
		out, err := providertest.Run(r, sse.NewReader(bytes.NewReader(in), 0))
		if (err == nil) != r.Meter().Complete && err != io.EOF {
			t.Errorf("complete %v with error %v", r.Meter().Complete, err)
		}
		again := sse.NewReader(bytes.NewReader(out), 0)
		for {
			frame, err := again.Next()
			if err != nil {
				break
			}
			data := bytes.TrimSpace(frame.Data)
			if len(data) > 0 && string(data) != "[DONE]" && !openai.WellFormed(frame.Data) {
				t.Errorf("the client gets %q", frame.Raw)
			}
		}
		if body, err := New(openai.KnownQuirks(row), false).Body(in); err == nil && !openai.WellFormed(body) {
			t.Errorf("the client gets %q", body)
		}
	})
}

func BenchmarkFrame(b *testing.B) {
	for name, data := range map[string]string{
		"text": `{"id":"chatcmpl-BuBnK8LTKUtp70pLip5ZGv7HUzYPj","object":"chat.completion.chunk","created":1752731406,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_efad92c60b","choices":[{"index":0,"delta":{"content":" hello"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"kIxhMAeH0"}`,
		"tool": `{"id":"chatcmpl-BuBnK8LTKUtp70pLip5ZGv7HUzYPj","object":"chat.completion.chunk","created":1752731406,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]},"logprobs":null,"finish_reason":null}]}`,
	} {
		raw := []byte("data: " + data + "\n\n")
		frame := sse.Frame{Raw: raw, Data: raw[6 : len(raw)-2], DataAt: 6}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := New(openai.Quirks{}, false)
			for b.Loop() {
				r.meter.Text = r.meter.Text[:0]
				if _, err := r.Frame(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
