package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"farthing/gateway/config/strict"
	"farthing/policies/budget"
	"farthing/providers"
)

// Diagnostic is one mistake or warning with its place in the file.
type Diagnostic = strict.Diagnostic

// Loaded is a file that was read. It must not be used where one of the
// diagnostics that came with it is an error; until then it serves to find the
// places of further problems.
type Loaded struct {
	File File
	Path string // as given to Load; "" for the built-in defaults

	doc     *strict.Document
	failed  map[string]bool // paths whose values could not be read
	secrets []secretAt
	sum     [sha256.Size]byte
	blank   bool // the file says nothing at all
}

// Default is what holds without a file: providers whose key is in the
// environment, engines found, SQLite, and a budget of $5 per day over
// everything.
func Default() *Loaded {
	f := File{Budgets: map[string]budget.Config{
		"default": {Limit: []budget.Limit{{Amount: 5 * providers.Dollar, Window: budget.Day}}},
	}}
	f.setDefaults()
	return &Loaded{File: f, doc: &strict.Document{Name: "built-in defaults"}}
}

// Load reads the file at path and everything that its secrets refer to: an
// unset variable or an unreadable file is a mistake with a line. The
// diagnostics come in the order of the file. The Loaded is never nil.
func Load(path string) (*Loaded, []Diagnostic) {
	b, err := os.ReadFile(path)
	if err != nil {
		return &Loaded{Path: path, doc: &strict.Document{Name: path}}, []Diagnostic{{File: path, Message: reason(err)}}
	}
	l, found := Parse(path, b)
	l.Path = path
	missing := l.Diagnostics(unresolved(l.secrets))
	l.fail(missing)
	found = append(found, missing...)
	strict.Sort(found)
	return l, found
}

// reason is an error of the file system without the path, which stands before
// it already.
func reason(err error) string {
	var in *os.PathError
	if errors.As(err, &in) {
		return "cannot be read: " + in.Err.Error()
	}
	return err.Error()
}

// Parse reads the text of a file called name. It touches neither the
// environment nor other files. The Loaded is never nil.
func Parse(name string, b []byte) (*Loaded, []Diagnostic) {
	l := &Loaded{failed: map[string]bool{}, sum: sha256.Sum256(b)}
	doc, found := strict.Decode(name, b, &l.File, l.check)
	l.doc, l.blank = doc, len(doc.Find("*")) == 0
	l.markListed()
	l.fail(found)
	found = append(found, l.Diagnostics(slices.Concat(l.notYet(), l.File.problems()))...)
	strict.Sort(found)
	l.File.setDefaults()
	return l, found
}

// fail remembers the values that could not be read.
func (l *Loaded) fail(found []Diagnostic) {
	for _, d := range found {
		if !d.Warning && d.Path != "" {
			l.failed[shortest(d.Path)] = true
		}
	}
}

// markListed tells a model that is a bare name or list, which is tried in
// order, from one that writes its `from`.
func (l *Loaded) markListed() {
	for _, place := range l.doc.Find("models.*.from") {
		name := strings.TrimSuffix(strings.TrimPrefix(place.Path, "models."), ".from")
		if m, known := l.File.Models[name]; known && place.Shorthand {
			m.Listed = true
			l.File.Models[name] = m
		}
	}
}

// Position is where path (models.auto.from[2]) stands in the file, or the
// nearest thing around it that the file writes out; 0, 0 without a file.
func (l *Loaded) Position(path string) (line, column int) { return l.doc.Position(path) }

// Diagnostics finds the places of problems and sorts them by place. What
// concerns a value that could not be read is left out: its own mistake has been
// reported, and the rest follows from it.
func (l *Loaded) Diagnostics(problems []providers.Problem) []Diagnostic {
	var rest []providers.Problem
	for _, p := range problems {
		if !l.unread(p.Path) {
			rest = append(rest, p)
		}
	}
	return l.doc.Diagnose(rest)
}

func (l *Loaded) unread(path string) bool {
	for path = shortest(path); path != ""; {
		if l.failed[path] {
			return true
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return false
}

// shortest writes a path as for a value that stands for a list of one.
func shortest(path string) string { return strings.ReplaceAll(path, "[0]", "") }

// Sort puts diagnostics of one file in the order of their places.
func Sort(found []Diagnostic) { strict.Sort(found) }

// Err joins the errors among found, one a line; nil if all are warnings.
func Err(found []Diagnostic) error {
	var errs []error
	for _, d := range found {
		if !d.Warning {
			errs = append(errs, fmt.Errorf("%s", d))
		}
	}
	return errors.Join(errs...)
}
