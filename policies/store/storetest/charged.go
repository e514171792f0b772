package storetest

import (
	"testing"
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger"
	"farthing/policies/match"
	"farthing/providers"
)

// charged checks that what was charged in a present window can be found again
// by a tree that has never seen its values, and nothing else.
func charged(t *testing.T, s Store) {
	configs := map[string]budget.Config{
		"all":     {Limit: []budget.Limit{{Amount: providers.Dollar, Window: budget.Month}}},
		"peo*ple": {Limit: []budget.Limit{{Amount: providers.Dollar, Window: budget.Day}, {Amount: providers.Dollar, Window: budget.Total}}, Inside: "all", Each: "user"},
		"teams":   {Limit: []budget.Limit{{Amount: providers.Dollar, Window: budget.Day}}, Inside: "all", Each: "team"},
	}
	before := compiled(t, configs)
	l := newLedger(t, s)
	for _, user := range []string{"ada", "a|b[c]*?\\", ""} {
		h, refusal := l.Hold(t.Context(), time.Now(), []ledger.Offer{{Target: "x", Nodes: before.Path(&match.Vars{User: user, Team: "search"}), Fixed: 1_000_000}})
		if refusal != nil {
			t.Fatalf("hold for %q: %+v", user, refusal)
		}
		l.Settle(h, ledger.Cost{Amount: 1, Source: providers.UsageProvider})
	}
	got, err := l.Charged(t.Context(), compiled(t, configs))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"all", "peo*ple/(none)", "peo*ple/a%7Cb[c]*?\\", "peo*ple/ada", "teams/search"}
	if len(got) != len(want) {
		t.Fatalf("found %d nodes, want %d: %v", len(got), len(want), got)
	}
	for i, n := range got {
		if n.Name != want[i] {
			t.Errorf("node %d is %q, want %q", i, n.Name, want[i])
		}
	}
	closed(t, l)
}

func compiled(t *testing.T, configs map[string]budget.Config) *budget.Tree {
	t.Helper()
	tree, problems := budget.Compile(configs, time.UTC)
	if tree == nil {
		t.Fatal(problems)
	}
	return tree
}
