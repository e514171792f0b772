package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// billed is a file with one paid target at $1 in and $10 out per million.
func billed(u *upstream, more string) string {
	return `
providers:
  corp: {type: openai-compatible, url: "` + u.at("corp") + `", models: {big: {id: big-v2, context: 131072, max_output: 8192}}` + more + `}
engines: {}
models: {auto: [corp/big]}
budgets: {all: {limit: $1000 per day}}
prices: {rows: [{target: corp/big, input: 1, output: 10}]}
`
}

const thousandIn = `,"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}`

// TestDiscount bills less by what was negotiated, and says so in a line.
func TestDiscount(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": says(200, completion(thousandIn))})
	for _, c := range []struct {
		more, cost string
		lines      int
	}{{"", "0.002", 2}, {", discount: 12.5%", "0.00175", 3}} {
		g := serve(t, billed(u, c.more))
		r := g.post(t, ask("auto", ""))
		rc := g.receipt(t, r.Header.Get("X-Farthing-Id"))
		if r.Header.Get("X-Farthing-Cost-Usd") != c.cost || rc.Cost.String() != c.cost || len(rc.Attempts[0].Lines) != c.lines {
			t.Errorf("discount %q: cost %s, receipt %s, lines %+v", c.more, r.Header.Get("X-Farthing-Cost-Usd"), rc.Cost, rc.Attempts[0].Lines)
		}
		if spent := g.balanced(t)["all"].Spent.String(); spent != c.cost {
			t.Errorf("discount %q: the budget has spent %s, want %s", c.more, spent, c.cost)
		}
	}
}

// TestLearnedSurvives keeps what was learned of answers' lengths across a
// restart.
func TestLearnedSurvives(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": says(200, completion(thousandIn))})
	data := filepath.Join(t.TempDir(), "data")
	file := billed(u, "") + "data: " + data + "\n"
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	likely := func(g *gateway) int64 {
		r := g.post(t, ask("auto", ""))
		return g.receipt(t, r.Header.Get("X-Farthing-Id")).Estimate.OutputLikely
	}
	g := serve(t, file)
	first := likely(g)
	for range 220 {
		likely(g)
	}
	learned := likely(g)
	if err := g.close(); err != nil {
		t.Fatal(err)
	}
	if again := likely(serve(t, file)); learned == first || again != learned {
		t.Errorf("likely output: %d at first, %d learned, %d after a restart", first, learned, again)
	}
}
