package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSentOnce proves that a request is sent once to each target, unchanged but
// for its model: what may have been billed is never sent again.
func TestSentOnce(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"dead": thenDies(nil), "spare": well})
	g := serve(t, `
providers:
  dead: {type: openai-compatible, url: `+u.at("dead")+`, models: {m: {context: 8192, max_output: 100}}}
  spare: {type: openai-compatible, url: `+u.at("spare")+`, models: {m: {context: 8192, max_output: 100}}}
engines: {}
models: {auto: [dead/m, spare/m]}
budgets: {all: {limit: $1000}}
prices: {rows: [{target: dead/m, input: 1, output: 10}, {target: spare/m, input: 1, output: 10}]}
`)
	body := `{"model":"auto","messages":[` + capital + `],"max_tokens":7,"metadata":{"kept":[1, 2]}}`
	if r := g.post(t, body); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	for _, name := range []string{"dead", "spare"} {
		calls := u.received(name)
		if len(calls) != 1 {
			t.Fatalf("%s was called %d times", name, len(calls))
		}
		if want := strings.Replace(body, `"auto"`, `"m"`, 1); calls[0].Body != want {
			t.Errorf("%s got %s\nwant %s", name, calls[0].Body, want)
		}
		if h := calls[0].Header; h.Get("Via") != "1.1 farthing" || h.Get("Authorization") != "" {
			t.Errorf("%s got the headers %v", name, h)
		}
	}
	g.balanced(t)
}

// TestRests proves that a target which keeps failing is left alone for a while,
// and that another one serves meanwhile.
func TestRests(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"ill": says(500, `{}`), "spare": well})
	g := serve(t, `
providers:
  ill: {type: openai-compatible, url: `+u.at("ill")+`, models: {m: {context: 8192, max_output: 100}}}
  spare: {type: openai-compatible, url: `+u.at("spare")+`, models: {m: {context: 8192, max_output: 100}}}
engines: {}
models: {ill: ill/m, auto: [ill/m, spare/m]}
budgets: {all: {limit: $1000}}
prices: {rows: [{target: ill/m, input: 1, output: 10}, {target: spare/m, input: 1, output: 10}]}
`)
	failures := 0
	var r reply
	for range 20 {
		if r = g.post(t, ask("ill", "")); r.Status != 502 {
			break
		}
		failures++
	}
	if e := refused(t, r); r.Status != 503 || e.Code != "target_resting" || r.Header.Get("Retry-After") == "" || len(u.received("ill")) != failures {
		t.Errorf("%d %v %+v after %d calls", r.Status, r.Header, e, len(u.received("ill")))
	}
	r = g.post(t, ask("auto", ""))
	if rc := g.receipt(t, r.Header.Get("X-Farthing-Id")); r.Status != 200 || len(rc.Attempts) != 1 || len(u.received("ill")) != failures {
		t.Errorf("%d %s, attempts %+v", r.Status, r.Body, rc.Attempts)
	}
	g.balanced(t)
}

// TestDoneEndsTheStream: after [DONE] nothing can come; a provider that leaves
// its connection open must not keep the client waiting and the hold open.
func TestDoneEndsTheStream(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": func(w http.ResponseWriter, r *http.Request) {
		streams(role, paris, stop, usageOnly, done)(w, r)
		silent(w, r)
	}})
	g := serve(t, badFile(t, u))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(ask("big", stream)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	ended := make(chan string, 1)
	go func() {
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		ended <- string(text)
	}()
	select {
	case text := <-ended:
		closed(t, text)
	case <-time.After(2 * time.Second):
		t.Error("the stream goes on after [DONE]")
		u.server.CloseClientConnections()
	}
}

// TestFinishedThenReset: an answer whose finish and usage have come, and whose
// connection then breaks before [DONE], is whole: its usage is the bill.
func TestFinishedThenReset(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": thenDies(streams(role, paris, stop, usageOnly))})
	g := serve(t, badFile(t, u))
	r := g.post(t, ask("big", stream))
	if c := closed(t, r.Body); c.Cost.String() != "0.00004" {
		t.Errorf("settled at %s: %s", c.Cost, r.Body)
	}
}
