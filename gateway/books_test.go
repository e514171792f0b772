package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"farthing/gateway/admin"
	"farthing/gateway/record"
	"farthing/providers"
)

// admin calls the operations surface and decodes its answer into v.
func (g *gateway) admin(t *testing.T, method, path, body string, v any) {
	t.Helper()
	r := g.send(t, method, "/admin/v1/"+path, body, "Authorization: Bearer "+g.AdminKey)
	if r.Status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, r.Status, r.Body)
	}
	if err := json.Unmarshal([]byte(r.Body), v); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, r.Body)
	}
}

// budgets are the budgets' figures now, by name.
func (g *gateway) budgets(t *testing.T) map[string]admin.BudgetView {
	t.Helper()
	var views []admin.BudgetView
	g.admin(t, http.MethodGet, "budgets", "", &views)
	all := make(map[string]admin.BudgetView, len(views))
	for _, v := range views {
		all[v.Name] = v
	}
	return all
}

// receipts are the receipts in the store, newest first.
func (g *gateway) receipts(t *testing.T) []*record.Receipt {
	t.Helper()
	var all, page []*record.Receipt
	for before := ""; ; before = page[len(page)-1].ID {
		page = nil
		g.admin(t, http.MethodGet, "receipts?before="+before, "", &page)
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

// balanced waits until nothing is held anywhere and the budget `all`, which
// every paid attempt charges, has spent what the receipts say. It returns the
// budgets' figures.
func (g *gateway) balanced(t *testing.T) map[string]admin.BudgetView {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		var sum providers.Money
		for _, rc := range g.receipts(t) {
			for _, a := range rc.Attempts {
				sum += a.Cost
			}
		}
		wrong := ""
		budgets := g.budgets(t)
		for name, b := range budgets {
			if b.Held != 0 || b.Unconfirmed != 0 {
				wrong += fmt.Sprintf(" %s holds %s, unconfirmed %s.", name, b.Held, b.Unconfirmed)
			}
		}
		if spent := budgets["all"].Spent; spent != sum {
			wrong += fmt.Sprintf(" all: spent %s, the receipts' sum is %s.", spent, sum)
		}
		switch {
		case wrong == "":
			return budgets
		case time.Now().After(deadline):
			t.Fatalf("the books do not balance:%s", wrong)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// refusal is OpenAI's error object.
type refusal struct{ Message, Type, Code, Param string }

// refused checks that an answer is an error in OpenAI's shape, with all of its
// members and nothing beside it.
func refused(t *testing.T, r reply) refusal {
	t.Helper()
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		t.Errorf("the error's type is %q: %s", r.Header.Get("Content-Type"), r.Body)
	}
	return errorObject(t, r.Body)
}

func errorObject(t *testing.T, body string) refusal {
	t.Helper()
	var o struct{ Error map[string]*string }
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		t.Errorf("no error object: %v in %s", err, body)
		return refusal{}
	}
	text := func(name string) string {
		v, ok := o.Error[name]
		if !ok {
			t.Errorf("the error lacks %q: %s", name, body)
		}
		if v == nil {
			return ""
		}
		return *v
	}
	e := refusal{text("message"), text("type"), text("code"), text("param")}
	if e.Message == "" || e.Type == "" {
		t.Errorf("the error lacks a message or a type: %s", body)
	}
	return e
}

// dataOf are the data lines of a stream.
func dataOf(body string) (events []string) {
	for line := range strings.Lines(body) {
		if data, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "data: "); ok {
			events = append(events, data)
		}
	}
	return events
}

// closing is what the comment at the end of a stream says.
type closing struct {
	ID     string          `json:"id"`
	Target string          `json:"target"`
	Cost   providers.Money `json:"cost_usd"`
}

var lastComment = regexp.MustCompile(`\n\n: farthing (\{.*\})\n\n$`)

// closed reads the comment that must end every stream.
func closed(t *testing.T, body string) (c closing) {
	t.Helper()
	found := lastComment.FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("the stream does not end with our comment:\n%s", body)
	}
	if err := json.Unmarshal([]byte(found[1]), &c); err != nil {
		t.Fatalf("%v in %s", err, found[1])
	}
	return c
}
