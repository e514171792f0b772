package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"farthing/gateway/config/strict"
)

// TestFieldDocs wants a line for every field and no line for anything else.
func TestFieldDocs(t *testing.T) {
	fields := strict.FieldNames(reflect.TypeFor[File]())
	written := docs()
	if len(fields) < 100 {
		t.Fatalf("only %d fields", len(fields))
	}
	for _, f := range fields {
		if written[f].Text == "" {
			t.Errorf("fields.txt says nothing about %s", f)
		}
		delete(written, f)
	}
	for f := range written {
		t.Errorf("fields.txt describes %s, which is no field", f)
	}
}

// TestSchema holds files against the schema: those that load fit it, and those
// with mistakes of shape do not.
func TestSchema(t *testing.T) {
	var s map[string]any
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(Schema(), Schema()) {
		t.Error("two schemas of the same types differ")
	}
	v := validator{defs: s["$defs"].(map[string]any)}
	for _, path := range []string{"testdata/full.yaml", "../../farthing.example.yaml"} {
		if err := v.check(s, value(t, read(t, path)), ""); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for text, want := range map[string]string{
		"budgets: {me: {limt: $5}}":                            "budgets.me.limt",
		"models: {auto: {from: a/b, pick: fastest}}":           "models.auto",
		"providers: [openai]":                                  "providers",
		"policies: {p: {only: {targets: []}}}":                 "policies.p.only.targets",
		"server: {open_on_localhost: perhaps}":                 "server.open_on_localhost",
		"providers: {corp: {models: {a: {context: 1.5}}}}":     "providers.corp.models.a.context",
		"telemetry: {otlp: [a, b]}":                            "telemetry.otlp",
		"alerts: {slack: {env: S}, about: [budget, weather]}":  "alerts",
		"prices: {rows: {target: a/b, above: {1: {inpt: 1}}}}": "prices.rows",
	} {
		if err := v.check(s, value(t, []byte(text)), ""); err == nil || !strings.HasPrefix(err.Error(), want+":") {
			t.Errorf("%s: %v, want a mistake at %s", text, err, want)
		}
	}
	for _, text := range []string{"providers: {openai: }", "keys:", "models: {a: b/c, d: [e/f]}", "budgets: {me: {limit: 5, when_spent: {model: a}}}"} {
		if err := v.check(s, value(t, []byte(text)), ""); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// value reads YAML as JSON has it.
func value(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return plainValue(v)
}

func plainValue(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = plainValue(x[k])
		}
		return x
	case map[any]any:
		out := map[string]any{}
		for k, inner := range x {
			out[fmt.Sprint(k)] = plainValue(inner)
		}
		return out
	case []any:
		for i := range x {
			x[i] = plainValue(x[i])
		}
		return x
	case nil, bool, string, int, float64:
		return x
	}
	return fmt.Sprint(v) // dates are text
}

// validator checks values by the part of JSON Schema that Schema writes. A
// keyword that it does not know fails the test.
type validator struct{ defs map[string]any }

func (v validator) check(schema any, value any, path string) error {
	for _, keyword := range slices.Sorted(maps.Keys(schema.(map[string]any))) {
		if err := v.keyword(keyword, schema.(map[string]any), value, path); err != nil {
			return err
		}
	}
	return nil
}

func (v validator) keyword(keyword string, schema map[string]any, value any, path string) error {
	wrong := func() error { return fmt.Errorf("%s: %v against %s %v", path, value, keyword, schema[keyword]) }
	switch keyword {
	case "$schema", "$defs", "title", "description", "additionalProperties":
		return nil
	case "$ref":
		return v.check(v.defs[strings.TrimPrefix(schema["$ref"].(string), "#/$defs/")], value, path)
	case "anyOf":
		return v.anyOf(schema["anyOf"].([]any), value, path)
	case "enum":
		if !slices.Contains(schema["enum"].([]any), value) {
			return wrong()
		}
	case "type":
		words, many := schema["type"].([]any)
		if !many {
			words = []any{schema["type"]}
		}
		if !slices.ContainsFunc(words, func(w any) bool { return is(w.(string), value) }) {
			return wrong()
		}
	case "properties":
		return v.properties(schema, value, path)
	case "items", "minItems", "minimum", "maximum":
		return v.bounds(keyword, schema, value, path)
	default:
		return fmt.Errorf("%s: the keyword %s is not known to this test", path, keyword)
	}
	if object, ok := value.(map[string]any); ok && keyword == "type" && schema["properties"] == nil && schema["additionalProperties"] != nil {
		return v.each(schema["additionalProperties"], object, path)
	}
	return nil
}

// anyOf tells the mistake of the one schema that the value was meant for, where
// all others only let it be missing.
func (v validator) anyOf(schemas []any, value any, path string) error {
	var mistakes []error
	for _, one := range schemas {
		err := v.check(one, value, path)
		if err == nil {
			return nil
		}
		if one.(map[string]any)["type"] != "null" {
			mistakes = append(mistakes, err)
		}
	}
	if len(mistakes) == 1 {
		return mistakes[0]
	}
	return fmt.Errorf("%s: %v against each of %v", path, value, schemas)
}

func (v validator) properties(schema map[string]any, value any, path string) error {
	known := schema["properties"].(map[string]any)
	object, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		inner := strings.TrimPrefix(path+"."+name, ".")
		if known[name] == nil {
			return fmt.Errorf("%s: not a property", inner)
		}
		if err := v.check(known[name], object[name], inner); err != nil {
			return err
		}
	}
	return nil
}

func (v validator) each(schema any, object map[string]any, path string) error {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if err := v.check(schema, object[name], path+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func (v validator) bounds(keyword string, schema map[string]any, value any, path string) error {
	list, _ := value.([]any)
	n, number := value.(int)
	switch bound, _ := schema[keyword].(float64); {
	case keyword == "items":
		for i, item := range list {
			if err := v.check(schema["items"], item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case keyword == "minItems" && len(list) < int(bound), keyword == "minimum" && number && n < int(bound), keyword == "maximum" && number && n > int(bound):
		return fmt.Errorf("%s: %v against %s %v", path, value, keyword, bound)
	}
	return nil
}

func is(word string, value any) bool {
	switch value.(type) {
	case nil:
		return word == "null"
	case bool:
		return word == "boolean"
	case string:
		return word == "string"
	case int:
		return word == "integer" || word == "number"
	case float64:
		return word == "number"
	case []any:
		return word == "array"
	}
	return word == "object"
}
