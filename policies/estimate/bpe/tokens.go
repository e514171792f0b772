package bpe

import "unicode/utf8"

// Tokens is the exact number of tokens of text in a tiktoken encoding
// (o200k_base, cl100k_base, p50k_base, r50k_base), equal to what tiktoken-go's
// EncodeOrdinary gives: the names of special tokens count as ordinary text. It
// is 0 for an encoding that is none of these; Known tells. Time is bounded by
// n log n for every input, and nothing is allocated per piece.
func Tokens(encoding, text string) int {
	v := encodings.get(encoding)
	if v == nil {
		return 0
	}
	return v.count(text)
}

// Known says whether Tokens counts in this encoding.
func Known(encoding string) bool {
	switch encoding {
	case "o200k_base", "cl100k_base", "p50k_base", "r50k_base":
		return true
	}
	return false
}

// Rewritten is the number of tokens of rewrite(text), remembered by text, so
// that a text seen before is not rewritten again. A caller uses one rewrite
// only.
func Rewritten(encoding, text string, rewrite func(string) string) int {
	v := encodings.get(encoding)
	if v == nil {
		return 0
	}
	return v.remembered(text, rewritten, rewrite)
}

// salts keep apart the two ways in which one text may be counted.
const (
	plain uint64 = iota
	rewritten
)

// count is the number of tokens, from memory where the text was seen before.
func (v *vocab) count(text string) int {
	if len(text) < seenFrom {
		return v.countNew(text)
	}
	return v.remembered(text, plain, nil)
}

func (v *vocab) remembered(text string, salt uint64, rewrite func(string) string) int {
	k := v.seen.key(text, salt)
	if n := v.seen.get(k); n != 0 {
		return int(n - 1)
	}
	read := text
	if rewrite != nil {
		read = rewrite(text)
	}
	n := v.countNew(read)
	v.seen.put(k, uint64(n)+1)
	return n
}

// countNew splits text into pieces and counts each.
func (v *vocab) countNew(text string) int {
	if !utf8.ValidString(text) {
		text = string([]rune(text)) // as the reference reads it: U+FFFD for each broken byte
	}
	n := 0
	for i := 0; i < len(text); {
		j := v.split(v.classes, text, i)
		if v.rank(text, i, j) != none {
			n++
		} else {
			n += v.merge(text, i, j)
		}
		i = j
	}
	return n
}
