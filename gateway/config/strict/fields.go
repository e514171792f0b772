package strict

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
)

// field is one name that a struct takes.
type field struct {
	name      string
	index     []int // for reflect's FieldByIndex
	owner     reflect.Type
	kind      reflect.Type
	shorthand bool
	empty     int // how many levels may stand without a value: the field, its entries
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// isText says that values of t are read by their own UnmarshalText.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textUnmarshaler) }

// fieldsOf lists the names that a struct takes, those of inlined structs among
// them, in their order of declaration.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		flags := strings.Split(options, ",")
		switch {
		case slices.Contains(flags, "inline"):
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				fields = append(fields, inner)
			}
		case name != "" && name != "-":
			fields = append(fields, field{
				name: name, index: []int{i}, owner: t, kind: f.Type,
				shorthand: slices.Contains(flags, "shorthand"), empty: emptiness(flags),
			})
		}
	}
	return fields
}

func emptiness(flags []string) int {
	switch {
	case slices.Contains(flags, "empties"):
		return 2
	case slices.Contains(flags, "empty"):
		return 1
	}
	return 0
}

func named(fields []field, name string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}

func shorthandOf(fields []field) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return f.shorthand })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}

// inlined lists the positions of a struct's inlined structs.
func inlined(t reflect.Type) []int {
	var at []int
	for i := range t.NumField() {
		_, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if slices.Contains(strings.Split(options, ","), "inline") {
			at = append(at, i)
		}
	}
	return at
}

// scalarLike says that an empty list of t would silently mean "nothing" or
// "everything": texts, numbers, and structs that a bare scalar can stand for.
func scalarLike(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || isText(t) {
		return true
	}
	_, short := shorthandOf(fieldsOf(t))
	return short
}

// nearest is the known name that a wrong one was probably meant to be, or "".
func nearest(wrong string, known []string) string {
	best, distance := "", 1+len(wrong)/4
	for _, k := range known {
		if d := edits(strings.ToLower(wrong), k, distance+1); d <= distance && (best == "" || d < distance) {
			best, distance = k, d
		}
	}
	return best
}

// edits counts the insertions, deletions, replacements and swaps of neighbours
// between two words; beyond the bound it gives up with the bound.
func edits(a, b string, bound int) int {
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound || len(a) > 100 {
		return bound
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(replaced, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
