package estimate

import (
	"math"
	"strings"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

// Difficulty is how hard a request is: 0 easy, 1 hard, 0.5 what the published
// benchmarks ask on average. Low and High are its interval; it is wide until
// outcomes of this workload were learned from. Version names the measure.
type Difficulty struct {
	Value   float64 `json:"value"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Learned bool    `json:"learned"`
	Version string  `json:"version"`
}

// plainVersion names the measure below in receipts.
const plainVersion = "plain-1"

// plainSpread is half the interval of a measure that nothing was learned for:
// difficulty barely transfers between workloads.
const plainSpread = 0.35

// What is read of the question: its first 4 KB and its last 2 KB, so that the
// time is bounded at any length.
const (
	headBytes = 4 << 10
	tailBytes = 2 << 10
)

// Difficulty measures how hard the request is, once.
//
// It is a first plain measure, a sum of features through a logistic curve: the
// question's length; words that ask for proof, mathematics, programming or
// judgement, against words that ask for a simple transformation; formulas and
// code; the options of a multiple choice; tools, turns, the depth of a demanded
// schema and the effort asked for. Weights are set by hand so that a greeting
// is near 0.1 and a proof near 0.9. It takes microseconds.
func (r *Request) Difficulty() Difficulty {
	if !r.measured {
		v := measure(r.b)
		r.difficulty = Difficulty{Value: v, Low: max(v-plainSpread, 0), High: min(v+plainSpread, 1), Version: plainVersion}
		r.measured = true
	}
	return r.difficulty
}

func measure(b *providers.Brief) float64 {
	var f features
	text := b.LastUser
	if len(text) > headBytes+tailBytes {
		f.scan(text[:headBytes])
		f.scan(text[len(text)-tailBytes:])
	} else {
		f.scan(text)
	}
	z := -1.6
	z += 0.16 * math.Log2(1+float64(len(text))/64)
	z += 0.9*saturate(f.reason, 2) + 0.9*saturate(f.math, 3) + 0.7*saturate(f.code, 3) + 0.6*saturate(f.judge, 2)
	if f.reason > 0 {
		z += 1.2
	}
	z -= 1.0 * saturate(f.easy, 2)
	z += 0.6*saturate(f.formula, 12) + 0.5*saturate(f.syntax, 24)
	if f.options >= 3 {
		z += 0.4
	}
	z += 0.15 * math.Log2(1+float64(b.Tools))
	z += 0.08 * math.Log2(1+float64(max(b.Turns-1, 0)))
	z += 0.1 * float64(min(schemaDepth(b.SchemaText), 6))
	switch b.Effort {
	case "high", "xhigh", "max":
		z += 0.8
	case "medium":
		z += 0.2
	case "none", "minimal", "low":
		z -= 0.4
	}
	return logistic(z)
}

// saturate grows from 0 to 1 and is 0.5 at half.
func saturate(n, half int) float64 { return float64(n) / float64(n+half) * 2 }

func logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

func logit(p float64) float64 {
	p = min(max(p, 0.01), 0.99)
	return math.Log(p / (1 - p))
}

// features are counts of cues in a text.
type features struct {
	reason, math, code, judge, easy int // words
	formula, syntax, options        int
}

// longestCue is the length of the longest word that is looked up.
const longestCue = 16

// scan reads ASCII words and signs in one pass and allocates nothing.
func (f *features) scan(s string) {
	var word [longestCue]byte
	n, lineStart := 0, true
	for i := 0; i <= len(s); i++ {
		var c byte
		if i < len(s) {
			c = s[i]
		}
		if l := c | 0x20; l >= 'a' && l <= 'z' {
			if n < longestCue {
				word[n] = l
			}
			n++
			continue
		}
		if n > 1 && n <= longestCue {
			f.word(word[:n])
		}
		if n == 1 && (c == ')' || c == '.') && lineStart && word[0] <= 'j' {
			f.options++
		}
		lineStart = c == '\n' || (lineStart || n == 0 && c == '(') && n == 0 && (c == ' ' || c == '(' || c == '\t')
		n = 0
		f.sign(c)
	}
}

func (f *features) sign(c byte) {
	switch c {
	case '=', '^', '\\', '$', '+', '<', '>':
		f.formula++
	case '{', '}', ';', '`', '(', ')':
		f.syntax++
	}
}

func (f *features) word(w []byte) {
	switch string(w) {
	case "prove", "proof", "proofs", "theorem", "lemma", "derive", "rigorous", "rigorously", "contradiction", "induction", "irrational", "disprove", "corollary":
		f.reason++
	case "integral", "derivative", "equation", "equations", "matrix", "probability", "polynomial", "modulo", "solve", "compute", "calculate",
		"eigenvalue", "triangle", "prime", "integer", "integers", "sum", "frac", "sqrt", "remainder", "percent", "average", "vector":
		f.math++
	case "func", "function", "class", "return", "import", "algorithm", "complexity", "concurrency", "deadlock", "refactor", "debug", "implement",
		"compile", "exception", "traceback", "async", "sql", "regex", "kernel", "optimize", "bug", "recursive":
		f.code++
	case "why", "compare", "analyze", "analyse", "evaluate", "design", "critique", "plan", "strategy", "diagnose", "assess", "explain", "argue", "trade":
		f.judge++
	case "hi", "hello", "hey", "thanks", "thank", "translate", "summarize", "summarise", "rephrase", "spell", "classify", "extract", "format", "list", "capital", "joke":
		f.easy++
	}
}

// schemaDepth is how deep a response schema nests, at most six levels looked at.
func schemaDepth(raw string) int {
	if raw == "" {
		return 0
	}
	return 1 + depthBelow(gjson.Parse(raw), 0)
}

func depthBelow(v gjson.Result, level int) int {
	if level >= 6 || !v.IsObject() && !v.IsArray() {
		return 0
	}
	deepest := 0
	v.ForEach(func(key, child gjson.Result) bool {
		below := depthBelow(child, level+1)
		if strings.HasSuffix(key.Str, "roperties") || key.Str == "items" {
			below++
		}
		deepest = max(deepest, below)
		return deepest < 6
	})
	return deepest
}
