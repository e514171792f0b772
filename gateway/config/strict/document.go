// Package strict reads one YAML document into Go structs and reports every
// mistake in it at once, each with its line, its column and its path. It knows
// YAML and Go types; what the fields mean is its caller's business.
//
// What a field takes follows from its type and its `yaml:"name"` tag:
//
//   - a type with UnmarshalText gets the literal text of a scalar, so that no
//     price or amount of money passes through a float;
//   - a slice takes a list, or one value for a list of one;
//   - in a struct, `,inline` makes an embedded struct's fields its own, and
//     `,shorthand` names the field that a bare scalar or list stands for;
//   - `,empty` lets a section stand without a value, and `,empties` the entries
//     of a map too; anything else without a value is a mistake.
//
// Scalars are read by the core schema of YAML 1.2: `no` is text. Tags and merge
// keys are mistakes. Aliases are allowed, because a list used twice should be
// written once, and what they may add is bounded.
//
// Start with Decode.
package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"farthing/providers"
)

// Diagnostic is one mistake or warning in a file. Line and Column count from 1,
// in characters; both are 0 where there is no file.
type Diagnostic struct {
	File         string
	Line, Column int
	Path         string // models.auto.from[2]; "" for the file as a whole
	Message      string
	Warning      bool // works, but is probably not meant
}

// String writes file:line:column: path: message, as editors understand it.
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(d.File)
	if d.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", d.Line, d.Column)
	}
	b.WriteString(": ")
	if d.Warning {
		b.WriteString("warning: ")
	}
	if d.Path != "" {
		b.WriteString(d.Path + ": ")
	}
	b.WriteString(d.Message)
	return b.String()
}

// Place is one value that a file writes out.
type Place struct {
	Path         string
	Line, Column int
	Value        string // the literal text of a scalar, else ""
	Shorthand    bool   // the field that a bare scalar or list stands for, not written by its name
	segments     []string
}

// Document remembers where in a file everything stands.
type Document struct {
	Name   string
	places []Place
	byPath map[string]int
}

// Position is where path stands in the file, or the nearest thing around it
// that the file writes out. It is 0, 0 where there is no file.
func (d *Document) Position(path string) (line, column int) {
	if len(d.places) == 0 {
		return 0, 0
	}
	for path != "" {
		if i, ok := d.byPath[path]; ok {
			return d.places[i].Line, d.places[i].Column
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 1, 1
}

// Diagnose finds the place of each problem and puts them in the file's order.
func (d *Document) Diagnose(problems []providers.Problem) []Diagnostic {
	found := make([]Diagnostic, len(problems))
	for i, p := range problems {
		line, column := d.Position(p.Path)
		found[i] = Diagnostic{File: d.Name, Line: line, Column: column, Path: p.Path, Message: p.Message, Warning: p.Warning}
	}
	Sort(found)
	return found
}

// Sort puts diagnostics in the order of their places.
func Sort(found []Diagnostic) {
	slices.SortStableFunc(found, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Find lists what the file writes out under a pattern such as
// `budgets.*.alert_at` or `providers.*.keys[1]`: * and [*] stand for any name
// and any index.
func (d *Document) Find(pattern string) []Place {
	want := segments(pattern)
	var found []Place
	for _, p := range d.places {
		if matches(p.segments, want) {
			found = append(found, p)
		}
	}
	return found
}

func segments(pattern string) []string {
	return strings.Split(strings.ReplaceAll(pattern, "[", ".["), ".")
}

func matches(got, want []string) bool {
	if len(got) != len(want) {
		return false
	}
	for i, w := range want {
		index := strings.HasPrefix(got[i], "[")
		if w != got[i] && (w != "*" || index) && (w != "[*]" || !index) {
			return false
		}
	}
	return true
}

// path is where the decoder is: as the file writes it and in pieces. The two
// differ where one value stands for a list of one: it is told of as rest.word
// and found as rest[0].word.
type path struct {
	text     string
	segments []string
}

func (p path) field(name string) path {
	text := name
	if p.text != "" {
		text = p.text + "." + name
	}
	return path{text: text, segments: append(slices.Clip(p.segments), name)}
}

func (p path) item(i int) path {
	one := p.only(i)
	one.text += one.segments[len(one.segments)-1]
	return one
}

// only is an item that the file writes without its index.
func (p path) only(i int) path {
	return path{text: p.text, segments: append(slices.Clip(p.segments), fmt.Sprintf("[%d]", i))}
}

// full is the path with every index.
func (p path) full() string { return strings.ReplaceAll(strings.Join(p.segments, "."), ".[", "[") }
