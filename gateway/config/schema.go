package config

import (
	_ "embed"
	"reflect"
	"strings"

	"farthing/gateway/config/strict"
)

// fieldDocs has a line for each field of the file: Go type and name, the words
// it takes if there is a fixed choice, and what it is.
//
//go:embed fields.txt
var fieldDocs string

// Schema is the JSON Schema (draft 2020-12) of the file, for editors.
func Schema() []byte {
	b, err := strict.Schema(reflect.TypeFor[File](), "Farthing's configuration file", docs())
	if err != nil {
		panic(err) // the types cannot be described, which the first test sees
	}
	return b
}

// docs reads lines such as
//
//	route.ModelConfig.pick = best_value | cheapest: how candidates are ranked
func docs() map[string]strict.Doc {
	all := map[string]strict.Doc{}
	for line := range strings.Lines(fieldDocs) {
		head, text, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		name, words, choice := strings.Cut(head, " = ")
		doc := strict.Doc{Text: text}
		if choice {
			doc.Values = strings.Split(words, " | ")
		}
		all[name] = doc
	}
	return all
}
