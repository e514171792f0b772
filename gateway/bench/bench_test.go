package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"farthing/gateway/bench/part"
	"farthing/gateway/bench/table"
)

// TestMain lets this test binary be the bench's parts, which start it again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == part.Command {
		os.Exit(command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// what the rows of each group are: cases, and who shows which figures.
var (
	single = []string{"CPU time", "allocations"}
	loads  = []string{"operations", "p50", "p99"}
	plain  = []string{"requests", "p50", "p99"}
	events = []string{"events", "first event p50", "event delay p50", "event delay p99"}
	crowd  = []string{"first event p99"}
	used1  = []string{"CPU per request", "allocations per request"}
	used2  = []string{"CPU per event", "allocations per event"}
	ways   = []string{"bare fiber proxy", "gateway, SQLite", "gateway, Redis"}
)

// wanted lists every row of a group as "case/who/what".
func wanted(group string) (list []string) {
	add := func(name, who string, figures ...[]string) {
		for _, whats := range figures {
			for _, what := range whats {
				list = append(list, name+"/"+who+"/"+what)
			}
		}
	}
	switch group {
	case "estimate":
		for _, name := range []string{"short chat", "chat of 2k tokens", "chat of 20k tokens"} {
			for _, who := range []string{"estimate, new text", "estimate, seen text", "tiktoken-go"} {
				add(name, who, single, []string{"throughput"})
			}
		}
	case "decide":
		for _, name := range []string{"1 candidate", "5 candidates", "20 candidates"} {
			add(name, "decide", single)
		}
	case "hold":
		for _, clients := range []string{", 1 client", ", 64 clients"} {
			for store, bare := range map[string]string{"SQLite": "bare commit", "Redis everysec": "bare INCRBY", "Redis always": "bare INCRBY"} {
				add(store+clients, "hold and settle", loads)
				add(store+clients, bare, loads)
			}
		}
	case "request":
		add("1 client", whoDirect, plain)
		add("32 clients", whoDirect, plain)
		for _, who := range ways {
			add("1 client", who, plain, []string{"added p50", "added p99"}, used1)
			add("32 clients", who, plain, used1)
		}
	case "stream":
		add("1 client", whoDirect, events)
		add("32 clients", whoDirect, events, crowd)
		for _, who := range ways {
			add("1 client", who, events, []string{"added first event p50", "added event delay p50", "added event delay p99"}, used2)
			add("32 clients", who, events, crowd, used2)
		}
	}
	return list
}

// TestShort runs every group with a handful of operations and checks that every
// row is there and holds a figure.
func TestShort(t *testing.T) {
	for _, group := range names() {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "bench.json")
			var out, errOut bytes.Buffer
			if code := command([]string{"-short", "-only", group, "-json", path}, nil, &out, &errOut); code != 0 {
				t.Fatalf("exit code %d: %s", code, errOut.String())
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var got table.Table
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Groups) != 1 || got.Groups[0].Name != group || !got.Short || got.Rounds != 2 {
				t.Fatalf("%s", text)
			}
			found := map[string]table.Row{}
			for _, r := range got.Groups[0].Rows {
				found[r.Case+"/"+r.Who+"/"+r.What] = r
			}
			for _, name := range wanted(group) {
				r, ok := found[name]
				delete(found, name)
				if !ok {
					t.Errorf("no row %s", name)
					continue
				}
				checkRow(t, name, r)
				if !strings.Contains(out.String(), r.Case) || !strings.Contains(out.String(), r.Who) {
					t.Errorf("%s is not in the table:\n%s", name, out.String())
				}
			}
			for name := range found {
				t.Errorf("a row that nobody expects: %s", name)
			}
		})
	}
}

// checkRow checks that a figure was measured. A difference between two quantiles
// may be below 0, and a seen text may be counted without an allocation.
func checkRow(t *testing.T, name string, r table.Row) {
	t.Helper()
	differs, counts := strings.HasPrefix(r.What, "added"), strings.HasPrefix(r.What, "allocations")
	if r.Median <= 0 && !differs && !counts || r.Median < 0 && counts || r.P10 > r.Median || r.P90 < r.Median {
		t.Errorf("%s: %+v", name, r.Spread)
	}
	if r.Than != "" && !differs && !counts && (r.Ratio == nil || r.Ratio.Median <= 0) {
		t.Errorf("%s has no ratio to %s: %+v", name, r.Than, r.Ratio)
	}
}

func TestWrongUse(t *testing.T) {
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-only", "nothing"}, 1, "estimate, decide"},
		{[]string{"-nothing"}, 2, "-json"},
		{[]string{"-rounds", "0"}, 1, "rounds"},
		{[]string{part.Command, "nothing", "", ""}, 1, "nothing"},
		{[]string{part.Command}, 1, "its kind"},
	} {
		var errOut bytes.Buffer
		if code := command(test.args, strings.NewReader(""), io.Discard, &errOut); code != test.code || !strings.Contains(errOut.String(), test.says) {
			t.Errorf("%q: exit code %d, %s", test.args, code, errOut.String())
		}
	}
}
