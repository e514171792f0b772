package strict

import (
	"fmt"
	"strings"
	"testing"

	"farthing/providers"
)

type leaf struct {
	Word string `yaml:"word,shorthand"`
	N    int64  `yaml:"n"`
}

type tree struct {
	Leaf   leaf            `yaml:"leaf"`
	Leaves map[string]leaf `yaml:"leaves,empties"`
	Rest   []leaf          `yaml:"rest"`
	Hidden string          `yaml:"-"`
	Untold string
}

func nothing(string, any) []providers.Problem { return nil }

// TestBound tells the first thousand mistakes and counts the rest.
func TestBound(t *testing.T) {
	var into tree
	_, found := Decode("f", []byte(strings.Repeat("- x\n", 3)+"leaves: {"), &into, nothing)
	if len(found) != 1 {
		t.Errorf("%v", found)
	}
	var b strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&b, "wrong%d: 1\n", i)
	}
	_, found = Decode("f", []byte(b.String()), &into, nothing)
	if len(found) != 1001 || found[0].String() != "f: and 500 more mistakes" && found[1000].String() != "f: and 500 more mistakes" {
		t.Errorf("%d: %v", len(found), found[len(found)-1])
	}
}

// TestTooLarge refuses a file that no person wrote.
func TestTooLarge(t *testing.T) {
	var into tree
	_, found := Decode("f", []byte("leaf: "+strings.Repeat("x", 5<<20)), &into, nothing)
	if len(found) != 1 || !strings.Contains(found[0].Message, "larger than 4 MiB") {
		t.Errorf("%v", found)
	}
}

// TestHidden keeps fields without a name out of the file.
func TestHidden(t *testing.T) {
	for _, name := range []string{"-", "Hidden", "Untold", "untold"} {
		var into tree
		if _, found := Decode("f", []byte(name+": x\n"), &into, nothing); len(found) == 0 {
			t.Errorf("%s was taken", name)
		}
	}
}

// TestShorthand reads the three ways to write a leaf.
func TestShorthand(t *testing.T) {
	var into tree
	doc, found := Decode("f", []byte("leaf: a\nleaves: {x: {word: b, n: 0x10}, y: }\nrest: c\n"), &into, nothing)
	if len(found) > 0 || into.Leaf.Word != "a" || into.Leaves["x"].N != 16 || into.Rest[0].Word != "c" || len(into.Leaves) != 2 {
		t.Errorf("%+v %v", into, found)
	}
	for pattern, want := range map[string]int{"leaves.*": 2, "leaves.*.n": 1, "rest[*]": 1, "rest.*": 0, "rest[0].word": 1, "leaf.word": 1, "*": 3, "leaves.x.*": 2} {
		if places := doc.Find(pattern); len(places) != want {
			t.Errorf("%s: %v", pattern, places)
		}
	}
}

// TestCheck asks about every value, and not about what could not be read.
func TestCheck(t *testing.T) {
	asked := map[string]string{}
	check := func(path string, value any) []providers.Problem {
		asked[path] = fmt.Sprintf("%T", value)
		if path == "leaf" {
			return []providers.Problem{providers.Warningf("leaf.word", "odd")}
		}
		return nil
	}
	var into tree
	_, found := Decode("f", []byte("leaf: {word: a}\nleaves: {x: {n: many}}\n"), &into, check)
	if len(found) != 2 || found[0].String() != "f:1:14: warning: leaf.word: odd" || found[1].Path != "leaves.x.n" {
		t.Errorf("%v", found)
	}
	if asked["leaf.word"] != "*string" || asked["leaf"] != "*strict.leaf" || asked["leaves.x"] != "" || asked["leaves.x.n"] != "" {
		t.Errorf("%v", asked)
	}
}

// TestNearest guesses what was meant, and does not guess wildly.
func TestNearest(t *testing.T) {
	known := []string{"limit", "listen", "when", "when_spent", "requests_per_minute"}
	for wrong, want := range map[string]string{
		"limt": "limit", "Limit": "limit", "limits": "limit", "lsiten": "listen", "whne": "when", "when-spent": "when_spent",
		"request_per_minute": "requests_per_minute", "colour": "", "x": "", strings.Repeat("limit", 1000): "",
	} {
		if got := nearest(wrong, known); got != want {
			t.Errorf("%s: %q, want %q", wrong, got, want)
		}
	}
}
