package bpe

import (
	"unicode"
	"unicode/utf8"
)

// class says which of the patterns' Unicode classes a character belongs to.
type class uint8

const (
	letter  class = 1 << iota // \p{L}
	number                    // \p{N}
	space                     // \s
	newline                   // \r or \n
	upper                     // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], the first half of a word in o200k
	lower                     // [\p{Ll}\p{Lm}\p{Lo}\p{M}], its second half
)

// symbolMask: a character with none of these is in [^\s\p{L}\p{N}].
const symbolMask = letter | number | space

// tabled is how many code points the table of classes covers: the two planes
// that hold nearly all text.
const tabled = 0x20000

// classes is a table of the classes of the first code points, 128 KB.
type classes [tabled]class

func newClasses() *classes {
	t := new(classes)
	for r := range rune(tabled) {
		t[r] = slowClass(r)
	}
	return t
}

// slowClass asks the standard library's tables, which are the ones that the
// reference's regular expressions use as well.
func slowClass(r rune) class {
	var c class
	if unicode.IsSpace(r) {
		c |= space
	}
	if r == '\r' || r == '\n' {
		c |= newline
	}
	if unicode.Is(unicode.N, r) {
		c |= number
	}
	if unicode.Is(unicode.L, r) {
		c |= letter
	}
	if unicode.In(r, unicode.Lm, unicode.Lo, unicode.M) {
		c |= upper | lower
	}
	if unicode.In(r, unicode.Lu, unicode.Lt) {
		c |= upper
	}
	if unicode.Is(unicode.Ll, r) {
		c |= lower
	}
	return c
}

// at is the class and the width of the character at s[i].
func (t *classes) at(s string, i int) (class, int) {
	if b := s[i]; b < utf8.RuneSelf {
		return t[b], 1
	}
	r, w := utf8.DecodeRuneInString(s[i:])
	if r < tabled {
		return t[r], w
	}
	return slowClass(r), w
}

// run is the end of the characters from s[i] on that have any bit of want.
func (t *classes) run(s string, i int, want class) int {
	for i < len(s) {
		c, w := t.at(s, i)
		if c&want == 0 {
			break
		}
		i += w
	}
	return i
}

// symbols is the end of the run of [^\s\p{L}\p{N}] from s[i] on.
func (t *classes) symbols(s string, i int) int {
	for i < len(s) {
		c, w := t.at(s, i)
		if c&symbolMask != 0 {
			break
		}
		i += w
	}
	return i
}
