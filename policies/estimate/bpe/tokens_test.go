package bpe

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
	"pgregory.net/rapid"
)

var encodingNames = []string{"o200k_base", "cl100k_base", "p50k_base", "r50k_base"}

// references are tiktoken-go's own encoders, which the fast path must equal.
var references = sync.OnceValue(func() map[string]*tiktoken.Tiktoken {
	tiktoken.SetBpeLoader(loader.NewOfflineLoader())
	all := map[string]*tiktoken.Tiktoken{}
	for _, name := range encodingNames {
		enc, err := tiktoken.GetEncoding(name)
		if err != nil {
			panic(err)
		}
		all[name] = enc
	}
	return all
})

func requireEqual(t interface{ Fatalf(string, ...any) }, text string) {
	for _, name := range encodingNames {
		want := len(references()[name].EncodeOrdinary(text))
		if got := Tokens(name, text); got != want {
			t.Fatalf("%s: %d tokens, the reference has %d, for %q", name, got, want, text)
		}
		if got := Tokens(name, text); got != want {
			t.Fatalf("%s: %d tokens the second time, not %d, for %q", name, got, want, text)
		}
	}
}

var samples = []string{
	"", " ", "a", "'", "'s", "I'll say it's what they'RE; WE'VE, i'D 'ſ 'K ʼs don't",
	"Hello, world! How are you?\n\n\tfine   \n  x", "   leading", "trailing   ", "\r\n\r\n", " \n \n ", "a\u00a0b\u2003\u2003c\u0085d",
	"1234567890 ١٢٣٤٥ ½⅓ Ⅳ²", "ＡＢＣ ǅǈ ʰʱ ªº", "e\u0301e\u0301 \u0301\u0301A \u0301", "!\u0301abc ?\u0301\u0301", "\u0301ABC", "日本語テキスト、そして漢字ABCです。",
	"한국어 문장입니다", "ภาษาไทยไม่มีช่องว่าง", "हिन्दी में लिखा", "👩‍👩‍👧‍👦🏳️‍🌈 🇩🇪🇫🇷 ❤️", "ABCdefGHI jklMNO aBcDeF HTTPServer XMLHttpRequest",
	"<|endoftext|> <|im_start|>user<|im_end|> <|fim_prefix|>", "func main() {\n\tfmt.Println(\"hi\")\n}\n//// path/to/file\n", "https://example.com/a/b?c=d&e=f#g//\n/",
	"\x00\x01\x02\x7f", "\xff\xfe broken \xc3( \xf0\x9f", "𝒳𝒴𝒵 𠀀𠀁 \U0010ffff\U000e0100", "İıſK", "日A", "日Ab", "A日", "ʰA", "Aʰ", "ABʰCD'sx", "x's'S'Re",
	"///\n\n/ --- ***\n/\r", "..., ;;\n\n a", "   \n   b", "\t\t\tint x;", " 123", " ½", "a1b22c333d4444",
}

func TestEqualsReferenceOnSamples(t *testing.T) {
	for _, s := range samples {
		requireEqual(t, s)
		requireEqual(t, s+s)
		requireEqual(t, strings.Repeat(s, 7)+"z")
	}
}

// Every code point stands once before, after and between letters, so that a
// class that differs from the reference's by one character is found. In the
// large blocks of one class (Hangul, Han and above) some stand for all.
func TestEqualsReferenceOnEveryCodePoint(t *testing.T) {
	var b strings.Builder
	check := func() {
		requireEqual(t, b.String())
		b.Reset()
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		uniform := r >= 0x3400 && r < 0x9f00 || r >= 0xac00 && r < 0xd700 || r >= 0xe000 && r < 0xf800 || r > 0x17000 && r < 0x18a00
		if r >= 0xd800 && r < 0xe000 || r > 0x20400 && r%509 != 0 || uniform && r%61 != 0 {
			continue
		}
		fmt.Fprintf(&b, "%c%cAb %cc'%c", r, r, r, r)
		if b.Len() > 4096 {
			check()
		}
	}
	check()
}

var alphabets = []string{
	"abcdefghijklmnopqrstuvwxyz ", "ABCDabcd'SsTtRrEeVvMmLlDd ", " \t\r\n\u00a0\u2028a.", "0123456789½٣ ", "!?.,;:/\\-_()[]{}\"'`~@#$%^&*\r\n/ ",
	"日本語中文字あいうカキク。、 Aa", "한글조합 abc", "ʰªºǅÀÉàéßøŁł\u0301\u0302\u200d\ufe0f A", "👍🏽👩‍💻🇩🇪❤️ x", "αβγΑΒΓабвАБВאבגابت ",
}

func textGen() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var b strings.Builder
		for range rapid.IntRange(0, 8).Draw(t, "runs") {
			letters := []rune(rapid.SampledFrom(alphabets).Draw(t, "alphabet"))
			b.WriteString(rapid.StringOfN(rapid.SampledFrom(letters), 0, 40, -1).Draw(t, "run"))
			if rapid.IntRange(0, 5).Draw(t, "sample") == 0 {
				b.WriteString(rapid.SampledFrom(samples).Draw(t, "text"))
			}
		}
		b.WriteString(rapid.StringN(0, 20, -1).Draw(t, "any"))
		return b.String()
	})
}

func TestEqualsReferenceOnRandomText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { requireEqual(t, textGen().Draw(t, "text")) })
}

// Long pieces go through the heap: words without a space, and one letter.
func TestEqualsReferenceOnLongPieces(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, letters := range []string{"a", "ab", "abcdefghijklmnopqrstuvwxyz", "日本語中文字あ", "=-", " ", "ภาษาไทย", "0"} {
		runes := []rune(letters)
		for _, n := range []int{small - 1, small, small + 1, 200, 900} {
			var b strings.Builder
			for range n {
				b.WriteRune(runes[rnd.IntN(len(runes))])
			}
			requireEqual(t, b.String())
		}
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range samples {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 2000 {
			s = s[:2000]
		}
		requireEqual(t, s)
	})
}

func TestUnknownEncoding(t *testing.T) {
	if Known("other") || Tokens("other", "text") != 0 {
		t.Fatal("an encoding that is none of ours counts")
	}
}

// The time of any input grows as n log n, a piece of one class being the worst:
// eight times the length takes about ten times as long, where a quadratic way
// would take sixty-four times. The shortest of some tries counts, since machines
// are shared.
func TestTimeIsBounded(t *testing.T) {
	const long, short, most = 256 << 10, 32 << 10, 32
	Tokens("o200k_base", "x")
	rnd := rand.New(rand.NewPCG(3, 4))
	random := make([]byte, long)
	for i := range random {
		random[i] = 'a' + byte(rnd.IntN(26))
	}
	best := func(s string) time.Duration {
		least := time.Duration(math.MaxInt64)
		for range 3 {
			start := time.Now()
			if n := Tokens("o200k_base", s); n == 0 || n > len(s) {
				t.Fatalf("%d tokens in %d bytes", n, len(s))
			}
			least = min(least, time.Since(start))
		}
		return least
	}
	for name, s := range map[string]string{"one letter": strings.Repeat("a", long), "random letters": string(random), "spaces": strings.Repeat(" ", long)} {
		if a, b := best(s[:short]), best(s); b > most*a {
			t.Errorf("%s: %v for %d bytes and %v for %d", name, a, short, b, long)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	v := encodings.get("o200k_base")
	text := strings.Repeat("The quick brown fox, 日本語テキスト and unwordlikestrings. ", 40)
	v.countNew(text)
	if n := testing.AllocsPerRun(20, func() { v.countNew(text) }); n > 0.5 {
		t.Fatalf("%v allocations", n)
	}
	v.count(text)
	if n := testing.AllocsPerRun(20, func() { v.count(text) }); n > 0 {
		t.Fatalf("%v allocations for text seen before", n)
	}
}

func TestSeenIsBoundedAndExact(t *testing.T) {
	m := newSeen()
	for i := range 3 * seenSets * seenWays {
		k := m.key(fmt.Sprint("text ", i), plain)
		m.put(k, uint64(i)+1)
		if got := m.get(k); got != uint64(i)+1 {
			t.Fatalf("entry %d is %d just after it was put", i, got)
		}
		if other := m.get(m.key(fmt.Sprint("text ", i), rewritten)); other != 0 {
			t.Fatalf("the same text counted in another way is found: %d", other)
		}
	}
}

func TestSeenUnderConcurrentWriters(t *testing.T) {
	m := newSeen()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20_000 {
				n := uint64(i*7+g) % 997
				k := seenKey{first: n * seenSets, second: n} // one set for all
				m.put(k, n+1)
				if got := m.get(k); got != 0 && got != n+1 {
					t.Errorf("key %d reads %d", n, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

var benchTexts = map[string]string{
	"english": strings.Repeat("It was the best of times, it was the worst of times; Mr. Lorry's coach didn't arrive until 1775. ", 41),
	"code":    strings.Repeat("func (v *vocab) rank(s string, i, j int) uint32 {\n\tif n := j - i; n <= 8 {\n\t\treturn v.short[n].id // why\n\t}\n}\n", 36),
	"chinese": strings.Repeat("人工智能正在改变世界,越来越多的公司开始使用大型语言模型。", 48),
	"mixed":   strings.Repeat("Grüße aus München! Ответ: 42. supercalifragilistic xkcdqwerty 👩‍💻 a1b2c3d4e5f6 ", 40),
}

func BenchmarkTokensNew(b *testing.B) {
	for name, text := range benchTexts {
		b.Run(name, func(b *testing.B) {
			v := encodings.get("o200k_base")
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				v.countNew(text)
			}
		})
	}
}

func BenchmarkTokensSeen(b *testing.B) {
	text := benchTexts["english"]
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Tokens("o200k_base", text)
	}
}

func BenchmarkTiktokenGo(b *testing.B) {
	enc, text := references()["o200k_base"], benchTexts["english"]
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		enc.EncodeOrdinary(text)
	}
}
