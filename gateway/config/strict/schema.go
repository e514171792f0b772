package strict

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Doc is what an editor shows about one field.
type Doc struct {
	Text   string
	Values []string // the words it takes, if there is a fixed choice
}

// node is one schema. Maps of encoding/json come out sorted, so equal types
// make equal bytes.
type node map[string]any

type schema struct {
	docs map[string]Doc
	defs map[string]node
}

// Schema writes the JSON Schema (draft 2020-12) of the files that Decode reads
// into t, by the same rules. docs has the entry "package.Type.field" for each
// field that is to carry a description.
func Schema(t reflect.Type, title string, docs map[string]Doc) ([]byte, error) {
	s := schema{docs: docs, defs: map[string]node{}}
	root := s.object(t)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = title
	root["$defs"] = s.defs
	return json.MarshalIndent(root, "", "  ")
}

// FieldNames lists "package.Type.field" for every field below t, so that a test
// can see which have no Doc.
func FieldNames(t reflect.Type) []string {
	s := schema{defs: map[string]node{}}
	var all []string
	seen := map[string]bool{}
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || isText(t) {
			return
		}
		for _, f := range fieldsOf(t) {
			if name := s.docName(f); !seen[name] {
				seen[name] = true
				all = append(all, name)
				walk(f.kind)
			}
		}
	}
	walk(t)
	return all
}

func (s *schema) docName(f field) string { return f.owner.String() + "." + f.name }

// of is the schema of a value of type t.
func (s *schema) of(t reflect.Type) node {
	switch {
	case t.Kind() == reflect.Pointer:
		return s.of(t.Elem())
	case isText(t) || t.Kind() == reflect.String:
		return node{"type": []string{"string", "number", "boolean"}}
	case t.Kind() == reflect.Bool:
		return node{"type": "boolean"}
	case t.Kind() == reflect.Float64:
		return node{"type": "number"}
	case t.Kind() == reflect.Struct:
		return s.reference(t)
	case t.Kind() == reflect.Map:
		return node{"type": "object", "additionalProperties": s.of(t.Elem())}
	case t.Kind() == reflect.Slice:
		return s.oneOrMore(t.Elem())
	}
	return node{"type": "integer", "minimum": 0, "maximum": maxInt}
}

func (s *schema) oneOrMore(item reflect.Type) node {
	list := node{"type": "array", "items": s.of(item)}
	if scalarLike(item) {
		list["minItems"] = 1
	}
	return node{"anyOf": []node{s.of(item), list}}
}

// reference defines a struct once, under its type's name, and points to it.
func (s *schema) reference(t reflect.Type) node {
	name := strings.ReplaceAll(t.String(), ".", "_")
	if _, known := s.defs[name]; !known {
		s.defs[name] = node{} // the name is taken while the type is described
		whole := s.object(t)
		if short, ok := shorthandOf(fieldsOf(t)); ok {
			whole = node{"anyOf": []node{s.field(short), whole}}
		}
		s.defs[name] = whole
	}
	return node{"$ref": "#/$defs/" + name}
}

func (s *schema) object(t reflect.Type) node {
	properties := node{}
	for _, f := range fieldsOf(t) {
		properties[f.name] = s.field(f)
	}
	return node{"type": "object", "properties": properties, "additionalProperties": false}
}

// field is the schema of one field: its type, what may be missing, and its doc.
func (s *schema) field(f field) node {
	doc := s.docs[s.docName(f)]
	n := s.of(f.kind)
	if f.empty > 1 {
		n["additionalProperties"] = nullable(n["additionalProperties"].(node))
	}
	if f.empty > 0 {
		n = nullable(n)
	}
	if len(doc.Values) > 0 {
		n = choice(f.kind, doc.Values)
	}
	if doc.Text != "" {
		n["description"] = doc.Text
	}
	return n
}

// choice is a fixed choice of words, one or a list of them.
func choice(t reflect.Type, words []string) node {
	one := node{"enum": words}
	if t.Kind() != reflect.Slice {
		return one
	}
	return node{"anyOf": []node{one, {"type": "array", "items": one, "minItems": 1}}}
}

func nullable(n node) node { return node{"anyOf": []node{n, {"type": "null"}}} }
