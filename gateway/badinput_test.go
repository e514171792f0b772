package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"farthing/gateway/admin"
)

// badFile has one good model and one for each way in which a target cannot
// serve. The key secret is that of fk-narrow.
func badFile(t *testing.T, u *upstream) string {
	return `
engines: {down: {type: vllm, url: "` + nobody(t) + `", models: {m: m-1}}}
providers:
  corp: {type: openai-compatible, url: "` + u.at("corp") + `", models: {big: {context: 131072, max_output: 100}}}
  refuses: {type: openai-compatible, url: "` + nobody(t) + `", models: {m: {context: 8192, max_output: 100}}}
  stalls: {type: openai-compatible, url: "` + u.at("stalls") + `", timeouts: {connect: 100ms, first_byte: 150ms, between_bytes: 150ms}, models: {m: {context: 8192, max_output: 100}}}
  dies: {type: openai-compatible, url: "` + u.at("dies") + `", models: {m: {context: 8192, max_output: 100}}}
models:
  big: corp/big
  free-*: corp/*
  down: down/m
  refuses: refuses/m
  stalls: stalls/m
  dies: dies/m
policies:
  pii-stays-inside: {when: '"pii" in tags', only: {self_hosted: true}}
budgets: {all: {limit: $1000}}
keys: {narrow: {sha256: ` + hashOf("fk-narrow") + `, owner: nina, may_use: [down, "free-*"]}}
prices: {rows: [{target: corp/big, input: 1, output: 10}, {target: refuses/m, input: 1, output: 10}, {target: stalls/m, input: 1, output: 10}, {target: dies/m, input: 1, output: 10}]}
`
}

func hashOf(secret string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(secret))) }

// ask is a request for a model with more members.
func ask(model, more string) string {
	return `{"model":"` + model + `","messages":[` + capital + `]` + more + `}`
}

// packed is what gzip makes of a text.
func packed(text []byte) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(text)
	_ = z.Close()
	return b.String()
}

// bad is a request that must be refused.
type bad struct {
	name, body string
	headers    []string
	status     int
	typ, code  string
	param      string
	says       []string // what the message names
	costs      bool     // the request was written and may have been billed
	unread     bool     // refused before it was understood: there is no receipt
}

func badRequests() []bad {
	const invalid = "invalid_request_error"
	return []bad{
		{name: "empty body", status: 400, typ: invalid, says: []string{"JSON"}},
		{name: "malformed JSON", body: `{"model":"big","messages":[`, status: 400, typ: invalid, says: []string{"JSON"}},
		{name: "not an object", body: `[1]`, status: 400, typ: invalid, says: []string{"object"}},
		{name: "deep", body: strings.Repeat(`[`, 1e6), status: 400, typ: invalid, says: []string{"JSON"}},
		{name: "no model", body: `{"messages":[` + capital + `]}`, status: 400, typ: invalid, param: "model", says: []string{"model"}},
		{name: "no messages", body: `{"model":"big"}`, status: 400, typ: invalid, param: "messages", says: []string{"messages"}},
		{name: "two models", body: ask("big", `,"model":"auto"`), status: 400, typ: invalid, param: "model", says: []string{"once"}},
		{name: "invalid UTF-8", body: ask("big", `,"user":"`+"\xff\xfe"+`"`), status: 400, typ: invalid, says: []string{"UTF-8"}},
		{name: "invalid UTF-8 in a header", body: ask("big", ""), headers: []string{"x-farthing-tags: a=\xff"}, status: 400, typ: invalid, says: []string{"x-farthing-tags"}, unread: true},
		{name: "unknown model", body: ask("bigg", ""), status: 404, typ: invalid, code: "model_not_found", param: "model", says: []string{`"bigg"`, "models: {bigg: ", "big"}},
		{name: "a name the key may not use", body: ask("big", ""), headers: []string{"Authorization: Bearer fk-narrow"}, status: 403, typ: "permission_error", code: "model_not_allowed", param: "model", says: []string{"narrow", "big", "down, free-*"}},
		{name: "a policy leaves no target", body: ask("big", ""), headers: []string{"x-farthing-tags: pii"}, status: 403, typ: "permission_error", code: "policy_forbids", param: "model", says: []string{"pii-stays-inside", "corp/big"}},
		{name: "too many tags", body: ask("big", ""), headers: []string{"x-farthing-tags: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"}, status: 400, typ: invalid, param: "x-farthing-tags", says: []string{"x-farthing-tags"}},
		{name: "an amount that is none", body: ask("big", ""), headers: []string{"x-farthing-max-cost-usd: much"}, status: 400, typ: invalid, param: "x-farthing-max-cost-usd", says: []string{"dollars"}},
		{name: "oversize", body: ask("big", `,"user":"`+strings.Repeat("x", 32<<20)+`"`), status: 413, typ: invalid, code: "request_too_large", says: []string{"33554432 bytes"}, unread: true},
		{name: "gzip bomb", body: packed(make([]byte, 200<<20)), headers: []string{"Content-Encoding: gzip"}, status: 413, typ: invalid, code: "request_too_large", says: []string{"33554432 bytes"}, unread: true},
		{name: "not gzip", body: ask("big", ""), headers: []string{"Content-Encoding: gzip"}, status: 400, typ: invalid, code: "invalid_encoding", says: []string{"gzip"}, unread: true},
		{name: "another encoding", body: ask("big", ""), headers: []string{"Content-Encoding: br"}, status: 415, typ: invalid, code: "unsupported_encoding", says: []string{"br"}, unread: true},
		{name: "a name with line breaks", body: ask(`a\r\nX-Evil: yes\r\n\r\n`, ""), status: 404, typ: invalid, code: "model_not_found", param: "model"},
		{name: "a name without end", body: ask(strings.Repeat("long", 1e5), ""), status: 404, typ: invalid, code: "model_not_found", param: "model"},
		{name: "max_tokens negative", body: ask("big", `,"max_tokens":-1`), status: 400, typ: invalid, param: "max_tokens", says: []string{"-1"}},
		{name: "max_tokens 1e18", body: ask("big", `,"max_tokens":1e18`), status: 400, typ: invalid, param: "max_tokens", says: []string{"integer"}},
		{name: "max_tokens huge", body: ask("big", `,"max_tokens":1000000000000000000`), status: 400, typ: invalid, param: "max_tokens", says: []string{"1000000000000000000"}},
		{name: "max_tokens a string", body: ask("big", `,"max_tokens":"100"`), status: 400, typ: invalid, param: "max_tokens", says: []string{"a string"}},
		{name: "max_completion_tokens half", body: ask("big", `,"max_completion_tokens":1.5`), status: 400, typ: invalid, param: "max_completion_tokens", says: []string{"integer"}},
		{name: "n huge", body: ask("big", `,"n":1000000`), status: 400, typ: invalid, param: "n", says: []string{"1000000"}},
		{name: "unpriced paid target", body: ask("free-thing", ""), status: 400, typ: invalid, code: "unpriced_model", param: "model", says: []string{"corp/thing", "prices: {rows: [{target: corp/thing"}},
		{name: "engine not up", body: ask("down", ""), status: 503, typ: "service_unavailable_error", says: []string{"cannot be reached"}},
		{name: "upstream refuses", body: ask("refuses", ""), status: 503, typ: "service_unavailable_error", says: []string{"cannot be reached"}},
		{name: "upstream stalls", body: ask("stalls", ""), status: 504, typ: "timeout_error", says: []string{"in time"}, costs: true},
		{name: "upstream dies", body: ask("dies", ""), status: 502, typ: "upstream_error", says: []string{"broke"}, costs: true},
		{name: "loop", body: ask("big", ""), headers: []string{"Via: 1.0 proxy, 1.1 farthing"}, status: 508, typ: invalid, code: "loop_detected", says: []string{"already"}, unread: true},
		{name: "a path that is none", body: "-", status: 404, typ: invalid, code: "unknown_url", says: []string{"/v1/chat/nothing"}, unread: true},
	}
}

// TestBadInput sends what must be refused, and after each a good request: it is
// answered, nothing is held, and what is spent is right.
func TestBadInput(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": well, "stalls": silent, "dies": thenDies(streams(role, paris))})
	g := serve(t, badFile(t, u))
	good := 0
	for _, c := range badRequests() {
		t.Run(c.name, func(t *testing.T) {
			before := g.balanced(t)["all"].Spent
			path := "/v1/chat/completions"
			if c.body == "-" {
				path = "/v1/chat/nothing"
			}
			r := g.send(t, http.MethodPost, path, c.body, c.headers...)
			if c.body == "" { // without a body a client sends no type
				r = g.send(t, http.MethodPost, path, "", "Content-Type: application/json")
			}
			e := refused(t, r)
			if r.Status != c.status || e.Type != c.typ || c.code != "" && e.Code != c.code || e.Param != c.param {
				t.Errorf("%d %+v, want %d %s %s %s", r.Status, e, c.status, c.typ, c.code, c.param)
			}
			if len(r.Body) > 4096 || r.Header.Get("X-Evil") != "" {
				t.Errorf("the client's words come back: %v, %d bytes", r.Header, len(r.Body))
			}
			for _, word := range c.says {
				if !strings.Contains(e.Message, word) {
					t.Errorf("the message does not name %q: %s", word, e.Message)
				}
			}
			if id := r.Header.Get("X-Farthing-Id"); id == "" {
				t.Error("the answer has no id")
			} else if !c.unread {
				if rc := g.receipt(t, id); rc.Outcome == "ok" || rc.Error != e.Message || rc.Cost != 0 != c.costs {
					t.Errorf("receipt %+v", rc)
				}
			}
			good++
			if r := g.post(t, ask("big", "")); r.Status != 200 || r.Header.Get("X-Farthing-Cost-Usd") != "0.00004" {
				t.Fatalf("a good request then: %d %s", r.Status, r.Body)
			}
			if spent := g.balanced(t)["all"].Spent - before; (spent.String() != "0.00004") != c.costs {
				t.Errorf("spent %s", spent)
			}
		})
	}
	if n := len(u.received("corp")); n != good {
		t.Errorf("the provider got %d requests, and %d were good", n, good)
	}
}

// TestDiesInMidStream is the answer that breaks after it has begun.
func TestDiesInMidStream(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": well, "dies": thenDies(streams(role, paris))})
	g := serve(t, badFile(t, u))
	r := g.post(t, ask("dies", stream))
	events := dataOf(r.Body)
	if e := errorObject(t, events[len(events)-1]); r.Status != 200 || len(events) != 3 || e.Type != "upstream_error" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := g.post(t, ask("big", stream)); closed(t, r.Body).Cost.String() != "0.00004" {
		t.Errorf("a good stream then: %d %s", r.Status, r.Body)
	}
	g.balanced(t)
}

// TestUnusualInput sends what looks wrong and is right: it is served.
func TestUnusualInput(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": well})
	g := serve(t, badFile(t, u))
	many := strings.Repeat(`{"role":"user","content":"hi"},{"role":"assistant","content":"hi"},`, 5000) + capital
	for name, c := range map[string]struct {
		body    string
		headers []string
	}{
		"10,000 messages":     {body: `{"model":"big","messages":[` + many + `]}`},
		"max_tokens null":     {body: ask("big", `,"max_tokens":null`)},
		"max_tokens too much": {body: ask("big", `,"max_tokens":2000000000`)},
		"gzip":                {body: packed([]byte(ask("big", ""))), headers: []string{"Content-Encoding: gzip"}},
		"unknown members":     {body: ask("big", `,"x_new":{"a":[1,2,{"b":null}]},"temperature":7`)},
		"a foreign bearer":    {body: ask("big", ""), headers: []string{"Authorization: Bearer sk-whatever"}},
		"strange names":       {body: ask("big", ""), headers: []string{"x-farthing-session: a b\tc; d", "x-farthing-tags: ü=ß,empty"}},
	} {
		if r := g.post(t, c.body, c.headers...); r.Status != 200 {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	g.balanced(t)
	for _, call := range u.received("corp") {
		if strings.Contains(call.Body, "2000000000") {
			t.Error("the provider was given a limit that was not held")
		}
	}
}

// TestKeys is about who is let in where this machine needs a key too.
func TestKeys(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": well})
	g := serve(t, badFile(t, u)+`server: {listen: "127.0.0.1:0", open_on_localhost: false}`+"\n")
	file := strings.Replace(badFile(t, u), "keys: {", "keys: {old: {sha256: "+hashOf("fk-old")+", owner: olaf, expires: 2020-01-31}, ", 1)
	old := serve(t, file)
	var made admin.MadeKey
	g.admin(t, http.MethodPost, "keys", `{"owner":"ada","team":"core"}`, &made)
	own := bearer(made.Secret)
	for _, header := range []string{own, "x-api-key: " + made.Secret, "x-goog-api-key: " + made.Secret} {
		r := g.post(t, ask("big", ""), header)
		if rc := g.receipt(t, r.Header.Get("X-Farthing-Id")); r.Status != 200 || rc.Owner != "ada" || rc.Team != "core" || rc.Key != made.Key.Name {
			t.Errorf("%d %s, receipt %+v", r.Status, r.Body, rc)
		}
	}
	var revoked admin.KeyView
	g.admin(t, http.MethodDelete, "keys/"+made.Key.Name, "", &revoked)
	for _, c := range []struct {
		name, code string
		g          *gateway
		headers    []string
	}{
		{"none", "missing_api_key", g, nil},
		{"foreign", "invalid_api_key", g, []string{"Authorization: Bearer sk-whatever"}},
		{"unknown", "invalid_api_key", g, []string{"Authorization: Bearer fk-unknown"}},
		{"another scheme", "missing_api_key", g, []string{"Authorization: Basic " + made.Secret}},
		{"revoked", "key_revoked", g, []string{own}},
		{"expired", "key_expired", old, []string{"Authorization: Bearer fk-old"}},
		{"through a proxy", "missing_api_key", old, []string{"X-Forwarded-For: 10.0.0.1"}},
		{"from a web page", "missing_api_key", old, []string{"Origin: https://evil.example"}},
		{"from a form", "missing_api_key", old, []string{"Content-Type: text/plain"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.g.post(t, ask("big", ""), c.headers...)
			if e := refused(t, r); r.Status != 401 || e.Type != "authentication_error" || e.Code != c.code || r.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			if r := c.g.send(t, http.MethodGet, "/v1/models", "", c.headers...); r.Status != 401 && c.name != "from a form" {
				t.Errorf("the models are shown: %d %s", r.Status, r.Body)
			}
		})
	}
	for _, path := range []string{"keys", "budgets", "receipts", "targets", "prices", "nothing"} {
		for _, header := range []string{"Accept: */*", bearer("fk-narrow"), bearer(""), bearer("fa-wrong")} {
			if r := g.send(t, http.MethodGet, "/admin/v1/"+path, "", header); r.Status != 401 {
				t.Errorf("%s with %q: %d %s", path, header, r.Status, r.Body)
			}
		}
	}
	if n := len(u.received("corp")); n != 3 {
		t.Errorf("the provider got %d requests", n)
	}
	if b := g.balanced(t)["all"]; b.Spent.String() != "0.00012" {
		t.Errorf("spent %s", b.Spent)
	}
}

// TestReceiptsArePrivate proves that a receipt is shown to its key, to its
// owner's other keys and to nobody else.
func TestReceiptsArePrivate(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": well})
	g := serve(t, badFile(t, u))
	var keys [3]admin.MadeKey
	for i, owner := range []string{"ada", "ada", "eve"} {
		g.admin(t, http.MethodPost, "keys", `{"owner":"`+owner+`"}`, &keys[i])
	}
	id := g.post(t, ask("big", ""), bearer(keys[0].Secret)).Header.Get("X-Farthing-Id")
	g.receipt(t, id)
	for header, status := range map[string]int{
		bearer(keys[0].Secret): 200, bearer(keys[1].Secret): 200, bearer(keys[2].Secret): 404,
		"Accept: */*": 404, bearer("fk-unknown"): 401, bearer(g.AdminKey): 200,
	} {
		r := g.send(t, http.MethodGet, "/v1/receipts/"+id, "", header)
		if r.Status != status || strings.Contains(r.Body, `"ada"`) != (status == 200) || strings.Contains(r.Body, made(keys[0])) {
			t.Errorf("%q: %d %s, want %d", header, r.Status, r.Body, status)
		}
	}
}

// made is the part of a key that nothing may show again.
func made(k admin.MadeKey) string { return strings.TrimPrefix(k.Secret, "fk-") }

// TestLoop sends a request round through another proxy back to the gateway.
func TestLoop(t *testing.T) {
	var back atomic.Pointer[httputil.ReverseProxy]
	u := scripted(t, map[string]http.HandlerFunc{"corp": func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/corp")
		back.Load().ServeHTTP(w, r)
	}})
	g := serve(t, badFile(t, u))
	here, err := url.Parse(g.URL)
	if err != nil {
		t.Fatal(err)
	}
	back.Store(httputil.NewSingleHostReverseProxy(here))
	r := g.post(t, ask("big", ""))
	if e := refused(t, r); r.Status != 502 || e.Code != "loop_detected" || len(u.received("corp")) != 1 {
		t.Errorf("%d %+v after %d calls", r.Status, e, len(u.received("corp")))
	}
	if b := g.balanced(t)["all"]; b.Spent != 0 {
		t.Errorf("spent %s", b.Spent)
	}
}

// TestSpentBudget spends a budget to its end with a provider that answers as
// long as it may, and reads the refusal.
func TestSpentBudget(t *testing.T) {
	var clamped atomic.Int64
	u := scripted(t, map[string]http.HandlerFunc{"corp": func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, rest, _ := strings.Cut(string(body), `"max_tokens":`)
		limit, _, _ := strings.Cut(rest, "}")
		n, err := strconv.ParseInt(limit, 10, 64)
		if err != nil {
			t.Errorf("no limit was sent: %s", body)
		}
		if n < 100 {
			clamped.Store(n)
		}
		says(200, completion(fmt.Sprintf(`,"usage":{"prompt_tokens":15,"completion_tokens":%d,"total_tokens":%d}`, n, n+15)))(w, r)
	}})
	g := serve(t, strings.Replace(badFile(t, u), "budgets: {all: {limit: $1000}}", "budgets: {all: {limit: $0.0025 per year, when_spent: refuse}}", 1))
	var r reply
	for tries := 0; tries < 20; tries++ {
		g.balanced(t) // what is on its way to the books still counts as held
		r = g.post(t, ask("big", `,"max_tokens":100`))
		if r.Status != 200 {
			break
		}
		if n := clamped.Load(); n > 0 && r.Header.Get("X-Farthing-Clamped") != fmt.Sprintf("max_tokens=%d", n) {
			t.Errorf("%d tokens were granted, and the client hears %q", n, r.Header.Get("X-Farthing-Clamped"))
		}
	}
	e := refused(t, r)
	if r.Status != 429 || e.Type != "insufficient_quota" || e.Code != "insufficient_quota" || r.Header.Get("X-Should-Retry") != "false" {
		t.Fatalf("%d %v %s", r.Status, r.Header, r.Body)
	}
	b := g.balanced(t)["all"]
	if b.Spent == 0 || b.Spent > b.Limit || b.Over != 0 || clamped.Load() == 0 {
		t.Errorf("budget %+v, clamped to %d", b, clamped.Load())
	}
	year := time.Date(time.Now().UTC().Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, word := range []string{"budget all", "limit $0.0025", "spent " + b.Spent.USD(), "held $0", "left " + b.Left.USD(), "resets " + year.Format(time.RFC3339)} {
		if !strings.Contains(e.Message, word) {
			t.Errorf("the refusal does not say %q: %s", word, e.Message)
		}
	}
	wait, err := strconv.ParseInt(r.Header.Get("Retry-After"), 10, 64)
	if off := time.Until(year) - time.Duration(wait)*time.Second; err != nil || off.Abs() > 10*time.Second {
		t.Errorf("Retry-After %q, the window ends in %v", r.Header.Get("Retry-After"), time.Until(year))
	}
	if rc := g.receipt(t, r.Header.Get("X-Farthing-Id")); rc.Outcome != "over_budget" || rc.Cost != 0 || len(rc.Attempts) != 0 {
		t.Errorf("receipt %+v", rc)
	}
}
