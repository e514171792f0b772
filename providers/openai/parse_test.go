package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"farthing/providers"
)

func requests(t testing.TB) map[string][]byte {
	files, err := filepath.Glob("testdata/request/*.json")
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

func TestParse(t *testing.T) {
	all := requests(t)
	for _, c := range []struct {
		file string
		want providers.Brief
	}{
		{"plain.json", providers.Brief{Model: "m", N: 1, Turns: 1, Texts: []string{"Hi"}, LastUser: "Hi"}},
		{"spaced.json", providers.Brief{Model: "m", N: 1, Turns: 1, Texts: []string{"Hi"}, LastUser: "Hi", Stream: true}},
		{"escaped.json", providers.Brief{Model: "max", N: 1, Turns: 1, Texts: []string{"a\n\"b\" 😀"}, LastUser: "a\n\"b\" 😀", MaxOutput: 5}},
		{"nulls.json", providers.Brief{Model: "m", N: 1, Turns: 1, Texts: []string{"Hi"}, LastUser: "Hi"}},
		{"limits.json", providers.Brief{Model: "m", N: 2, Turns: 1, Texts: []string{"Hi"}, LastUser: "Hi", MaxOutput: 7, Tier: "auto", User: "u", Effort: "low"}},
		{"tools.json", providers.Brief{
			Model: "m", N: 1, Turns: 6, Stream: true, StreamUsage: true,
			Texts: []string{"Be brief.", "ann", "Weather?", "hm", "w", `{"c":"Rome"}`, "x", "y", "20", "30", "no"}, LastUser: "Weather?", System: "Be brief.",
			Tools: 1, ServerTools: []string{"web_search"}, SchemaText: `{"name": "n", "schema": {"type": "object"}, "strict": true}`,
			ToolText: `[{"type": "function", "function": {"name": "w", "description": "weather", "parameters": {"type": "object"}, "strict": true}}, {"type": "web_search"}]`,
		}},
		{"media.json", providers.Brief{
			Model: "m", N: 1, Turns: 2, LastUser: "See", Files: 4, FileBytes: 7, Named: []string{"file-1", "https://example.com/v.mp4"},
			Texts:  []string{"See", `{"type": "novel", "novel": {"a": 1}}`, "no", "r", "f", "{}"},
			Images: []providers.ImageRef{{Detail: "low", Width: 3, Height: 2}, {Named: true}, {Named: true}},
		}},
	} {
		got, err := Parse(all[c.file])
		if err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		c.want.Body = all[c.file]
		if diff := cmp.Diff(&c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.file, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	with := func(member string) string {
		return `{"model":"m","messages":[{"role":"user","content":"Hi"}],` + member + `}`
	}
	for _, c := range []struct{ body, param, message string }{
		{"", "", "could not parse"},
		{"{", "", "could not parse"},
		{`[]`, "", "JSON object"},
		{`"x"`, "", "JSON object"},
		{`null`, "", "JSON object"},
		{`{"model":"m","messages":[{"role":"user","content":"Hi"}]}{}`, "", "could not parse"},
		{"{\"model\":\"\xff\",\"messages\":[]}", "", "UTF-8"},
		{strings.Repeat("[", 5e6), "", "could not parse"},
		{`{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "", "could not parse"},
		{`{"messages":[{"role":"user","content":"Hi"}]}`, "model", "model"},
		{`{"model":"","messages":[{"role":"user"}]}`, "model", "model"},
		{`{"model":7,"messages":[{"role":"user"}]}`, "model", "expected a string, but got a number"},
		{`{"model":"m"}`, "messages", "Missing required parameter"},
		{`{"model":"m","messages":[]}`, "messages", "empty array"},
		{`{"model":"m","messages":{}}`, "messages", "expected an array"},
		{`{"model":"m","messages":null}`, "messages", "expected an array"},
		{`{"model":"m","messages":[7]}`, "messages[0]", "expected an object"},
		{`{"model":"m","messages":[{"content":"x"}]}`, "messages[0].role", "Missing"},
		{`{"model":"m","messages":[{"role":7}]}`, "messages[0].role", "expected a string"},
		{`{"model":"m","messages":[{"role":"user","content":7}]}`, "messages[0].content", "string or array"},
		{`{"model":"m","input":"Hi"}`, "messages", "Responses"},
		{with(`"max_tokens":-1`), "max_tokens", "below minimum"},
		{with(`"max_tokens":1.5`), "max_tokens", "decimal"},
		{with(`"max_tokens":"5"`), "max_tokens", "expected an integer, but got a string"},
		{with(`"max_tokens":1e3`), "max_tokens", "decimal"},
		{with(`"max_completion_tokens":99999999999999999999`), "max_completion_tokens", "above maximum"},
		{with(`"max_tokens":2147483649`), "max_tokens", "above maximum"},
		{with(`"n":0`), "n", "below minimum"},
		{with(`"n":129`), "n", "above maximum"},
		{with(`"n":[]`), "n", "got an array"},
		{with(`"stream":"true"`), "stream", "expected a boolean"},
		{with(`"stream":1`), "stream", "expected a boolean"},
		{with(`"stream_options":[]`), "stream_options", "expected an object"},
		{with(`"stream_options":{"include_usage":1}`), "stream_options.include_usage", "boolean"},
		{with(`"stream_options":{"include_usage":false,"include_usage":true}`), "stream_options.include_usage", "Duplicate"},
		{with(`"service_tier":5`), "service_tier", "expected a string"},
		{with(`"tools":{}`), "tools", "expected an array"},
		{with(`"tools":[1]`), "tools", "array of objects"},
		{with(`"model":"x"`), "model", "Duplicate"},
		{with(`"mod\u0065l":"x"`), "model", "Duplicate"},
		{with(`"messages":[]`), "messages", "Duplicate"},
		{with(`"stream":true,"stream":false`), "stream", "Duplicate"},
		{with(`"n":1,"n":5`), "n", "Duplicate"},
		{with(`"tools":[],"tools":[]`), "tools", "Duplicate"},
		{with(`"Model":"x"`), "Model", "Did you mean 'model'"},
		{with(`"max_token\u017f":5`), "max_tokenſ", "Did you mean 'max_tokens'"},
	} {
		b, err := Parse([]byte(c.body))
		e := providers.AsError(err)
		if b != nil || e.Kind != providers.Invalid || e.Param != c.param || !strings.Contains(e.Message, c.message) {
			t.Errorf("%.90s: %v: param %q message %q, want %q %q", c.body, e.Kind, e.Param, e.Message, c.param, c.message)
		}
	}
}

// TestParseMany reads a conversation of 10,000 messages.
func TestParseMany(t *testing.T) {
	b, err := Parse(many(10_000))
	if err != nil || b.Turns != 10_000 || len(b.Texts) != 10_000 {
		t.Fatalf("%v, %v", b, err)
	}
}

func many(n int) []byte {
	turn := `{"role":"user","content":"one of many \"messages\""}`
	return []byte(`{"model":"m","messages":[` + strings.Repeat(turn+",", n-1) + turn + `]}`)
}

func TestSplice(t *testing.T) {
	for _, c := range []struct {
		in   string
		e    providers.Edits
		want string
	}{
		{`{"model":"a","messages":[]}`, providers.Edits{}, `{"model":"a","messages":[]}`},
		{`{"model":"a","messages":[]}`, providers.Edits{Model: `b"\/é`}, `{"model":"b\"\\/é","messages":[]}`},
		{
			" { \"mod\\u0065l\" : \"a\" }\n",
			providers.Edits{Model: "b", MaxOutput: 9, Tier: "flex", StreamUsage: true},
			" { \"mod\\u0065l\" : \"b\" ,\"stream_options\":{\"include_usage\":true},\"max_tokens\":9,\"service_tier\":\"flex\"}\n",
		},
		{`{"model":"a"}`, providers.Edits{MaxOutput: 9, OutputField: "max_completion_tokens"}, `{"model":"a","max_completion_tokens":9}`},
		{`{"max_tokens":100,"model":"a"}`, providers.Edits{MaxOutput: 9, OutputField: "max_completion_tokens"}, `{"max_tokens":9,"model":"a"}`},
		{`{"max_tokens":100,"model":"a","max_completion_tokens":5}`, providers.Edits{MaxOutput: 9}, `{"max_tokens":9,"model":"a","max_completion_tokens":9}`},
		{`{"max_tokens":null,"model":"a"}`, providers.Edits{MaxOutput: 9}, `{"max_tokens":9,"model":"a"}`},
		{`{"max_tokens":null,"model":"a"}`, providers.Edits{MaxOutput: 9, OutputField: "max_completion_tokens"}, `{"max_tokens":null,"model":"a","max_completion_tokens":9}`},
		{`{"stream_options":{},"model":"a"}`, providers.Edits{StreamUsage: true}, `{"stream_options":{"include_usage":true},"model":"a"}`},
		{`{"stream_options":null,"model":"a"}`, providers.Edits{StreamUsage: true}, `{"stream_options":{"include_usage":true},"model":"a"}`},
		{`{"stream_options":{"x":1},"model":"a"}`, providers.Edits{StreamUsage: true}, `{"stream_options":{"include_usage":true,"x":1},"model":"a"}`},
		{`{"stream_options":{"x":1,"include_\u0075sage":false},"model":"a"}`, providers.Edits{StreamUsage: true}, `{"stream_options":{"x":1,"include_\u0075sage":true},"model":"a"}`},
		{`{"service_tier":"auto","model":"a","messages":[{"model":"x","max_tokens":1}]}`, providers.Edits{Tier: "default", Model: "b"}, `{"service_tier":"default","model":"b","messages":[{"model":"x","max_tokens":1}]}`},
	} {
		in := []byte(c.in)
		if got := Splice(in, c.e); string(got) != c.want {
			t.Errorf("%s with %+v:\n got %s\nwant %s", c.in, c.e, got, c.want)
		}
		if string(in) != c.in {
			t.Errorf("the client's bytes were changed to %s", in)
		}
	}
	body := requests(t)["tools.json"]
	if n := testing.AllocsPerRun(100, func() {
		Splice(body, providers.Edits{Model: "b", MaxOutput: 5, StreamUsage: true})
	}); n > 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, b := range requests(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := Parse(body)
		if err != nil {
			if e := providers.AsError(err); e.Kind != providers.Invalid || e.Message == "" || !json.Valid(ErrorBody(e)) {
				t.Errorf("refused with %#v", e)
			}
			return
		}
		if b.Model == "" || b.Turns == 0 || b.N < 1 || b.MaxOutput < 0 || b.FileBytes < 0 {
			t.Errorf("accepted as %+v", b)
		}
	})
}

// FuzzSplice checks that an edited request reads the same but for the edits.
func FuzzSplice(f *testing.F) {
	for _, b := range requests(f) {
		f.Add(b, "other/model", int64(17), true, "flex")
	}
	f.Fuzz(func(t *testing.T, body []byte, model string, limit int64, usage bool, tier string) {
		before, err := Parse(body)
		e := providers.Edits{Model: strings.ToValidUTF8(model, "?"), MaxOutput: min(max(limit, 0), maxLimit), StreamUsage: usage, Tier: strings.ToValidUTF8(tier, "?")}
		if err != nil {
			return
		}
		kept := bytes.Clone(body)
		out := Splice(body, e)
		if !bytes.Equal(kept, body) {
			t.Fatal("the client's bytes were changed")
		}
		after, err := Parse(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		want := *before
		want.Body = out
		if e.Model != "" {
			want.Model = e.Model
		}
		if e.MaxOutput > 0 {
			want.MaxOutput = e.MaxOutput
		}
		if e.Tier != "" {
			want.Tier = e.Tier
		}
		want.StreamUsage = want.StreamUsage || e.StreamUsage
		if diff := cmp.Diff(&want, after); diff != "" {
			t.Fatalf("%s\n%s", out, diff)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, size := range []int{1, 40, 10_000} {
		body := many(size)
		if size == 1 {
			body = []byte(`{"model":"gpt-4o","stream":true,"temperature":0.2,"messages":[{"role":"system","content":"You are helpful."},{"role":"user","content":"` + strings.Repeat("some words of text ", 200) + `"}]}`)
		}
		b.Run(fmt.Sprintf("%d messages, %d bytes", size, len(body)), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := Parse(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSplice(b *testing.B) {
	body := []byte(`{"model":"gpt-4o","stream":true,"temperature":0.2,"messages":[{"role":"system","content":"You are helpful."},{"role":"user","content":"` + strings.Repeat("some words of text ", 200) + `"}]}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		Splice(body, providers.Edits{Model: "gpt-4o-2024-08-06", MaxOutput: 500, StreamUsage: true})
	}
}
