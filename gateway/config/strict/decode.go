package strict

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"farthing/providers"
)

// Check looks at one decoded value, given by pointer, and says what is wrong
// with it or merely odd. It is asked about every value of every type.
type Check func(path string, value any) []providers.Problem

// Decode reads the YAML of a file called name into the struct that into points
// to. It goes on after a mistake, so that all are reported at once, in the
// order of the file; after an error what was decoded must not be used. An empty
// file decodes to nothing. Decode never panics, whatever b is.
func Decode(name string, b []byte, into any, check Check) (*Document, []Diagnostic) {
	d := decoder{doc: &Document{Name: name, byPath: map[string]int{}}, check: check}
	if root := d.compose(b); root != nil && d.sound(root) && !empty(root) {
		d.record(path{}, root, root)
		d.value(root, reflect.ValueOf(into).Elem(), path{}, 0)
	}
	if d.dropped > 0 {
		d.found = append(d.found, Diagnostic{File: name, Message: fmt.Sprintf("and %d more mistakes", d.dropped)})
	}
	Sort(d.found)
	return d.doc, d.found
}

type decoder struct {
	doc     *Document
	check   Check
	found   []Diagnostic
	errors  int // of found and dropped
	dropped int // mistakes beyond maxMistakes
}

func (d *decoder) at(line, column int, path, format string, args ...any) {
	d.add(Diagnostic{File: d.doc.Name, Line: line, Column: column, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (d *decoder) add(one Diagnostic) {
	if !one.Warning {
		d.errors++
	}
	if len(d.found) >= maxMistakes {
		d.dropped++
		return
	}
	d.found = append(d.found, one)
}

func (d *decoder) mistake(n *yaml.Node, p path, format string, args ...any) {
	d.at(n.Line, n.Column, p.text, format, args...)
}

// record remembers where p stands. A scalar or a flow collection is its own
// place; what is written on the lines below its key is found at the key.
func (d *decoder) record(p path, key, value *yaml.Node) {
	at := key
	if value.Kind == yaml.ScalarNode || value.Kind == yaml.AliasNode || value.Style&yaml.FlowStyle != 0 {
		at = value
	}
	place := Place{Path: p.text, Line: at.Line, Column: at.Column, segments: p.segments}
	if target := follow(value); target.Kind == yaml.ScalarNode {
		place.Value = target.Value
	}
	for _, name := range []string{p.text, p.full()} {
		if _, known := d.doc.byPath[name]; !known { // a field before the one item that it stands for
			d.doc.byPath[name] = len(d.doc.places)
		}
	}
	d.doc.places = append(d.doc.places, place)
}

func follow(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// empty says that n is no value: nothing, ~ or null.
func empty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// value decodes n into v. levels says how deep a missing value is allowed.
func (d *decoder) value(n *yaml.Node, v reflect.Value, p path, levels int) {
	n = follow(n)
	before := d.errors
	switch {
	case empty(n):
		if levels == 0 {
			d.mistake(n, p, "has no value: write one, or take the line out")
		}
		return
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), p, 0)
		return
	case isText(v.Type()):
		d.text(n, v, p)
	case v.Kind() == reflect.Struct:
		d.structure(n, v, p)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, p, max(levels-1, 0))
	case v.Kind() == reflect.Slice:
		d.list(n, v, p)
	default:
		d.scalar(n, v, p)
	}
	if d.errors == before { // else what a check finds follows from that
		d.checked(v, p)
	}
}

func (d *decoder) checked(v reflect.Value, p path) {
	for _, problem := range d.check(p.text, v.Addr().Interface()) {
		line, column := d.doc.Position(problem.Path)
		d.add(Diagnostic{File: d.doc.Name, Line: line, Column: column, Path: problem.Path, Message: problem.Message, Warning: problem.Warning})
	}
}

func (d *decoder) text(n *yaml.Node, v reflect.Value, p path) {
	if n.Kind != yaml.ScalarNode {
		d.mistake(n, p, "is one value, not %s", kindOf(n))
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(literal(n))); err != nil {
		d.mistake(n, p, "%v", err)
	}
}

// structure decodes a mapping, or what its shorthand field takes.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, p path) {
	fields, before := fieldsOf(v.Type()), d.errors
	if n.Kind != yaml.MappingNode {
		short, ok := shorthandOf(fields)
		if !ok || n.Kind == yaml.SequenceNode && short.kind.Kind() != reflect.Slice {
			d.mistake(n, p, "takes fields (%s), not %s", strings.Join(names(fields), ", "), kindOf(n))
			return
		}
		inner := p.field(short.name)
		d.record(inner, n, n)
		d.doc.places[len(d.doc.places)-1].Shorthand = true
		d.value(n, v.FieldByIndex(short.index), inner, 0)
	} else {
		d.pairs(n, p, func(key, value *yaml.Node, name string) {
			f, ok := named(fields, name)
			if !ok {
				d.unknown(key, p, name, fields)
				return
			}
			inner := p.field(name)
			d.record(inner, key, value)
			d.value(value, v.FieldByIndex(f.index), inner, f.empty)
		})
	}
	for _, i := range inlined(v.Type()) {
		if d.errors == before {
			d.checked(v.Field(i), p)
		}
	}
}

func (d *decoder) unknown(key *yaml.Node, p path, name string, fields []field) {
	known := names(fields)
	if near := nearest(name, known); near != "" {
		d.mistake(key, p, "unknown field %q: did you mean %s?", name, near)
		return
	}
	d.mistake(key, p, "unknown field %q: known are %s", name, strings.Join(known, ", "))
}

func names(fields []field) []string {
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.name
	}
	return known
}

// pairs calls do for every key of a mapping that is a plain name and new.
func (d *decoder) pairs(n *yaml.Node, p path, do func(key, value *yaml.Node, name string)) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		written, value := n.Content[i], n.Content[i+1]
		key := follow(written)
		switch line, twice := first[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.mistake(written, p, "a key is a name, not %s", kindOf(key))
		case empty(key) || key.Value == "":
			d.mistake(written, p, "a key without a name")
		case key.Value == "<<" && plain(key):
			d.mistake(written, p, "a merge key (<<): YAML 1.2 has none, write the fields out")
		case twice:
			d.mistake(written, p, "%q is written twice: first at line %d", key.Value, line)
		default:
			first[key.Value] = written.Line
			do(written, value, key.Value)
		}
	}
}

// mapping decodes names of the file's own choice.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, p path, levels int) {
	if n.Kind != yaml.MappingNode {
		d.mistake(n, p, "takes names with their values, not %s", kindOf(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	d.pairs(n, p, func(key, value *yaml.Node, name string) {
		inner := p.field(name)
		d.record(inner, key, value)
		k := reflect.New(v.Type().Key()).Elem()
		if !d.scalar(follow(key), k, inner) {
			return
		}
		entry := reflect.New(v.Type().Elem()).Elem()
		d.value(value, entry, inner, levels)
		v.SetMapIndex(k, entry)
	})
}

// list decodes a list, or one value as a list of one.
func (d *decoder) list(n *yaml.Node, v reflect.Value, p path) {
	if n.Kind != yaml.SequenceNode {
		one := reflect.MakeSlice(v.Type(), 1, 1)
		inner := p.only(0)
		d.record(inner, n, n)
		d.value(n, one.Index(0), inner, 0)
		v.Set(one)
		return
	}
	if len(n.Content) == 0 && scalarLike(v.Type().Elem()) {
		d.mistake(n, p, "an empty list: write what it holds, or take the line out")
		return
	}
	all := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		inner := p.item(i)
		d.record(inner, item, item)
		d.value(item, all.Index(i), inner, 0)
	}
	v.Set(all)
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	}
	value := []rune(n.Value)
	if len(value) > 40 {
		value = append(slices.Clip(value[:40]), '…')
	}
	return fmt.Sprintf("%q", string(value))
}
