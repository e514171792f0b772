package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// reloadable is a file whose models and budgets change.
func reloadable(u *upstream, data, rest string) string {
	return `data: ` + data + `
server: {listen: "127.0.0.1:0", admin: {key: fa-test}}
providers:
  corp: {type: openai-compatible, url: "` + u.at("corp") + `", models: {big: {context: 8192, max_output: 100}}}
  next: {type: openai-compatible, url: "` + u.at("next") + `", models: {m: {context: 8192, max_output: 100}}}
engines: {}
prices: {rows: [{target: corp/big, input: 1, output: 10}, {target: next/m, input: 1, output: 10}]}
` + rest
}

// rewrite puts a new file in the place of the gateway's, as editors do.
func (g *gateway) rewrite(t *testing.T, file string) {
	t.Helper()
	beside := g.File + ".new"
	if err := os.WriteFile(beside, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, g.File); err != nil {
		t.Fatal(err)
	}
}

const before = `models: {auto: corp/big, old: corp/big}
budgets: {all: {limit: $1000}, first: {inside: all, limit: $10}}
`

// TestReload changes the file while a stream runs: the stream ends on what it
// began with, and the next request goes by the new file.
func TestReload(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	u := scripted(t, map[string]http.HandlerFunc{"next": well, "corp": func(w http.ResponseWriter, r *http.Request) {
		streams(role, paris)(w, r)
		close(begun)
		<-goOn
		emit(w, stop, usageOnly, done)
	}})
	data := filepath.Join(t.TempDir(), "kept")
	g := serve(t, reloadable(u, data, before))
	g.AdminKey = "fa-test"
	answer := make(chan reply, 1)
	go func() { answer <- g.post(t, ask("auto", stream)) }()
	<-begun

	g.rewrite(t, reloadable(u, data, `models: {auto: next/m, new: next/m}
budgets: {all: {limit: $2000}, second: {inside: all, limit: $20}}
`))
	g.logs(t, "the file was loaded anew")
	for model, status := range map[string]int{"auto": 200, "new": 200, "old": 404} {
		r := g.post(t, ask(model, ""))
		if r.Status != status || status == 200 && r.Header.Get("X-Farthing-Target") != "next/m" {
			t.Errorf("%s under the new file: %d %v %s", model, r.Status, r.Header, r.Body)
		}
	}
	close(goOn)
	r := <-answer
	events := dataOf(r.Body)
	c := closed(t, r.Body)
	if len(events) != 5 || events[4] != done || c.Target != "corp/big" || c.Cost.String() != "0.00004" {
		t.Errorf("the stream under the old file: %s", r.Body)
	}
	if rc := g.receipt(t, c.ID); len(rc.Budgets) != 2 || rc.Budgets[1].Name != "first" && rc.Budgets[0].Name != "first" {
		t.Errorf("the stream was booked to %+v", rc.Budgets)
	}
	b := g.balanced(t)
	if _, kept := b["first"]; kept || b["all"].Limit.String() != "2000" || b["all"].Spent.String() != "0.00012" || b["second"].Spent.String() != "0.00008" {
		t.Errorf("budgets %+v", b)
	}
}

// TestBadReload makes edits that cannot be taken: each changes nothing and is
// logged with its place, and the next good one is taken.
func TestBadReload(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": well, "next": well})
	data := filepath.Join(t.TempDir(), "kept")
	g := serve(t, reloadable(u, data, before))
	g.AdminKey = "fa-test"
	good := func(limit string) string {
		return reloadable(u, data, "models: {auto: corp/big, new: next/m}\nbudgets: {all: {limit: "+limit+"}, second: {inside: all, limit: $20}}\n")
	}
	for _, c := range []struct{ name, file, place, says string }{
		{"YAML", strings.Replace(good("$9"), "models: {auto", "models: {{auto", 1), ":9:1", "YAML"},
		{"an unknown field", good("$9") + "modles: {}\n", ":10:1", "modles"},
		{"a wrong unit", good("$12.5k"), ":9:24", "12.5k"},
		{"a dangling name", strings.Replace(good("$9"), "new: next/m", "new: nowhere/m", 1), ":8:31", "nowhere"},
		{"a bad when", good("$9") + "policies: {p: {when: 'team = 1', only: {self_hosted: true}}}\n", ":10:22", ""},
		{"no price", strings.Replace(good("$9"), "new: next/m", "new: next/unpriced", 1), ":8:31", "next/unpriced"},
		{"emptied", "", "", "is empty"},
		{"another address", strings.Replace(good("$9"), "127.0.0.1:0", "127.0.0.1:1", 1), "", "server has changed"},
		{"let in otherwise", strings.Replace(good("$9"), "server: {", "server: {open_on_localhost: false, ", 1), "", "server has changed"},
		{"another data folder", strings.Replace(good("$9"), data, data+"2", 1), "", "data has changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := len(g.Log.String())
			refusals := strings.Count(g.Log.String(), "the file was not taken")
			g.rewrite(t, c.file)
			g.logsTimes(t, "the file was not taken", refusals+1)
			said := g.Log.String()[seen:]
			if !strings.Contains(said, c.says) || c.place != "" && !strings.Contains(said, g.File+c.place) {
				t.Errorf("the log does not say %q at %s:\n%s", c.says, c.place, said)
			}
			for model, status := range map[string]int{"auto": 200, "old": 200, "new": 404} {
				if r := g.post(t, ask(model, "")); r.Status != status {
					t.Errorf("%s then: %d %s", model, r.Status, r.Body)
				}
			}
			if b := g.balanced(t); b["all"].Limit.String() != "1000" || b["first"].Name == "" || b["second"].Name != "" {
				t.Errorf("budgets %+v", b)
			}
		})
	}
	g.rewrite(t, good("$9"))
	g.logs(t, "the file was loaded anew")
	if r := g.post(t, ask("new", "")); r.Status != 200 {
		t.Errorf("the good file then: %d %s", r.Status, r.Body)
	}
	if b := g.balanced(t); b["all"].Limit.String() != "9" || b["second"].Spent.String() != "0.00004" {
		t.Errorf("budgets %+v", b)
	}
}

// TestReloadTightens proves that a lowered limit and a new policy bind the next
// request, and that keys of the file come and go with it.
func TestReloadTightens(t *testing.T) {
	u := scripted(t, map[string]http.HandlerFunc{"corp": well})
	data := filepath.Join(t.TempDir(), "kept")
	keys := "keys: {guest: {sha256: " + hashOf("fk-guest") + ", owner: gus}}\n"
	g := serve(t, reloadable(u, data, before+keys))
	g.AdminKey = "fa-test"
	if r := g.post(t, ask("auto", ""), bearer("fk-guest")); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	g.balanced(t)
	g.rewrite(t, reloadable(u, data, strings.Replace(before, "$1000", "$0.00003", 1)+"policies: {none: {when: 'key == \"local\"', only: {self_hosted: true}}}\n"))
	g.logs(t, "the file was loaded anew")
	for _, c := range []struct {
		headers []string
		status  int
	}{{[]string{bearer("fk-guest")}, 401}, {nil, 403}} {
		if r := g.post(t, ask("auto", ""), c.headers...); r.Status != c.status {
			t.Errorf("%v: %d %s", c.headers, r.Status, r.Body)
		}
	}
	g.rewrite(t, reloadable(u, data, strings.Replace(before, "$1000", "$0.00003", 1)+keys))
	g.logsTimes(t, "the file was loaded anew", 2)
	r := g.post(t, ask("auto", ""), bearer("fk-guest"))
	if e := refused(t, r); r.Status != 429 || !strings.Contains(e.Message, "limit $0.00003") || !strings.Contains(e.Message, "spent $0.00004") {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if b := g.balanced(t)["all"]; b.Over.String() != "0.00001" {
		t.Errorf("budget %+v", b)
	}
}
