package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestFirstRequest sends one request through a whole gateway to a server of the
// OpenAI format, and reads its receipt.
func TestFirstRequest(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"id":"c1","object":"chat.completion","created":1,"model":"big-v2","choices":[{"index":0,"message":{"role":"assistant","content":"Paris."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}`))
	}))
	defer upstream.Close()
	g := serve(t, `
providers:
  corp: {type: openai-compatible, url: `+upstream.URL+`/v1, models: {big: {id: big-v2, context: 131072, max_output: 8192}}}
engines: {}
models: {auto: [corp/big]}
budgets: {me: {limit: $1 per day}}
prices: {rows: [{target: corp/big, input: 1, output: 10}]}
`)
	r := g.post(t, `{"model":"auto","messages":[{"role":"user","content":"The capital of France?"}]}`)
	if r.Status != http.StatusOK || !strings.Contains(r.Body, "Paris.") {
		t.Fatalf("%d %s\n%s", r.Status, r.Body, g.Log)
	}
	if got := r.Header.Get("x-farthing-cost-usd"); got != "0.002" { // 1000 × $1 + 100 × $10 per million
		t.Errorf("cost %q, want 0.002", got)
	}
	rc := g.receipt(t, r.Header.Get("x-farthing-id"))
	if rc.Cost.String() != "0.002" || rc.Target != "corp/big" || rc.UsageSource != "provider" || len(rc.Attempts) != 1 || len(rc.Attempts[0].Lines) != 2 || len(rc.Budgets) != 1 {
		t.Errorf("receipt %+v", rc)
	}
}
