package config

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"farthing/policies/budget"
	"farthing/providers"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func text(found []Diagnostic) []byte {
	var b bytes.Buffer
	for _, d := range found {
		fmt.Fprintln(&b, d)
	}
	return b.Bytes()
}

// TestMistakes holds a file per mistake against what is said about it.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			_, found := Parse(filepath.Base(path), read(t, path))
			if Err(found) == nil {
				t.Error("no error was found")
			}
			if !slices.IsSortedFunc(found, func(a, b Diagnostic) int { return a.Line - b.Line }) {
				t.Error("not in the order of the file")
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".want", text(found))
		})
	}
}

// TestEveryMistakeAtOnce reads a file with mistakes of many kinds.
func TestEveryMistakeAtOnce(t *testing.T) {
	_, found := Parse("f.yaml", []byte("zone: UTC\nbudgets:\n  me: {limit: $12.5k}\nprices:\n  rows:\n    - {target: a/b, input: $0.000002}\npolicies:\n  p: {when: ''}\n"))
	var at []string
	for _, d := range found {
		at = append(at, fmt.Sprintf("%d:%d %s", d.Line, d.Column, d.Path))
	}
	want := []string{"1:1 ", "3:15 budgets.me.limit", "6:28 prices.rows[0].input", "8:13 policies.p.when"}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Error(diff)
	}
}

// TestFull shows that the full file is refused for nothing but the fields that
// this version does not carry out, each of which it holds, and taken without
// them.
func TestFull(t *testing.T) {
	whole := read(t, "testdata/full.yaml")
	l, found := Parse("full.yaml", whole)
	golden(t, "testdata/full.want", text(found))
	for _, d := range found {
		if !strings.Contains(d.Message, "is not carried out by this version") {
			t.Errorf("unexpected: %s", d)
		}
	}
	for _, e := range NotYet() {
		if len(l.doc.Find(e.Path)) == 0 {
			t.Errorf("full.yaml has no %s", e.Path)
		}
	}
	rest := without(t, whole, NotYet())
	golden(t, "testdata/carried_out.yaml", rest)
	l, found = Parse("carried_out.yaml", rest)
	if len(found) > 0 {
		t.Fatalf("still refused:\n%s", text(found))
	}
	checkFull(t, l.File)
}

// checkFull looks at one value of each shape.
func checkFull(t *testing.T, f File) {
	t.Helper()
	rates := f.Prices.Rows[0]
	for _, c := range []struct{ name, got, want string }{
		{"zone", f.Location().String(), "Europe/Berlin"},
		{"redis", f.Store.Redis.Env, "REDIS_URL"},
		{"first key", f.Providers["openai"].Keys[0].Env, "OPENAI_KEY_A"},
		{"total", f.Providers["openai"].Timeouts.Total.String(), "1h0m0s"},
		{"ability", fmt.Sprint(*f.Providers["corp"].Models["big"].Ability), "0.71"},
		{"engine model", f.Engines["h200"].Models["deepseek-r1"].ID, "deepseek-ai/DeepSeek-R1"},
		{"pattern", f.Models["claude-*"].From[0], "anthropic/claude-*"},
		{"list", fmt.Sprint(f.Models["deepseek-r1"].From, f.Models["deepseek-r1"].Listed), "[h200/deepseek-r1 openrouter/deepseek/deepseek-r1] true"},
		{"written out", fmt.Sprint(len(f.Models["auto"].From), f.Models["auto"].Listed), "5 false"},
		{"worth", f.Models["auto"].GoodAnswerWorth.USD(), "$0.05"},
		{"waiting", providers.Money(*f.Models["auto"].WaitingCosts).USD(), "$0.001"},
		{"max price", f.Policies["price-ceiling"].Only.MaxPrice.Output.String(), "30"},
		{"self hosted", fmt.Sprint(*f.Policies["pii-stays-inside"].Only.SelfHosted), "true"},
		{"company", f.Budgets["company"].Limit[0].String(), "$60000.00 per month"},
		{"except one", fmt.Sprint(len(f.Budgets["teams"].Except["research"])), "1"},
		{"except list", f.Budgets["teams"].Except["search"][1].Amount.USD(), "$500.00"},
		{"when", *f.Budgets["opus"].When, `target_model.startsWith("claude-opus")`},
		{"when spent", f.Budgets["company"].WhenSpent.Action, "self_hosted"},
		{"expires", f.KeyDefaults.Expires.String(), "2160h0m0s"},
		{"input", rates.Input.String(), "1.25"},
		{"above", rates.Above[272000].Input.String(), "2.5"},
		{"from", rates.From, "2026-11-01"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
}

// without takes what the entries name out of a file.
func without(t *testing.T, b []byte, entries []Entry) []byte {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := strings.Split(strings.ReplaceAll(e.Path, "[", ".["), ".")
		prune(root.Content[0], path, e.Value)
	}
	out, err := yaml.Marshal(&root)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func prune(n *yaml.Node, path []string, value string) {
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i+step <= len(n.Content); {
		key, child := n.Content[i].Value, n.Content[i+step-1]
		if step == 1 {
			key = fmt.Sprintf("[%d]", i)
		}
		hit := path[0] == key || path[0] == "*" && step == 2 || path[0] == "[*]" && step == 1
		switch {
		case hit && len(path) == 1 && (value == "" || value == child.Value):
			n.Content = slices.Delete(n.Content, i, i+step)
			continue
		case hit && len(path) > 1:
			prune(child, path[1:], value)
		}
		i += step
	}
}

// TestNotYet lists the fields that this version does not carry out. The list
// shrinks.
func TestNotYet(t *testing.T) {
	var b bytes.Buffer
	for _, e := range NotYet() {
		word := map[bool]string{true: "error", false: "warning"}[e.Guards]
		fmt.Fprintf(&b, "%s %s %s\n", word, e.Path, e.Value)
	}
	golden(t, "testdata/notyet.want", b.Bytes())
	if len(NotYet()) > 24 {
		t.Errorf("%d fields: the list grew", len(NotYet()))
	}
}

// TestExamples loads farthing.example.yaml and every YAML block of the README.
func TestExamples(t *testing.T) {
	l, found := Load("../../farthing.example.yaml")
	if len(found) > 0 || len(l.File.Models) == 0 {
		t.Errorf("farthing.example.yaml:\n%s", text(found))
	}
	readme, err := os.ReadFile("../../README.md")
	if os.IsNotExist(err) {
		return
	} else if err != nil {
		t.Fatal(err)
	}
	for i, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllSubmatch(readme, -1) {
		if _, found := Parse(fmt.Sprintf("README.md block %d", i+1), m[1]); Err(found) != nil {
			t.Errorf("%s", text(found))
		}
	}
}

// TestSmallest reads the smallest useful file.
func TestSmallest(t *testing.T) {
	l, found := Parse("f.yaml", []byte("providers: {openai: {}}\nengines: {laptop: {type: ollama}}\nmodels:\n  auto: {from: [laptop/qwen3:8b, openai/gpt-5-mini], pick: best_value}\nbudgets: {me: {limit: $20 per month}}\n"))
	if len(found) > 0 {
		t.Fatalf("%s", text(found))
	}
	if l.File.Timezone != "UTC" || l.File.Server.Listen != "127.0.0.1:4700" || l.File.Data != "./farthing-data" || !l.File.Server.Open() {
		t.Errorf("defaults: %+v", l.File)
	}
	if want := []string{"laptop/qwen3:8b", "openai/gpt-5-mini"}; !slices.Equal(l.File.Models["auto"].From, want) {
		t.Errorf("from: %v", l.File.Models["auto"].From)
	}
}

// TestEmptyValues reads sections whose lines are all commented out.
func TestEmptyValues(t *testing.T) {
	for _, b := range []string{"", "# nothing\n", "~", "---\n", "\ufefftimezone: UTC\n", "providers:\n  openai:\nengines: {ollama: }\nkeys: {ci: }\nbudgets:\nalerts:\nserver:\n"} {
		if l, found := Parse("f.yaml", []byte(b)); len(found) > 0 || l.File.Timezone != "UTC" {
			t.Errorf("%q: %s", b, text(found))
		}
	}
	if l, _ := Parse("f.yaml", []byte("providers:\n  openai:\n")); len(l.File.Providers) != 1 {
		t.Error("a provider without fields is a provider")
	}
}

// TestAliases writes a list once and uses it twice.
func TestAliases(t *testing.T) {
	l, found := Parse("f.yaml", []byte("models:\n  a: &big [x/y, z/w]\n  b: {from: *big}\n"))
	if len(found) > 0 || !slices.Equal(l.File.Models["a"].From, l.File.Models["b"].From) {
		t.Errorf("%v %s", l.File.Models, text(found))
	}
}

// TestPosition finds what other packages name by path.
func TestPosition(t *testing.T) {
	l, _ := Parse("f.yaml", []byte("models:\n  gpt-5.4: a/b\n  auto:\n    from:\n      - x/y\n      - z/w\nbudgets: {me: {limit: $5 per day}}\n"))
	for path, want := range map[string][2]int{
		"models.auto.from[1]": {6, 9}, "models.auto.from[7]": {4, 5}, "models.auto.pick": {3, 3}, "models.auto": {3, 3},
		"models.gpt-5.4.from[0]": {2, 12}, "models.gpt-5.4": {2, 12}, "budgets.me.limit[0]": {7, 23}, "budgets.me": {7, 15},
		"keys.ci": {1, 1}, "": {1, 1},
	} {
		if line, column := l.Position(path); [2]int{line, column} != want {
			t.Errorf("%s stands at %d:%d, want %v", path, line, column, want)
		}
	}
	found := l.Diagnostics([]providers.Problem{providers.Warningf("budgets.me", "late"), providers.Problemf("models.auto.from[1]", "no provider z")})
	want := "f.yaml:6:9: models.auto.from[1]: no provider z\nf.yaml:7:15: warning: budgets.me: late\n"
	if diff := cmp.Diff(want, string(text(found))); diff != "" {
		t.Error(diff)
	}
}

// TestFollowOn keeps quiet about what follows from a value that was not read.
func TestFollowOn(t *testing.T) {
	l, _ := Parse("f.yaml", []byte("budgets: {me: {limit: $12.5k}}\n"))
	if found := l.Diagnostics([]providers.Problem{providers.Problemf("budgets.me.limit", "there is none")}); len(found) > 0 {
		t.Errorf("%s", text(found))
	}
	l, _ = Parse("f.yaml", []byte("prices: {rows: {target: a/b, input: dear}}\n"))
	found := l.Diagnostics([]providers.Problem{providers.Problemf("prices.rows[0].input", "is missing"), providers.Problemf("prices.rows[0].target", "is unknown")})
	if want := "f.yaml:1:25: prices.rows[0].target: is unknown\n"; string(text(found)) != want {
		t.Errorf("%swant %s", text(found), want)
	}
}

// TestOneForList finds what is written as one value where a list may stand, by
// its index and without.
func TestOneForList(t *testing.T) {
	l, found := Parse("f.yaml", []byte("providers:\n  openai:\n    keys:\n      env: A\n      weight: 3\n"))
	if len(found) != 1 || !found[0].Warning || found[0].Line != 5 {
		t.Errorf("%s", text(found))
	}
	for path, want := range map[string][2]int{"providers.openai.keys": {3, 5}, "providers.openai.keys[0]": {4, 7}, "providers.openai.keys[0].env": {4, 12}, "providers.openai.keys.env": {4, 12}} {
		if line, column := l.Position(path); [2]int{line, column} != want {
			t.Errorf("%s stands at %d:%d, want %v", path, line, column, want)
		}
	}
}

func TestDefault(t *testing.T) {
	l := Default()
	if b := l.File.Budgets["default"]; len(b.Limit) != 1 || b.Limit[0].Amount != 5*providers.Dollar || b.Limit[0].Window != budget.Day {
		t.Errorf("%+v", b)
	}
	if line, column := l.Position("budgets.default"); line != 0 || column != 0 {
		t.Errorf("%d:%d", line, column)
	}
	found := l.Diagnostics([]providers.Problem{providers.Warningf("budgets.default", "small")})
	if got := string(text(found)); got != "built-in defaults: warning: budgets.default: small\n" {
		t.Error(got)
	}
}

// TestLoadSecrets names variables and files that are missing, with their lines.
func TestLoadSecrets(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "empty"), "\n")
	path := filepath.Join(dir, "f.yaml")
	write(t, path, "providers:\n  a: {key: {env: FARTHING_TEST_UNSET}}\n  b: {key: {env: FARTHING_TEST_SET}}\n  c: {key: {file: "+dir+"/none}}\n  d: {key: {file: "+dir+"/empty}}\n")
	t.Setenv("FARTHING_TEST_SET", "x")
	l, found := Load(path)
	want := "f:2:12: providers.a.key: the environment variable FARTHING_TEST_UNSET is not set\n" +
		"f:4:12: providers.c.key: open D/none: no such file or directory\n" +
		"f:5:12: providers.d.key: the file D/empty is empty\n"
	got := strings.ReplaceAll(strings.ReplaceAll(string(text(found)), path, "f"), dir, "D")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again := l.Diagnostics([]providers.Problem{providers.Problemf("providers.a.key", "no key")}); len(again) > 0 {
		t.Errorf("told twice: %s", text(again))
	}
	l, found = Load(filepath.Join(dir, "absent.yaml"))
	if l == nil || Err(found) == nil || !strings.HasSuffix(found[0].String(), "absent.yaml: cannot be read: no such file or directory") {
		t.Errorf("%s", text(found))
	}
}

// TestFailures says what the example means when things fail.
func TestFailures(t *testing.T) {
	l, _ := Parse("f.yaml", read(t, "../../farthing.example.yaml"))
	golden(t, "testdata/failures.want", []byte(strings.Join(Failures(l.File), "\n")+"\n"))
	l, found := Parse("f.yaml", []byte("server: {open_on_localhost: false}\nstore: {redis: 'redis://127.0.0.1', when_down: {paid: up to $50 per replica}}\nmodels: {a: b, b: a, c: [a, x/y]}\nbudgets: {me: {limit: $5, when_spent: refuse}, you: {limit: $5 per day, when_spent: {model: a}}}\n"))
	if len(found) > 0 {
		t.Fatalf("%s", text(found))
	}
	golden(t, "testdata/failures_redis.want", []byte(strings.Join(Failures(l.File), "\n")+"\n"))
}

// FuzzParse feeds anything: no text may bring the reader down, and every
// diagnostic has a place.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, path := range append(files, "testdata/full.yaml", "../../farthing.example.yaml") {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, found := Parse("f.yaml", b)
		for _, d := range found {
			if d.Line < 1 && !strings.HasPrefix(d.Message, "and ") || d.Message == "" {
				t.Errorf("%q: %s", hex.EncodeToString(b), d)
			}
		}
		if Err(found) == nil {
			Failures(l.File)
		}
	})
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
