package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"farthing/providers"
)

// TestEndToEnd lets the official Go client speak to a gateway with its embedded
// engine, and to a server of the OpenAI format behind it for what the
// demonstration model cannot do.
func TestEndToEnd(t *testing.T) {
	behind := newBehind(t)
	g := serve(t, `
engines:
  demo: {type: embedded}
  own: {type: openai-compatible, url: "`+behind.URL+`/v1", models: {tools: {tools: true}, slow: {}}}
providers: {paid: {type: openai-compatible, url: "`+behind.URL+`/v1", models: {dear: {context: 8192, max_output: 4096}}}}
models:
  auto: demo/demo
  tools: own/tools
  slow: own/slow
  dear: paid/dear
budgets: {tiny: {limit: $0.000001 per day}}
prices: {rows: [{target: paid/dear, input: 15, output: 60}]}
`)
	client := openai.NewClient(option.WithBaseURL(g.URL+"/v1"), option.WithAPIKey("anything"))
	for _, test := range []struct {
		name string
		run  func(*testing.T, *gateway, openai.Client)
	}{
		{"chat", testChat},
		{"stream", testStream},
		{"models", testModels},
		{"errors", testErrors},
		{"budget", testBudget},
		{"tools", behind.testTools},
		{"cancel", behind.testCancel},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, g, client) })
	}
}

const france = "What is the capital of France?"

func request(model, question string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model: model, Temperature: openai.Float(0),
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
	}
}

func testChat(t *testing.T, g *gateway, client openai.Client) {
	var response *http.Response
	answer, err := client.Chat.Completions.New(t.Context(), request("auto", france), option.WithResponseInto(&response))
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.Choices[0].Message.Content; got != "Paris is the capital of France." {
		t.Errorf("answer %q", got)
	}
	if answer.Choices[0].FinishReason != "stop" || answer.Usage.CompletionTokens == 0 || answer.Usage.TotalTokens != answer.Usage.PromptTokens+answer.Usage.CompletionTokens {
		t.Errorf("finish %q, usage %+v", answer.Choices[0].FinishReason, answer.Usage)
	}
	if got := response.Header.Get("x-farthing-target"); got != "demo/demo" {
		t.Errorf("target %q", got)
	}
	rc := g.receipt(t, response.Header.Get("x-farthing-id"))
	if rc.Usage.Output != answer.Usage.CompletionTokens || rc.UsageSource != providers.UsageProvider || rc.Outcome != "ok" || rc.Cost != 0 {
		t.Errorf("receipt %+v", rc)
	}
}

func testStream(t *testing.T, g *gateway, client openai.Client) {
	params := request("auto", france)
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	var response *http.Response
	stream := client.Chat.Completions.NewStreaming(t.Context(), params, option.WithResponseInto(&response))
	sum := openai.ChatCompletionAccumulator{}
	chunks := 0
	for ; stream.Next(); chunks++ {
		if !sum.AddChunk(stream.Current()) {
			t.Fatalf("chunk %d does not fit: %s", chunks, stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if got := sum.Choices[0].Message.Content; got != "Paris is the capital of France." || chunks < 5 {
		t.Errorf("answer %q in %d chunks", got, chunks)
	}
	rc := g.receipt(t, response.Header.Get("x-farthing-id"))
	if sum.Usage.CompletionTokens == 0 || rc.Usage.Output != sum.Usage.CompletionTokens || !rc.Stream {
		t.Errorf("usage %+v, receipt %+v", sum.Usage, rc)
	}
}

func testModels(t *testing.T, _ *gateway, client openai.Client) {
	page, err := client.Models.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range page.Data {
		names = append(names, m.ID)
	}
	if want := []string{"auto", "dear", "slow", "tools"}; !slices.Equal(names, want) {
		t.Errorf("models %q, want %q", names, want)
	}
}

func testErrors(t *testing.T, _ *gateway, client openai.Client) {
	for _, c := range []struct {
		name   string
		params openai.ChatCompletionNewParams
		with   []option.RequestOption
		status int
		code   string
		param  string
	}{
		{"unknown model", request("gpt-99", france), nil, 404, "model_not_found", "model"},
		{"no message", openai.ChatCompletionNewParams{Model: "auto", Messages: []openai.ChatCompletionMessageParamUnion{}}, nil, 400, "", "messages"},
		{"no such key", request("auto", france), []option.RequestOption{option.WithAPIKey("fk-wrong")}, 401, "invalid_api_key", ""},
	} {
		_, err := client.Chat.Completions.New(t.Context(), c.params, c.with...)
		var said *openai.Error
		if !errors.As(err, &said) {
			t.Errorf("%s: %v is not the client's own error", c.name, err)
			continue
		}
		if said.StatusCode != c.status || said.Code != c.code || said.Param != c.param || said.Message == "" {
			t.Errorf("%s: %d code %q param %q: %s", c.name, said.StatusCode, said.Code, said.Param, said.Message)
		}
	}
}

// testBudget: the client repeats a 429 by itself, but not one that says that
// repeating is useless.
func testBudget(t *testing.T, _ *gateway, client openai.Client) {
	sent := 0
	count := option.WithMiddleware(func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
		sent++
		return next(r)
	})
	_, err := client.Chat.Completions.New(t.Context(), request("dear", france), count)
	var said *openai.Error
	if !errors.As(err, &said) || said.StatusCode != 429 || said.Code != "insufficient_quota" || !strings.Contains(said.Message, "tiny") {
		t.Fatalf("%v", err)
	}
	if said.Response.Header.Get("Retry-After") == "" || sent != 1 {
		t.Errorf("sent %d times, Retry-After %q", sent, said.Response.Header.Get("Retry-After"))
	}
}

// behind is a server of the OpenAI format.
type behind struct {
	*httptest.Server
	left chan error // why a slow answer ended
}

func newBehind(t *testing.T) *behind {
	b := &behind{left: make(chan error, 1)}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Server.Close)
	return b
}

func (b *behind) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Model string
		Tools []struct{ Function struct{ Name string } }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, "what is this?", http.StatusBadRequest)
		return
	}
	switch {
	case body.Model == "slow":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, `data: {"id":"s","object":"chat.completion.chunk","created":1,"model":"slow","choices":[{"index":0,"delta":{"role":"assistant","content":"Once"},"finish_reason":null}]}`+"\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		b.left <- r.Context().Err()
	case len(body.Tools) == 1:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"t","object":"chat.completion","created":1,"model":"tools","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":%q,"arguments":"{\"city\":\"Paris\"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":40,"completion_tokens":9,"total_tokens":49}}`, body.Tools[0].Function.Name)
	default:
		http.Error(w, `{"error":{"message":"no tools came"}}`, http.StatusBadRequest)
	}
}

func (b *behind) testTools(t *testing.T, _ *gateway, client openai.Client) {
	params := request("tools", "What is the weather in Paris?")
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{
		Name: "weather", Description: openai.String("The weather of a city."),
		Parameters: openai.FunctionParameters{"type": "object", "properties": map[string]any{"city": map[string]string{"type": "string"}}},
	})}
	answer, err := client.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	calls := answer.Choices[0].Message.ToolCalls
	if len(calls) != 1 || calls[0].Function.Name != "weather" || calls[0].Function.Arguments != `{"city":"Paris"}` {
		t.Errorf("tool calls %+v", calls)
	}

	// The demonstration model has no tools, and the gateway says so by itself.
	params.Model = "auto"
	var said *openai.Error
	if _, err := client.Chat.Completions.New(t.Context(), params); !errors.As(err, &said) || !strings.Contains(said.Message, "tools") {
		t.Errorf("%v", err)
	}
}

// testCancel: a client that gives up ends the engine's work and has a receipt.
func (b *behind) testCancel(t *testing.T, g *gateway, client openai.Client) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var response *http.Response
	stream := client.Chat.Completions.NewStreaming(ctx, request("slow", "Tell me a story."), option.WithResponseInto(&response))
	if !stream.Next() {
		t.Fatal(stream.Err())
	}
	cancel()
	for stream.Next() {
	}
	if err := stream.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ended with %v", err)
	}
	select {
	case <-b.left:
	case <-time.After(10 * time.Second):
		t.Fatal("the engine still works for a client that has gone")
	}
	if rc := g.receipt(t, response.Header.Get("x-farthing-id")); rc.Outcome != "canceled" {
		t.Errorf("outcome %q", rc.Outcome)
	}
}
