package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"farthing/gateway/record"
	"farthing/providers"
)

// bearer is the header of a key.
func bearer(secret string) string { return "Authorization: Bearer " + secret }

// policed is a gateway with a paid provider, an engine that serves and one that
// fails, and the keys that policies tell apart. more is added to its file.
func policed(t *testing.T, more string) (*gateway, *upstream) {
	t.Helper()
	u := scripted(t, map[string]http.HandlerFunc{"corp": well, "own": well, "ill": says(500, `{}`)})
	file := `
providers:
  corp: {type: openai-compatible, url: "` + u.at("corp") + `", models: {big: {context: 8192, max_output: 100}, small: {context: 8192, max_output: 100}}}
engines:
  own: {type: vllm, url: "` + u.at("own") + `", models: {m: m-1}}
  ill: {type: vllm, url: "` + u.at("ill") + `", models: {m: m-1}}
models:
  big: corp/big
  small: corp/small
  auto: [corp/big, own/m]
  own-first: [own/m, corp/big]
  ill-paid: [ill/m, corp/big]
  ill-paid-own: [ill/m, corp/big, own/m]
prices: {rows: [{target: corp/big, input: 1, output: 10}, {target: corp/small, input: 0.1, output: 1}]}
keys:
  counsel: {sha256: ` + hashOf("fk-counsel") + `, owner: cora, team: legal}
  secret: {sha256: ` + hashOf("fk-secret") + `, owner: sam, team: core, tags: {class: secret}}
  portal: {sha256: ` + hashOf("fk-portal") + `, owner: portal, team: core, trust_user_header: true}
  plain: {sha256: ` + hashOf("fk-plain") + `, owner: pia, team: core}
` + more
	if !strings.Contains(file, "budgets:") {
		file += "budgets: {all: {limit: $1000}}\n"
	}
	return serve(t, file), u
}

// TestRefuseStopsOwn has a budget that refuses stop a self-hosted target that
// stands first, once nothing paid fits any more, and another let it go on.
func TestRefuseStopsOwn(t *testing.T) {
	for rule, status := range map[string]int{"when_spent: refuse": 429, "when_spent: self_hosted": 200} {
		g, _ := policed(t, `
budgets: {all: {limit: $0.0006, `+rule+`}}
`)
		if r := g.post(t, ask("own-first", "")); r.Status != 200 || r.Header.Get("X-Farthing-Target") != "own/m" {
			t.Fatalf("%s: %d %s", rule, r.Status, r.Body)
		}
		for tries := 0; g.post(t, ask("big", "")).Status == 200; tries++ { // spend what there is
			if tries == 50 {
				t.Fatal("the budget does not end")
			}
		}
		g.balanced(t)
		if r := g.post(t, ask("own-first", "")); r.Status != status || status == 429 && !strings.Contains(r.Body, "budget all") {
			t.Errorf("%s, spent: %d %s, want %d", rule, r.Status, r.Body, status)
		}
	}
}

const rules = `
policies:
  pii-stays-inside: {when: '"pii" in tags', only: {self_hosted: true}}
  legal-stays-inside: {when: team == "legal", only: {self_hosted: true}}
  secrets-stay-inside: {when: tags.class == "secret", only: {self_hosted: true}}
  bob-stays-inside: {when: user == "bob", only: {self_hosted: true}}
`

// TestPoliciesHold proves that a policy binds every request, whatever its client
// does: name a paid model outright, name another user, overwrite its key's tags,
// or fall back.
func TestPoliciesHold(t *testing.T) {
	g, u := policed(t, rules)
	for _, c := range []struct {
		name, model string
		headers     []string
		target      string // that serves; "" for none
		status      int
		says        string // of the refusal
		policy      string // that the receipt names; "" for none
	}{
		{"nothing binds", "big", nil, "corp/big", 200, "", ""},
		{"a tag", "big", []string{"x-farthing-tags: pii"}, "", 403, "pii-stays-inside", "pii-stays-inside"},
		{"a tag with a value", "big", []string{"x-farthing-tags: app=x,pii=no"}, "", 403, "pii-stays-inside", "pii-stays-inside"},
		{"a tag, another target", "auto", []string{"x-farthing-tags: pii"}, "own/m", 200, "", "pii-stays-inside"},
		{"a team", "big", []string{bearer("fk-counsel")}, "", 403, "legal-stays-inside", "legal-stays-inside"},
		{"a team, another target", "auto", []string{bearer("fk-counsel")}, "own/m", 200, "", "legal-stays-inside"},
		{"a team and another user's name", "big", []string{bearer("fk-counsel"), "x-farthing-user: pia"}, "", 403, "legal-stays-inside", "legal-stays-inside"},
		{"a team and tags", "big", []string{bearer("fk-counsel"), "x-farthing-tags: team=core"}, "", 403, "legal-stays-inside", "legal-stays-inside"},
		{"a team falls back", "ill-paid-own", []string{bearer("fk-counsel")}, "own/m", 200, "", "legal-stays-inside"},
		{"a team cannot fall back", "ill-paid", []string{bearer("fk-counsel")}, "", 502, "HTTP 500", "legal-stays-inside"},
		{"others fall back", "ill-paid", []string{bearer("fk-plain")}, "corp/big", 200, "", ""},
		{"a key's own tag wins", "big", []string{bearer("fk-secret"), "x-farthing-tags: class=public"}, "", 403, "secrets-stay-inside", "secrets-stay-inside"},
		{"a user that is not believed", "big", []string{bearer("fk-plain"), "x-farthing-user: bob"}, "corp/big", 200, "", ""},
		{"a user that is believed", "big", []string{bearer("fk-portal"), "x-farthing-user: bob"}, "", 403, "bob-stays-inside", "bob-stays-inside"},
		{"a believed user of another name", "big", []string{bearer("fk-portal"), "x-farthing-user: pia"}, "corp/big", 200, "", ""},
	} {
		for _, asks := range []string{"", stream} {
			t.Run(c.name+asks, func(t *testing.T) {
				paid := len(u.received("corp"))
				r := g.post(t, ask(c.model, asks), c.headers...)
				rc := g.receipt(t, r.Header.Get("X-Farthing-Id"))
				if r.Status != c.status {
					t.Fatalf("%d %s", r.Status, r.Body)
				}
				if e := (refusal{}); c.status != 200 {
					if e = refused(t, r); !strings.Contains(e.Message, c.says) {
						t.Errorf("%+v does not say %q", e, c.says)
					}
				} else if r.Header.Get("X-Farthing-Target") != c.target {
					t.Errorf("served by %s, want %s", r.Header.Get("X-Farthing-Target"), c.target)
				}
				if (c.policy != "") != slices.Contains(rc.Policies, c.policy) {
					t.Errorf("the receipt names the policies %v, want %q", rc.Policies, c.policy)
				}
				if sent := len(u.received("corp")) - paid; (sent > 0) != (c.target == "corp/big") {
					t.Errorf("the paid provider got %d requests", sent)
				}
			})
		}
	}
	g.balanced(t)
}

// TestUserHeader proves whose budget a request is booked to.
func TestUserHeader(t *testing.T) {
	g, _ := policed(t, "budgets: {all: {limit: $1000}, people: {inside: all, each: user, limit: $1}}\n")
	for _, c := range []struct{ secret, header, user string }{
		{"fk-plain", "", "pia"}, {"fk-plain", "bob", "pia"}, {"fk-portal", "bob", "bob"}, {"fk-portal", "", "portal"},
	} {
		headers := []string{bearer(c.secret)}
		if c.header != "" {
			headers = append(headers, "x-farthing-user: "+c.header)
		}
		r := g.post(t, ask("big", ""), headers...)
		if rc := g.receipt(t, r.Header.Get("X-Farthing-Id")); rc.User != c.user || len(rc.Budgets) != 2 || rc.Budgets[1].Name != "people/"+c.user && rc.Budgets[0].Name != "people/"+c.user {
			t.Errorf("%+v: booked to %s, %+v", c, rc.User, rc.Budgets)
		}
	}
	budgets := g.balanced(t)
	for user, want := range map[string]string{"pia": "0.00008", "bob": "0.00004", "portal": "0.00004"} {
		if got := budgets["people/"+user].Spent.String(); got != want {
			t.Errorf("%s spent %s, want %s", user, got, want)
		}
	}
}

// TestFallbackBudget proves that a fallback to a paid target passes the budgets
// like any other request, and those for fallbacks alone.
func TestFallbackBudget(t *testing.T) {
	budgets := `
budgets:
  all: {limit: $1000}
  rescue: {inside: all, when: 'fallback_from != ""', limit: $LIMIT}
  after-ill: {inside: all, when: 'fallback_from.startsWith("ill/") && !self_hosted && provider == "corp"', limit: $1}
`
	g, _ := policed(t, strings.Replace(budgets, "LIMIT", "1", 1))
	for model, reason := range map[string]string{"big": "only_target", "ill-paid": "in_order; fallback"} {
		if r := g.post(t, ask(model, "")); r.Status != 200 || r.Header.Get("X-Farthing-Reason") != reason {
			t.Fatalf("%s: %d %q %s", model, r.Status, r.Header.Get("X-Farthing-Reason"), r.Body)
		}
	}
	figures := g.balanced(t)
	for name, want := range map[string]string{"all": "0.00008", "rescue": "0.00004", "after-ill": "0.00004"} {
		if got := figures[name].Spent.String(); got != want {
			t.Errorf("%s spent %s, want %s", name, got, want)
		}
	}
	g, u := policed(t, strings.Replace(budgets, "LIMIT", "0.000001", 1))
	r := g.post(t, ask("ill-paid", ""))
	rc := g.receipt(t, r.Header.Get("X-Farthing-Id"))
	if refused(t, r); r.Status != 502 || len(rc.Attempts) != 1 || !strings.Contains(strings.Join(rc.Notes, " "), "rescue") {
		t.Errorf("%d %s, notes %v", r.Status, r.Body, rc.Notes)
	}
	if r := g.post(t, ask("ill-paid-own", "")); r.Status != 200 || r.Header.Get("X-Farthing-Target") != "own/m" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if n := len(u.received("corp")); n != 0 {
		t.Errorf("the paid provider got %d requests", n)
	}
}

// TestWhenSpent proves what follows once no paid hold fits.
func TestWhenSpent(t *testing.T) {
	for _, c := range []struct {
		name, whenSpent, more, model string
		target                       string // "" for a refusal
		status                       int
		says                         string
	}{
		{"by itself", "", "", "auto", "own/m", 200, ""},
		{"by itself, nothing owned", "", "", "big", "", 429, "budget big"},
		{"self_hosted", "when_spent: self_hosted,", "", "auto", "own/m", 200, ""},
		{"refuse", "when_spent: refuse,", "", "auto", "", 429, "budget big"},
		{"another model", "when_spent: {model: small},", "", "big", "corp/small", 200, ""},
		{"another model that the key may not use", "when_spent: {model: small},", "key_defaults: {may_use: [big]}", "big", "", 403, "small"},
		{"another model that a policy forbids", "when_spent: {model: small},", "policies: {no-small: {only: {targets: [corp/big]}}}", "big", "", 403, "no-small"},
		{"another model that is spent too", "when_spent: {model: big},", "", "big", "", 429, "budget big"},
		{"the strictest wins", "when_spent: {model: small},", "  worse: {when: 'target == \"corp/big\"', limit: $0.000001, when_spent: refuse}\n", "auto", "", 429, "is spent"},
		{"warn only", "mode: warn,", "", "auto", "corp/big", 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, u := policed(t, `
budgets:
  all: {limit: $1000}
  big: {inside: all, `+c.whenSpent+` when: 'target == "corp/big"', limit: $0.000001}
`+c.more+"\n")
			r := g.post(t, ask(c.model, ""))
			if r.Status != c.status || r.Header.Get("X-Farthing-Model") != c.model {
				t.Fatalf("%d %v %s", r.Status, r.Header, r.Body)
			}
			if c.target == "" {
				if e := refused(t, r); !strings.Contains(e.Message, c.says) {
					t.Errorf("%+v does not say %q", e, c.says)
				}
			} else if r.Header.Get("X-Farthing-Target") != c.target {
				t.Errorf("served by %s, want %s", r.Header.Get("X-Farthing-Target"), c.target)
			}
			if n := len(u.received("corp")); (n > 0) != strings.HasPrefix(c.target, "corp/") {
				t.Errorf("the paid provider got %d requests", n)
			}
			g.balanced(t)
		})
	}
}

// TestCapHolds sends more at once than a budget can pay for, each answered as
// long as it may be: what is spent stays below the limit.
func TestCapHolds(t *testing.T) {
	g, u := policed(t, "budgets: {all: {limit: $0.01, when_spent: refuse}}\n")
	statuses := make(chan int)
	const clients = 60
	for range clients {
		go func() { statuses <- g.post(t, ask("big", `,"max_tokens":100`)).Status }()
	}
	served, other := 0, 0
	for range clients {
		switch <-statuses {
		case 200:
			served++
		case 429:
		default:
			other++
		}
	}
	b := g.balanced(t)["all"]
	if b.Spent > b.Limit || served < 5 || served == clients || other > 0 || served != len(u.received("corp")) || int64(b.Spent) != int64(served)*40e3 {
		t.Errorf("%d served, %d neither served nor refused, %d sent, budget %+v", served, other, len(u.received("corp")), b)
	}
}

// TestMaxCost proves that a client's own bound on a request is kept.
func TestMaxCost(t *testing.T) {
	g, u := policed(t, "")
	r := g.post(t, ask("big", ""), "x-farthing-max-cost-usd: 0.0006")
	rc := g.receipt(t, r.Header.Get("X-Farthing-Id"))
	if a := rc.Attempts[0]; r.Status != 200 || a.Hold > providers.Dollar*6/10000 || a.MaxOutput >= 100 ||
		!strings.Contains(u.received("corp")[0].Body, fmt.Sprintf(`"max_tokens":%d`, a.MaxOutput)) {
		t.Errorf("held %s for %d tokens, sent %s", a.Hold, a.MaxOutput, u.received("corp")[0].Body)
	}
	r = g.post(t, ask("big", ""), "x-farthing-max-cost-usd: 0.0001")
	if e := refused(t, r); r.Status != 403 || !strings.Contains(e.Message, "x-farthing-max-cost-usd") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r = g.post(t, ask("auto", ""), "x-farthing-max-cost-usd: 0"); r.Header.Get("X-Farthing-Target") != "own/m" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if n := len(u.received("corp")); n != 1 {
		t.Errorf("the paid provider got %d requests", n)
	}
}

// TestExplainHeader proves that a request for its decision alone sends and holds
// nothing.
func TestExplainHeader(t *testing.T) {
	g, u := policed(t, rules)
	r := g.post(t, ask("auto", stream), "x-farthing-explain: 1", "x-farthing-tags: pii")
	var rc record.Receipt
	if err := json.Unmarshal([]byte(r.Body), &rc); err != nil {
		t.Fatalf("%v in %s", err, r.Body)
	}
	if r.Status != 200 || rc.Target != "own/m" || r.Header.Get("X-Farthing-Target") != "own/m" || !slices.Contains(rc.Policies, "pii-stays-inside") ||
		len(rc.Candidates) != 2 || rc.Candidates[0].WhyNot == "" || rc.Candidates[1].Rank != 1 || len(rc.Attempts) != 0 || rc.Cost != 0 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	r = g.post(t, ask("big", ""), "x-farthing-explain: 1", "x-farthing-tags: pii")
	if e := refused(t, r); r.Status != 403 || e.Code != "policy_forbids" {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if n := len(u.received("corp")) + len(u.received("own")); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if b := g.balanced(t)["all"]; b.Spent != 0 {
		t.Errorf("spent %s", b.Spent)
	}
}

// TestKeyDefaults proves that a key without a list of its own may use what the
// defaults list, and sees nothing else.
func TestKeyDefaults(t *testing.T) {
	g, u := policed(t, `key_defaults: {may_use: [auto, "sm*"]}`+"\n")
	for model, status := range map[string]int{"auto": 200, "small": 200, "big": 403, "corp/big": 403, "nothing": 403} {
		r := g.post(t, ask(model, ""), bearer("fk-plain"))
		if r.Status != status {
			t.Errorf("%s: %d %s", model, r.Status, r.Body)
		}
		if e := (refusal{}); status == 403 {
			if e = refused(t, r); e.Code != "model_not_allowed" || !strings.Contains(e.Message, "auto, sm*") {
				t.Errorf("%s: %+v", model, e)
			}
		}
	}
	r := g.send(t, http.MethodGet, "/v1/models", "", bearer("fk-plain"))
	var list struct{ Data []struct{ ID string } }
	if err := json.Unmarshal([]byte(r.Body), &list); err != nil || len(list.Data) != 2 || list.Data[0].ID != "auto" || list.Data[1].ID != "small" {
		t.Errorf("models %s", r.Body)
	}
	if n := len(u.received("corp")); n != 2 {
		t.Errorf("the paid provider got %d requests", n)
	}
	g.balanced(t)
}
