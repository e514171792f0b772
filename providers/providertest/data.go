package providertest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// DataFile is the path of a file or folder of the recorded data, which stands in
// FARTHING_DATA. Where it is not there the test says so in the table of all such
// tests and is skipped.
func DataFile(t *testing.T, name string) string {
	t.Helper()
	path, ok := dataFile(t, name)
	if !ok {
		t.Skipf("no data: %s", path)
	}
	return path
}

func dataFile(t *testing.T, name string) (path string, ok bool) {
	t.Helper()
	root := os.Getenv("FARTHING_DATA")
	if root == "" {
		root = filepath.Join(module(t), "..", "shared", "data")
	}
	path = filepath.Join(root, name)
	if _, err := os.Stat(path); err != nil {
		fmt.Printf("DATA-NONE %s %s\n", name, t.Name())
		return path, false
	}
	return path, true
}

// module is the folder of go.mod; tests run in the folder of their package.
func module(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}

// Table counts what a test over recorded data checked, kind by kind. When the
// test ends it fails it if any case did, and prints rows that one table is made
// of (make data-test):
//
//	DATA kind cases passed failed
//	DATA-FAIL kind case: why
//
// A kind is one word, such as chat/stream. A Table serves one test; its methods
// must not be called at once.
type Table struct {
	t     *testing.T
	kinds []*kind
}

type kind struct {
	name   string
	cases  int
	failed []failure
}

type failure struct{ name, why string }

// NewTable makes the table of t, which prints it when it ends.
func NewTable(t *testing.T) *Table {
	table := &Table{t: t}
	t.Cleanup(table.print)
	return table
}

// Check counts one case of a kind. err says how it failed; nil if it passed.
func (y *Table) Check(kindName, name string, err error) {
	i := slices.IndexFunc(y.kinds, func(k *kind) bool { return k.name == kindName })
	if i < 0 {
		i = len(y.kinds)
		y.kinds = append(y.kinds, &kind{name: kindName})
	}
	k := y.kinds[i]
	k.cases++
	if err != nil {
		k.failed = append(k.failed, failure{name, err.Error()})
		y.t.Errorf("%s %s: %v", kindName, name, err)
	}
}

// maxWhy bounds a failure's line in the table, in bytes. The whole of it stands
// in the test's own output.
const maxWhy = 300

func (y *Table) print() {
	if len(y.kinds) == 0 && !y.t.Skipped() {
		y.t.Error("the test checked nothing")
	}
	for _, k := range y.kinds {
		fmt.Printf("DATA %s %d %d %d\n", k.name, k.cases, k.cases-len(k.failed), len(k.failed))
		for _, f := range k.failed {
			why := strings.Join(strings.Fields(f.why), " ")
			if len(why) > maxWhy {
				why = strings.ToValidUTF8(why[:maxWhy], "") + "…"
			}
			fmt.Printf("DATA-FAIL %s %s: %s\n", k.name, f.name, why)
		}
	}
}
