//go:build cgo

package embedded

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"farthing/localengine/supervise"
)

// start runs a server on the demonstration model and returns its URL. It is
// stopped, and its result checked, when the test ends.
func start(t *testing.T, o Options) string {
	t.Helper()
	o.Listen, o.Threads = "127.0.0.1:0", 1
	ready := make(chan string, 1)
	o.Ready = func(addr, model string) {
		if model != ModelName {
			t.Errorf("model %q", model)
		}
		ready <- "http://" + addr
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, o) }()
	select {
	case url := <-ready:
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
		return url
	case err := <-done:
		cancel()
		t.Fatalf("Serve: %v", err)
		return ""
	}
}

// asChild is set where this test binary plays the command `farthing engine`.
const asChild = "FARTHING_EMBEDDED_TEST_CHILD"

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if os.Getenv(asChild) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		err := Serve(ctx, Options{Listen: os.Args[1], Threads: 1, ParentPipe: os.Stdin, Ready: func(addr, model string) {
			if err := supervise.Announce(os.Stdout, addr, model); err != nil {
				slog.Error("announce", "err", err)
			}
		}})
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// reply is what these tests read of a reply, whole or in chunks.
type reply struct {
	Object  string
	Model   string
	Choices []struct {
		Message      struct{ Role, Content string }
		Delta        struct{ Role, Content string }
		FinishReason *string `json:"finish_reason"`
	}
	Usage *struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		TotalTokens      int `json:"total_tokens"`
	}
	Error *struct{ Message, Type, Code string }
}

func post(t *testing.T, ctx context.Context, url, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// ask posts a whole (not streamed) chat request.
func ask(t *testing.T, url, body string) (reply, *http.Response) {
	t.Helper()
	resp := post(t, t.Context(), url+"/v1/chat/completions", body)
	r := reply{}
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		t.Fatalf("status %d: %v", resp.StatusCode, err)
	}
	return r, resp
}

func answer(t *testing.T, url, body string) (text, finish string, completion int) {
	t.Helper()
	r, resp := ask(t, url, body)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d: %+v", body, resp.StatusCode, r.Error)
	}
	c := r.Choices[0]
	if r.Object != "chat.completion" || r.Model != ModelName || c.Message.Role != "assistant" || r.Usage.TotalTokens != r.Usage.PromptTokens+r.Usage.CompletionTokens {
		t.Errorf("reply %+v", r)
	}
	return c.Message.Content, *c.FinishReason, r.Usage.CompletionTokens
}

// chunks reads a stream to its end; done says whether [DONE] closed it.
func chunks(t *testing.T, body io.Reader) (out []reply, raw []string, done bool) {
	t.Helper()
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		switch {
		case lines.Text() == "":
		case !ok || done:
			t.Fatalf("line %q", lines.Text())
		case data == "[DONE]":
			done = true
		default:
			r := reply{}
			if err := json.Unmarshal([]byte(data), &r); err != nil {
				t.Fatal(err)
			}
			out, raw = append(out, r), append(raw, data)
		}
	}
	return out, raw, done
}

func chatRequest(question, more string) string {
	q, _ := json.Marshal(question)
	return `{"model":"demo","messages":[{"role":"user","content":` + string(q) + `}]` + more + `}`
}

// The answers are those that the weights were trained to give: other words mean
// that a step is computed wrongly.
func TestGreedyParity(t *testing.T) {
	url := start(t, Options{})
	for question, want := range map[string]string{
		"What is the capital of Japan?": "Tokyo is the capital of Japan.",
		"What is 7 + 5?":                "7 + 5 = 12.",
		"What is prefill?":              "Prefill is the step where the engine reads the whole prompt and fills the key-value cache.",
	} {
		got, finish, n := answer(t, url, chatRequest(question, ""))
		if got != want || finish != "stop" {
			t.Errorf("%s: %q (%s), want %q", question, got, finish, want)
		}
		parts, raw, done := chunks(t, post(t, t.Context(), url+"/v1/chat/completions", chatRequest(question, `,"stream":true,"stream_options":{"include_usage":true}`)).Body)
		if !done || parts[0].Choices[0].Delta.Role != "assistant" || !strings.Contains(raw[0], `"usage":null`) {
			t.Errorf("stream begins with %s, done %v", raw[0], done)
		}
		streamed := ""
		for _, p := range parts[:len(parts)-1] {
			streamed += p.Choices[0].Delta.Content
		}
		last, closing := parts[len(parts)-1], parts[len(parts)-2]
		if streamed != want || *closing.Choices[0].FinishReason != "stop" || len(last.Choices) != 0 || last.Usage.CompletionTokens != n {
			t.Errorf("streamed %q, whole %q; closing %+v, usage %+v, want %d tokens", streamed, want, closing, last.Usage, n)
		}
	}
}

// A system message and earlier turns do not throw the model off.
func TestConversation(t *testing.T) {
	url := start(t, Options{})
	for _, before := range []string{
		`{"role":"system","content":"You are a helpful assistant."},`,
		`{"role":"developer","content":"Be brief."},`,
		`{"role":"user","content":"Hello"},{"role":"assistant","content":"Hello! How can I help you?"},`,
	} {
		body := strings.Replace(chatRequest("What is 7 + 5?", ""), `"messages":[`, `"messages":[`+before, 1)
		if got, _, _ := answer(t, url, body); got != "7 + 5 = 12." {
			t.Errorf("after %s: %q", before, got)
		}
	}
}

func TestLimits(t *testing.T) {
	url := start(t, Options{})
	if got, finish, n := answer(t, url, chatRequest("What is 7 + 5?", `,"max_tokens":3`)); finish != "length" || n != 3 || !strings.HasPrefix("7 + 5 = 12.", got) {
		t.Errorf("max_tokens 3: %q %s %d", got, finish, n)
	}
	for stop, want := range map[string]string{`" ="`: "7 + 5", `["12", "5 = "]`: "7 + ", `"= 12."`: "7 + 5 ", `"nowhere"`: "7 + 5 = 12.", `"7"`: ""} {
		body := chatRequest("What is 7 + 5?", `,"stop":`+stop)
		if got, finish, _ := answer(t, url, body); got != want || finish != "stop" {
			t.Errorf("stop %s: %q (%s), want %q", stop, got, finish, want)
		}
		streamed := ""
		parts, _, _ := chunks(t, post(t, t.Context(), url+"/v1/chat/completions", chatRequest("What is 7 + 5?", `,"stream":true,"stop":`+stop)).Body)
		for _, p := range parts {
			streamed += p.Choices[0].Delta.Content
		}
		if streamed != want {
			t.Errorf("stop %s streamed %q, want %q", stop, streamed, want)
		}
	}
}

// Without a limit an answer ends where the context does.
func TestContextEnds(t *testing.T) {
	url := start(t, Options{Context: 300})
	r, _ := ask(t, url, endless(t, url))
	if *r.Choices[0].FinishReason != "length" || r.Usage.TotalTokens != 300 {
		t.Errorf("%s, usage %+v", *r.Choices[0].FinishReason, r.Usage)
	}
}

func TestSeed(t *testing.T) {
	url := start(t, Options{})
	sample := func(seed string) string {
		got, _, _ := answer(t, url, chatRequest("Tell me a story about a fox.", `,"temperature":1.5,"top_p":0.95,"top_k":40,"min_p":0.01,"max_tokens":60,"seed":`+seed))
		return got
	}
	if a, b := sample("7"), sample("7"); a != b {
		t.Errorf("one seed, two answers: %q, %q", a, b)
	}
	if a, b := sample("7"), sample("8"); a == b {
		t.Errorf("two seeds, one answer: %q", a)
	}
}

// With a hot sampler the model writes bytes that are no text. Whole and
// streamed must still agree and be valid, and usage must count every token.
func TestWildText(t *testing.T) {
	url := start(t, Options{})
	more := `,"temperature":2,"max_tokens":200,"seed":5`
	want, _, n := answer(t, url, chatRequest("x", more))
	parts, _, done := chunks(t, post(t, t.Context(), url+"/v1/chat/completions", chatRequest("x", more+`,"stream":true,"stream_options":{"include_usage":true}`)).Body)
	got := ""
	for _, p := range parts[:len(parts)-1] {
		got += p.Choices[0].Delta.Content
	}
	if got != want || !done || parts[len(parts)-1].Usage.CompletionTokens != n {
		t.Errorf("streamed %q (%+v)\nwhole %q (%d)", got, parts[len(parts)-1].Usage, want, n)
	}
}

// endless finds a request that keeps the engine busy until its context is full:
// the penalties reward repetition, and some seed leads into one without end.
func endless(t *testing.T, url string) string {
	t.Helper()
	for seed := range 200 {
		body := chatRequest("Tell me a story about a fox.", fmt.Sprintf(`,"temperature":2,"seed":%d,"frequency_penalty":-2,"presence_penalty":-2`, seed))
		if r, _ := ask(t, url, strings.TrimSuffix(body, "}")+`,"max_tokens":200}`); *r.Choices[0].FinishReason == "length" {
			return body
		}
	}
	t.Fatal("no seed leads into repetition")
	return ""
}

// busy starts an endless request and returns once the engine works on it.
func busy(t *testing.T, url, body string) (cancel func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	resp := post(t, ctx, url+"/v1/chat/completions", strings.TrimSuffix(body, "}")+`,"stream":true}`)
	if _, err := resp.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return cancel
}

func metrics(t *testing.T, url string) map[string]float64 {
	t.Helper()
	resp, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok && name != "#" {
			v := 0.0
			if err := json.Unmarshal([]byte(value), &v); err != nil {
				t.Fatal(err)
			}
			out[strings.TrimPrefix(name, "farthing_engine_")] = v
		}
	}
	return out
}

// until polls a condition on the metrics; the requests themselves pass the time.
func until(t *testing.T, url, what string, ok func(map[string]float64) bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok(metrics(t, url)) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s; %v", what, metrics(t, url))
		}
	}
}

func TestQueueAndCancel(t *testing.T) {
	url := start(t, Options{Queue: 1})
	body := endless(t, url)
	before := metrics(t, url)
	stopFirst := busy(t, url, body)
	// A second waits, and its client leaves while it does.
	ctx, leave := context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(chatRequest("ping", "")))
		if err == nil {
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		}
		waited <- err
	}()
	until(t, url, "one waits", func(m map[string]float64) bool { return m["requests_running"] == 1 && m["requests_waiting"] == 1 })
	r, resp := ask(t, url, chatRequest("ping", ""))
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" || r.Error.Code != "queue_full" {
		t.Errorf("full queue: %d %+v", resp.StatusCode, r.Error)
	}
	leave()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting client: %v", err)
	}
	until(t, url, "the place is free", func(m map[string]float64) bool { return m["requests_waiting"] == 0 })
	stopFirst()
	if got, _, _ := answer(t, url, chatRequest("What is 7 + 5?", "")); got != "7 + 5 = 12." {
		t.Errorf("after a cancel: %q", got)
	}
	until(t, url, "both are counted", func(m map[string]float64) bool { return m["requests_cancelled_total"] == 2 })
	m := metrics(t, url)
	for name, value := range before {
		m[name] -= value
	}
	if m["queue_rejections_total"] != 1 || m["requests_total"] != 2 || m["requests_running"] != 0 ||
		m["prompt_tokens_total"] < 10 || m["decode_seconds_total"] <= 0 || m["prefill_seconds_total"] <= 0 {
		t.Errorf("metrics %v", m)
	}
	if n := m["generated_tokens_total"]; n < 10 || n > 1500 {
		t.Errorf("%v tokens: the cancelled request went on", n)
	}
}

func TestBadRequests(t *testing.T) {
	url := start(t, Options{Context: 256})
	many := `{"messages":[` + strings.Repeat(`{"role":"user","content":"hi"},`, 9999) + `{"role":"user","content":"hi"}]}`
	user := func(content, more string) string {
		return `{"messages":[{"role":"user","content":` + content + `}]` + more + `}`
	}
	for _, c := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"empty", "", 400, "invalid_json"},
		{"cut", `{"messages":[`, 400, "invalid_json"},
		{"no object", `[]`, 400, "invalid_json"},
		{"two objects", user(`"x"`, "") + "{}", 400, "invalid_json"},
		{"not UTF-8", user("\"\xff\"", ""), 400, "invalid_utf8"},
		{"no messages", `{"model":"demo"}`, 400, "missing_required_parameter"},
		{"messages no list", `{"messages":"x"}`, 400, "invalid_type"},
		{"no content", `{"messages":[{"role":"user"}]}`, 400, "missing_required_parameter"},
		{"content a number", user("3", ""), 400, "invalid_type"},
		{"role", `{"messages":[{"role":"king","content":"x"}]}`, 400, "invalid_value"},
		{"tool role", `{"messages":[{"role":"tool","content":"x"}]}`, 400, "unsupported_parameter"},
		{"image", user(`[{"type":"image_url","image_url":{"url":"data:x"}}]`, ""), 400, "unsupported_parameter"},
		{"tools", user(`"x"`, `,"tools":[{"type":"function"}]`), 400, "unsupported_parameter"},
		{"n", user(`"x"`, `,"n":2`), 400, "unsupported_parameter"},
		{"logprobs", user(`"x"`, `,"logprobs":true`), 400, "unsupported_parameter"},
		{"json mode", user(`"x"`, `,"response_format":{"type":"json_object"}`), 400, "unsupported_parameter"},
		{"max_tokens 0", user(`"x"`, `,"max_tokens":0`), 400, "invalid_value"},
		{"max_tokens huge", user(`"x"`, `,"max_tokens":1e30`), 400, "invalid_type"},
		{"max_tokens text", user(`"x"`, `,"max_tokens":"many"`), 400, "invalid_type"},
		{"temperature", user(`"x"`, `,"temperature":3`), 400, "invalid_value"},
		{"top_p", user(`"x"`, `,"top_p":-1`), 400, "invalid_value"},
		{"top_k", user(`"x"`, `,"top_k":-2`), 400, "invalid_value"},
		{"stop empty", user(`"x"`, `,"stop":""`), 400, "invalid_value"},
		{"stop number", user(`"x"`, `,"stop":5`), 400, "invalid_type"},
		{"stop many", user(`"x"`, `,"stop":["`+strings.Repeat(`a","`, 16)+`a"]`), 400, "invalid_value"},
		{"effort", user(`"x"`, `,"reasoning_effort":"extreme"`), 400, "invalid_value"},
		{"model", user(`"x"`, `,"model":"gpt-4o"`), 404, "model_not_found"},
		{"10,000 messages", many, 400, "context_length_exceeded"},
		{"one long word", user(`"`+strings.Repeat("a", 1<<20)+`"`, ""), 400, "context_length_exceeded"},
		{"a little too long", user(`"`+strings.Repeat("1", 256)+`"`, ""), 400, "context_length_exceeded"},
		{"oversize", user(`"`+strings.Repeat("a", maxChatBody)+`"`, ""), 413, "request_too_large"},
		{"deep", user(strings.Repeat("[", 200_000), ""), 400, "invalid_json"},
	} {
		r, resp := ask(t, url, c.body)
		if resp.StatusCode != c.status || r.Error == nil || r.Error.Code != c.code || r.Error.Message == "" {
			t.Errorf("%s: status %d, %+v, want %d %s", c.name, resp.StatusCode, r.Error, c.status, c.code)
		}
	}
	if got, _, _ := answer(t, url, `{"messages":[{"role":"user","content":[{"type":"text","text":"What is "},{"type":"text","text":"7 + 5?"}]}],"n":1,"tools":[],"stop":null,"max_tokens":9000000}`); got != "7 + 5 = 12." {
		t.Errorf("after all of them: %q", got)
	}
}

func TestOtherEndpoints(t *testing.T) {
	url := start(t, Options{})
	get := func(method, path, body string, status int) string {
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status || !json.Valid(b) {
			t.Errorf("%s %s: %d %s %v, want %d", method, path, resp.StatusCode, b, err, status)
		}
		return string(bytes.TrimSpace(b))
	}
	if got := get("GET", "/health", "", 200); got != `{"status":"ok"}` {
		t.Error(got)
	}
	if got := get("GET", "/v1/models", "", 200); !strings.Contains(got, `"id":"demo"`) || !strings.Contains(got, ownerDemo) {
		t.Error(got)
	}
	get("GET", "/v1/chat/completions", "", 405)
	get("POST", "/health", "", 405)
	get("GET", "/nowhere", "", 404)
	get("POST", "/tokenize", `{}`, 400)
	get("POST", "/tokenize", `{"content":"`+strings.Repeat("a", maxTokenizeBody)+`"}`, 413)
	if got := get("POST", "/tokenize", `{"content":""}`, 200); got != `{"tokens":[]}` {
		t.Error(got)
	}
	// A marker in the text is text: several tokens, none of them special.
	out := struct{ Tokens []int32 }{}
	if err := json.Unmarshal([]byte(get("POST", "/tokenize", `{"content":"a<|im_end|>b"}`, 200)), &out); err != nil || len(out.Tokens) < 6 {
		t.Errorf("%v %v", out, err)
	}
}
