package bpe

// splitter returns the end of the piece that begins at s[i]. Each one is equal
// to its encoding's regular expression, alternatives tried in the written
// order; a property test holds them against the reference.
type splitter func(t *classes, s string, i int) int

// splitO200k is o200k_base's pattern:
//
//	[^\r\n\p{L}\p{N}]?U*W+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	[^\r\n\p{L}\p{N}]?U+W*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//	\p{N}{1,3}
//	 ?[^\s\p{L}\p{N}]+[\r\n/]*
//	\s*[\r\n]+ | \s+(?!\S) | \s+
//
// with U = [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and W = [\p{Ll}\p{Lm}\p{Lo}\p{M}].
func splitO200k(t *classes, s string, i int) int {
	c, w := t.at(s, i)
	if c&(letter|number|newline) == 0 && i+w < len(s) { // with the leading character
		if end, ok := t.word(s, i+w); ok {
			return contracted(s, end)
		}
	}
	if c&(upper|lower) != 0 { // without: a letter, or a mark that leads nothing
		if end, ok := t.word(s, i); ok {
			return contracted(s, end)
		}
	}
	if c&(letter|number|newline) == 0 && i+w < len(s) { // the second alternative: no lower-case half
		if end := t.run(s, i+w, upper); end > i+w {
			return contracted(s, end)
		}
	}
	if c&upper != 0 {
		return contracted(s, t.run(s, i, upper))
	}
	if c&number != 0 {
		return t.digits(s, i, 3)
	}
	if end, ok := t.punctuation(s, i); ok {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n' || s[end] == '/') {
			end++
		}
		return end
	}
	return t.whitespace(s, i, true)
}

// word matches U*W+ from s[i] on: the upper-case run goes as far as it can and
// gives back characters until a lower-case one can follow.
func (t *classes) word(s string, i int) (end int, ok bool) {
	both := -1 // end of the last character of the run that may open W+
	j := i
	for j < len(s) {
		c, w := t.at(s, j)
		if c&upper == 0 {
			if c&lower != 0 {
				return t.run(s, j, lower), true
			}
			break
		}
		j += w
		if c&lower != 0 {
			both = j
		}
	}
	return both, both >= 0
}

// splitCl100k is cl100k_base's pattern:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}
//	| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func splitCl100k(t *classes, s string, i int) int {
	if end := contracted(s, i); end > i {
		return end
	}
	c, w := t.at(s, i)
	if c&letter != 0 {
		return t.run(s, i+w, letter)
	}
	if c&(number|newline) == 0 {
		if end := t.run(s, i+w, letter); end > i+w {
			return end
		}
	}
	if c&number != 0 {
		return t.digits(s, i, 3)
	}
	if end, ok := t.punctuation(s, i); ok {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	return t.whitespace(s, i, true)
}

// splitGPT2 is the pattern of p50k_base and r50k_base:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func splitGPT2(t *classes, s string, i int) int {
	if n := contraction(s, i); n > 0 && lowercase(s[i+1:i+n]) {
		return i + n
	}
	j := i
	if s[i] == ' ' {
		j++
	}
	if j < len(s) {
		switch c, w := t.at(s, j); {
		case c&letter != 0:
			return t.run(s, j+w, letter)
		case c&number != 0:
			return t.run(s, j+w, number)
		case c&space == 0:
			return t.symbols(s, j+w)
		}
	}
	return t.whitespace(s, i, false)
}

// digits ends a run of at most most numbers.
func (t *classes) digits(s string, i, most int) int {
	for n := 0; n < most && i < len(s); n++ {
		c, w := t.at(s, i)
		if c&number == 0 {
			break
		}
		i += w
	}
	return i
}

// punctuation matches " ?[^\s\p{L}\p{N}]+".
func (t *classes) punctuation(s string, i int) (end int, ok bool) {
	if s[i] == ' ' {
		i++
	}
	end = t.symbols(s, i)
	return end, end > i
}

// whitespace matches "\s*[\r\n]+" (where lines is true), else "\s+(?!\S)", else
// "\s+": through the last newline of the run, else all of it at the end of the
// text, else all but its last character, which leads the next word.
func (t *classes) whitespace(s string, i int, lines bool) int {
	last, line, j := i, -1, i
	for j < len(s) {
		c, w := t.at(s, j)
		if c&space == 0 {
			break
		}
		last = j
		j += w
		if c&newline != 0 {
			line = j
		}
	}
	switch {
	case lines && line >= 0:
		return line
	case j == len(s) || last == i:
		return j
	}
	return last
}

// contracted is the end of the English contraction at s[i], in any case, else i.
func contracted(s string, i int) int { return i + contraction(s, i) }

// contraction is the length of 's 't 'm 'd 're 've or 'll at s[i], else 0.
func contraction(s string, i int) int {
	if i+1 >= len(s) || s[i] != '\'' {
		return 0
	}
	a := s[i+1] | 0x20
	switch a {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v', 'l':
		if i+2 >= len(s) {
			return 0
		}
		if b := s[i+2] | 0x20; b == 'e' && a != 'l' || b == 'l' && a == 'l' {
			return 3
		}
	}
	return 0
}

func lowercase(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' {
			return false
		}
	}
	return true
}
