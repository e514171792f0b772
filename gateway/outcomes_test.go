package main

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"farthing/gateway/admin"
	"farthing/gateway/record"
	"farthing/providers"
)

// theHold says that an attempt is to be settled at what was held for it.
const theHold = "the hold"

// outcome is one way in which a provider may answer, and what must come of it.
type outcome struct {
	name   string           // the provider's, and the model's that has it alone
	script http.HandlerFunc // nil: nobody listens
	typ    string           // of the provider: openai-compatible if ""
	asks   string           // added to the request's members

	status   int    // that the client gets
	code     string // of the error; "" where the answer is good
	says     string // part of the error's message
	cost     string // dollars, or theHold
	source   providers.UsageSource
	noElse   bool // another target is not tried: nothing is wrong, or the request is, or the answer has begun
	broken   bool // the error comes as an event, in a stream of status 200
	upstatus int  // the provider's, where it differs from the client's
}

const stream = `,"stream":true`

var outcomes = []outcome{
	// Nothing was written.
	{name: "refused", status: 503, code: "service_unavailable", says: "cannot be reached", cost: "0", source: "none"},
	{name: "refused_stream", asks: stream, status: 503, code: "service_unavailable", says: "cannot be reached", cost: "0", source: "none"},

	// The provider refused.
	{
		name: "s400", script: says(400, `{"error":{"message":"your fault","type":"invalid_request_error","code":"bad","param":"seed"}}`),
		status: 400, code: "bad", says: "your fault", cost: "0", source: "none", noElse: true,
	},
	{
		name: "s400_other_shape", script: says(400, `{"detail":"no such field"}`), asks: stream,
		status: 400, says: "no such field", cost: "0", source: "none", noElse: true,
	},
	{
		name: "s400_usage", script: says(400, `{"error":{"message":"refused by a filter","type":"invalid_request_error","code":"content_filter","param":null},`+someUsage+`}`),
		status: 400, code: "content_filter", says: "filter", cost: "0.00004", source: "provider", noElse: true,
	},
	{
		name: "s401", script: says(401, `{"error":{"message":"wrong key sk-secret of acme","type":"x","code":"invalid_api_key","param":null}}`),
		status: 502, code: "upstream_error", says: "refused the gateway's", cost: "0", source: "none", upstatus: 401,
	},
	{
		name: "s403", script: says(403, `{"error":{"message":"acme may not","type":"x","code":"y","param":null}}`), asks: stream,
		status: 502, code: "upstream_error", says: "refused the gateway's", cost: "0", source: "none", upstatus: 403,
	},
	{
		name: "s429", script: says(429, `{"error":{"message":"slow down","type":"rate_limit_error","code":"rate_limit_exceeded","param":null}}`, "Retry-After: 7"),
		status: 429, code: "rate_limit_exceeded", says: "slow down", cost: "0", source: "none",
	},
	{name: "s500", script: says(500, `<html>oops</html>`), status: 502, code: "upstream_error", says: "HTTP 500", cost: "0", source: "none", upstatus: 500},
	{
		name: "s500_usage", script: says(500, `{"error":{"message":"fell over","type":"server_error","code":null,"param":null},`+someUsage+`}`), asks: stream,
		status: 502, says: "fell over", cost: "0.00004", source: "provider", upstatus: 500,
	},
	{
		name: "s503", script: says(503, `{"error":{"message":"overloaded","type":"server_error","code":"busy","param":null}}`, "Retry-After: 9"), asks: stream,
		status: 503, code: "busy", says: "overloaded", cost: "0", source: "none",
	},

	// The answer was complete.
	{name: "usage", script: well, status: 200, cost: "0.00004", source: "provider", noElse: true},
	{name: "usage_stream", script: well, asks: stream, status: 200, cost: "0.00004", source: "provider", noElse: true},
	{
		name: "own_cost", typ: "openrouter", script: says(200, completion(`,"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22,"cost":0.0004970133333}`)),
		status: 200, cost: "0.000497014", source: "provider", noElse: true,
	},
	{
		name: "own_cost_stream", typ: "openrouter", script: streams(role, paris, stop, strings.Replace(usageOnly, `22}`, `22,"cost":0.5}`, 1), done), asks: stream,
		status: 200, cost: "0.5", source: "provider", noElse: true,
	}, // above its hold: charged in full
	{name: "no_usage", script: says(200, completion("")), status: 200, cost: "", source: "counted", noElse: true},
	{name: "no_usage_stream", script: streams(role, paris, stop, done), asks: stream, status: 200, cost: "", source: "counted", noElse: true},

	// The answer broke.
	{name: "cut", script: thenDies(streams(role, paris)), asks: stream, status: 200, code: "upstream_error", says: "broke", cost: theHold, source: "estimated", noElse: true, broken: true},
	{
		name: "cut_usage", script: thenDies(streams(role, strings.Replace(paris, `]}`, `],`+someUsage+`}`, 1))), asks: stream,
		status: 200, code: "upstream_error", says: "broke", cost: theHold, source: "estimated", noElse: true, broken: true,
	}, // counts as it goes
	{name: "cut_known", typ: "deepseek", script: thenDies(streams(role, paris)), asks: stream, status: 200, code: "upstream_error", says: "broke", cost: "", source: "estimated", noElse: true, broken: true},
	{name: "short", script: streams(role, paris), asks: stream, status: 200, code: "upstream_error", says: "before the answer was complete", cost: theHold, source: "estimated", noElse: true, broken: true},
	{name: "cut_at_once", script: thenDies(streams()), asks: stream, status: 502, code: "upstream_error", says: "broke", cost: theHold, source: "estimated", upstatus: 200},
	{name: "cut_whole", script: thenDies(func(w http.ResponseWriter, r *http.Request) {
		says(200, `{"id":"c1","choi`, "Content-Length: 1000")(w, r)
		emit(w)
	}), status: 502, code: "upstream_error", says: "broke", cost: theHold, source: "estimated", upstatus: 200},
	{name: "html", script: says(200, `<html>hello</html>`), status: 502, code: "upstream_error", says: "not JSON", cost: theHold, source: "estimated", upstatus: 200},

	// The request was written and nothing came.
	{name: "silent", script: silent, status: 504, code: "timeout", says: "no answer came in time", cost: theHold, source: "estimated", upstatus: -1},
	{name: "silent_stream", script: silent, asks: stream, status: 504, code: "timeout", says: "no answer came in time", cost: theHold, source: "estimated", upstatus: -1},
	{
		name: "stalls", script: func(w http.ResponseWriter, r *http.Request) { streams(role, paris)(w, r); silent(w, r) }, asks: stream,
		status: 200, code: "timeout", says: "stopped coming", cost: theHold, source: "estimated", noElse: true, broken: true,
	},
	{name: "reset", script: thenDies(nil), status: 502, code: "upstream_error", says: "broke", cost: theHold, source: "estimated", upstatus: -1},

	// The provider refused in an answer of status 200.
	{
		name: "error_first", script: streams(`{"error":{"message":"too busy","type":"server_error","code":"over_capacity","param":null}}`), asks: stream,
		status: 503, code: "over_capacity", says: "too busy", cost: "0", source: "none", upstatus: 200,
	},
	{
		name: "error_later", script: streams(role, paris, `{"error":{"message":"gone","type":"server_error","code":"engine_died","param":null}}`), asks: stream,
		status: 200, code: "engine_died", says: "gone", cost: theHold, source: "estimated", noElse: true, broken: true,
	},
	{
		name: "error_after_comment", script: func(w http.ResponseWriter, r *http.Request) {
			streams()(w, r)
			_, _ = io.WriteString(w, ": PROCESSING\n\n")
			emit(w, `{"error":{"message":"too busy","type":"server_error","code":"over_capacity","param":null}}`)
		}, asks: stream, status: 503, code: "over_capacity", says: "too busy", cost: "0", source: "none", upstatus: 200,
	},
	{
		name: "error_after_tool", script: streams(role, chunk(`{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]}`, "null"),
			`{"error":{"message":"gone","type":"server_error","code":"engine_died","param":null}}`),
		asks: stream, status: 200, code: "engine_died", says: "gone", cost: theHold, source: "estimated", noElse: true, broken: true,
	},
	{
		name: "garbage_later", script: streams(role, paris, `{"choices":[`), asks: stream,
		status: 200, code: "upstream_error", says: "not a JSON object", cost: theHold, source: "estimated", noElse: true, broken: true,
	},
	{
		name: "error_whole", script: says(200, `{"error":{"message":"too busy","type":"server_error","code":"over_capacity","param":null}}`),
		status: 503, code: "over_capacity", says: "too busy", cost: "0", source: "none", upstatus: 200,
	},
}

// TestOutcomes goes through every line of the settlement table: what the client
// hears, whether another target may serve instead, and what is booked.
func TestOutcomes(t *testing.T) {
	scripts := map[string]http.HandlerFunc{"spare": well}
	for _, o := range outcomes {
		scripts[o.name] = o.script
	}
	u := scripted(t, scripts)
	var file, models, prices strings.Builder
	for _, o := range append(slices.Clone(outcomes), outcome{name: "spare", script: well}) {
		url, typ := u.at(o.name), "openai-compatible"
		if o.script == nil {
			url = nobody(t)
		}
		if o.typ != "" {
			typ = o.typ
		}
		fmt.Fprintf(&file, "  %s: {type: %s, url: %q, key: sk-test, timeouts: {connect: 100ms, first_byte: 200ms, between_bytes: 200ms}, models: {m: {id: m-1, context: 8192, max_output: 100}}}\n", o.name, typ, url)
		fmt.Fprintf(&models, "  %s: %s/m\n  %s-else: [%s/m, spare/m]\n", o.name, o.name, o.name, o.name)
		fmt.Fprintf(&prices, "  - {target: %s/m, input: 1, output: 10}\n", o.name)
	}
	g := serve(t, "providers:\n"+file.String()+"engines: {}\nmodels:\n"+models.String()+"prices:\n  rows:\n"+prices.String()+`
budgets:
  all: {limit: $1000}
  targets: {inside: all, each: target, limit: $100}
`)
	for _, o := range outcomes {
		t.Run(o.name, func(t *testing.T) {
			alone := o.answered(t, g)
			var both *record.Receipt
			switch {
			case !o.noElse:
				both = o.fallsBack(t, g)
			case o.status >= 400:
				both = o.staysRefused(t, g)
			}
			o.booked(t, g.balanced(t), alone, both)
		})
	}
}

// answered sends the request to the one target.
func (o *outcome) answered(t *testing.T, g *gateway) *record.Receipt {
	r := g.post(t, ask(o.name, o.asks))
	if r.Status != o.status {
		t.Fatalf("status %d, want %d: %s", r.Status, o.status, r.Body)
	}
	id, header := r.Header.Get("X-Farthing-Id"), r.Header
	if id == "" || header.Get("X-Farthing-Model") != o.name || header.Get("X-Farthing-Target") != o.name+"/m" || header.Get("X-Farthing-Reason") != "only_target" {
		t.Errorf("headers %v", header)
	}
	rc := g.receipt(t, id)
	if streamed := r.Status == 200 && o.asks == stream; (header.Get("X-Farthing-Cost-Usd") == rc.Cost.String()) == streamed {
		t.Errorf("cost %q, the receipt says %s", header.Get("X-Farthing-Cost-Usd"), rc.Cost)
	}
	switch {
	case o.status != 200:
		o.saysWhy(t, refused(t, r))
		if strings.Contains(r.Body, "acme") {
			t.Errorf("the client hears of our account: %s", r.Body)
		}
	case o.asks == stream:
		o.streamed(t, r, rc)
	case r.Body != completion("") && !strings.HasPrefix(r.Body, strings.TrimSuffix(completion(","), "}")):
		t.Errorf("the answer is %s", r.Body)
	}
	if wait := map[int]string{429: "7", 503: "9"}[o.status]; strings.HasPrefix(o.name, "s") && wait != "" && header.Get("Retry-After") != wait {
		t.Errorf("Retry-After %q, want %s", header.Get("Retry-After"), wait)
	}
	if len(rc.Attempts) != 1 {
		t.Fatalf("%d attempts: %+v", len(rc.Attempts), rc)
	}
	o.settled(t, rc, &rc.Attempts[0])
	if rc.Cost != rc.Attempts[0].Cost || rc.UsageSource != o.source || rc.Asked != o.name || (rc.Outcome == "ok") != (o.says == "") {
		t.Errorf("receipt %+v", rc)
	}
	return rc
}

func (o *outcome) saysWhy(t *testing.T, e refusal) {
	t.Helper()
	if o.code != "" && e.Code != o.code || !strings.Contains(e.Message, o.says) {
		t.Errorf("error %+v, want code %q and %q", e, o.code, o.says)
	}
}

// streamed checks what came through: the events, an error as the last of them
// where it broke, and our comment.
func (o *outcome) streamed(t *testing.T, r reply, rc *record.Receipt) {
	t.Helper()
	events := dataOf(r.Body)
	if len(events) < 2 || events[0] != role || slices.Contains(events, usageOnly) {
		t.Fatalf("events %q", events) // usage was not asked for
	}
	last := events[len(events)-1]
	if o.broken {
		o.saysWhy(t, errorObject(t, last))
	} else if last != done {
		t.Errorf("the stream ends with %s", last)
	}
	if c := closed(t, r.Body); c.ID != rc.ID || c.Target != o.name+"/m" || c.Cost != rc.Cost {
		t.Errorf("the comment says %+v, the receipt %s", c, rc.Cost)
	}
}

// settled checks the attempt's bill.
func (o *outcome) settled(t *testing.T, rc *record.Receipt, a *record.Attempt) {
	t.Helper()
	want := a.Hold
	switch o.cost {
	case theHold:
	case "": // by our own count: "Paris." has two tokens
		output := int64(2)
		if o.broken {
			output = 1
		}
		if a.Usage.Input != rc.Estimate.Input || a.Usage.Output != output {
			t.Errorf("usage %+v, want %d in and %d out", a.Usage, rc.Estimate.Input, output)
		}
		want = providers.Money(a.Usage.Input*1e3 + a.Usage.Output*10e3)
	default:
		m, err := providers.ParseMoney(o.cost)
		if err != nil {
			t.Fatal(err)
		}
		want = m
	}
	// $1 per million for the prompt, $10 for the hundred tokens that may come.
	if hold := providers.Money(rc.Estimate.InputBound*1e3 + 100*10e3); a.Hold != hold || a.MaxOutput != 100 {
		t.Errorf("held %s for %d tokens of output, want %s", a.Hold, a.MaxOutput, hold)
	}
	if a.Cost != want || a.UsageSource != o.source || a.Target != o.name+"/m" || a.ID == "" || a.ID == rc.ID {
		t.Errorf("attempt %+v, want cost %s, %s", a, want, o.source)
	}
	o.itemised(t, a)
	status := o.upstatus
	switch {
	case o.script == nil || status == -1:
		status = 0
	case status == 0:
		status = o.status
	}
	if a.Status != status || (a.Outcome == "ok") != (o.says == "") {
		t.Errorf("the provider's status %d, want %d; outcome %s", a.Status, status, a.Outcome)
	}
}

// itemised checks that the lines of a bill add up to it: by the price book, or
// the one of the provider's own cost. What is settled at its hold has no bill.
func (o *outcome) itemised(t *testing.T, a *record.Attempt) {
	t.Helper()
	if o.cost == theHold || o.source == "none" {
		return
	}
	var sum providers.Money
	for _, l := range a.Lines {
		m, err := providers.ParseMoney(l.Amount)
		if err != nil {
			t.Errorf("line %+v: %v", l, err)
		}
		sum += m
	}
	if sum != a.Cost || len(a.Lines) == 0 {
		t.Errorf("the lines %+v add up to %s, the bill is %s", a.Lines, sum, a.Cost)
	}
}

// fallsBack sends the request to a model with a second target, which serves.
func (o *outcome) fallsBack(t *testing.T, g *gateway) *record.Receipt {
	r := g.post(t, ask(o.name+"-else", o.asks))
	rc := g.receipt(t, r.Header.Get("X-Farthing-Id"))
	if r.Status != 200 || r.Header.Get("X-Farthing-Target") != "spare/m" || rc.Target != "spare/m" || len(rc.Attempts) != 2 {
		t.Fatalf("%d %v %s, attempts %+v", r.Status, r.Header, r.Body, rc.Attempts)
	}
	first, second := &rc.Attempts[0], &rc.Attempts[1]
	o.settled(t, rc, first)
	if first.ID == second.ID || second.Hold == 0 || second.Cost.String() != "0.00004" || second.UsageSource != "provider" || rc.Cost != first.Cost+second.Cost {
		t.Errorf("attempts %+v", rc.Attempts)
	}
	if o.asks == stream {
		if c := closed(t, r.Body); c.Target != "spare/m" || c.Cost != rc.Cost {
			t.Errorf("the comment says %+v, the receipt %s", c, rc.Cost)
		}
	} else if r.Header.Get("X-Farthing-Cost-Usd") != rc.Cost.String() {
		t.Errorf("cost %q, the receipt says %s", r.Header.Get("X-Farthing-Cost-Usd"), rc.Cost)
	}
	return rc
}

// staysRefused sends the request to a model with a second target, which is not
// tried: the request itself is at fault.
func (o *outcome) staysRefused(t *testing.T, g *gateway) *record.Receipt {
	r := g.post(t, ask(o.name+"-else", o.asks))
	rc := g.receipt(t, r.Header.Get("X-Farthing-Id"))
	if r.Status != o.status || r.Header.Get("X-Farthing-Target") != o.name+"/m" || len(rc.Attempts) != 1 {
		t.Fatalf("%d %v %s, attempts %+v", r.Status, r.Header, r.Body, rc.Attempts)
	}
	o.saysWhy(t, refused(t, r))
	o.settled(t, rc, &rc.Attempts[0])
	return rc
}

// booked checks that the target's own budget was charged what the receipts say.
func (o *outcome) booked(t *testing.T, budgets map[string]admin.BudgetView, receipts ...*record.Receipt) {
	t.Helper()
	var want providers.Money
	for _, rc := range receipts {
		if rc != nil {
			want += rc.Attempts[0].Cost
		}
	}
	if b, ok := budgets["targets/"+o.name+"/m"]; !ok || b.Spent != want {
		t.Errorf("budget %+v (%v), want %s spent", b, ok, want)
	}
}
