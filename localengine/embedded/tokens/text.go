package tokens

import (
	"bytes"
	"unicode/utf8"
)

// Text turns token pieces into text that may be sent. It holds back
// bytes that may still become part of a stop text or of a character whose
// other bytes come with the next token. The same pieces give the same text
// however they are cut, so streamed and whole replies are equal.
type Text struct {
	Stops   []string
	pending []byte
	Stopped bool
}

// Write takes a token's bytes and returns the text that is now certain. Once
// a stop text is complete it sets Stopped; the stop text itself and what comes
// after it are never returned.
func (t *Text) Write(piece string) string {
	if t.Stopped {
		return ""
	}
	t.pending = append(t.pending, piece...)
	first := -1
	for _, s := range t.Stops {
		if i := bytes.Index(t.pending, []byte(s)); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first >= 0 {
		t.Stopped = true
		t.pending = t.pending[:first]
		return t.Flush()
	}
	return t.take(len(t.pending) - max(t.partialStop(), partialRune(t.pending)))
}

// Flush returns what was held back, when no token follows.
func (t *Text) Flush() string { return t.take(len(t.pending)) }

func (t *Text) take(n int) string {
	out := string(t.pending[:n])
	t.pending = append(t.pending[:0], t.pending[n:]...)
	if !utf8.ValidString(out) {
		// One replacement for each bad byte: a run of them then reads the
		// same wherever it was cut.
		out = string([]rune(out))
	}
	return out
}

// partialStop is the length of the longest end of pending that begins a stop
// text.
func (t *Text) partialStop() int {
	longest := 0
	for _, s := range t.Stops {
		for n := min(len(s)-1, len(t.pending)); n > longest; n-- {
			if string(t.pending[len(t.pending)-n:]) == s[:n] {
				longest = n
			}
		}
	}
	return longest
}

// partialRune is the length of a character at the end of b that is not
// complete yet, or 0.
func partialRune(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		tail := b[len(b)-n:]
		if utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
