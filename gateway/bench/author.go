package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"farthing/policies/estimate"
)

// author writes texts to count that look like chats: prose whose words are as
// uneven in frequency as people's, now and then code, figures, a link, or
// another language. The same seed writes the same.
type author struct{ random *rand.Rand }

func newAuthor(seed uint64) *author { return &author{rand.New(rand.NewPCG(seed, 1))} }

var vocabulary = strings.Fields(`the of and to a in is that it for was on are with as be this by at from or have an not
	they which you were but one had what all their when can there we if your more about will some them would other into
	then so its only time could these two may out also after most people over like just because new first between work
	data year through much before good system must should where request each service budget number answer model those
	price while however question example function memory latency provider network cache different possible without
	tokens estimate probably documentation asynchronous deterministic configuration throughput idempotency serialisation
	reconciliation Kubernetes PostgreSQL unfortunately characteristics`)

var asides = []string{
	"func (s *Store) Get(ctx context.Context, id string) (*Item, error) {\n\tif id == \"\" {\n\t\treturn nil, ErrNoID\n\t}\n}\n",
	"SELECT team, sum(cost_usd) FROM receipts WHERE day >= '2026-10-01' GROUP BY team ORDER BY 2 DESC;\n",
	"{\"id\": 4711, \"tags\": [\"a\", \"b\"], \"total\": 12.50, \"paid\": false}\n",
	"See https://example.com/docs/v2/guide?lang=en#section-3 for more.\n",
	"Die Antwort hängt davon ab, wie groß die Anfrage ist – häufig genügt das kleinere Modell.\n",
	"请把下面的段落翻译成英文，并保持原来的格式。\n",
	"- 1,024 requests\n- 99.95 % within 250 ms\n- $0.0031 each\n",
}

// sentence is one sentence, or something else in its place.
func (a *author) sentence() string {
	if a.random.IntN(12) == 0 {
		return asides[a.random.IntN(len(asides))]
	}
	var w strings.Builder
	for i := range 6 + a.random.IntN(14) {
		x := a.random.Float64()
		word := vocabulary[int(x*x*x*float64(len(vocabulary)))]
		switch {
		case i == 0:
			word = strings.ToUpper(word[:1]) + word[1:]
		case a.random.IntN(11) == 0:
			w.WriteByte(',')
		}
		if i > 0 {
			w.WriteByte(' ')
		}
		w.WriteString(word)
	}
	w.WriteString(". ")
	return w.String()
}

// text is sentences of at least so many tokens of o200k_base.
func (a *author) text(tokens int) string {
	var w strings.Builder
	for n := 0; n < tokens; {
		s := a.sentence()
		n += estimate.Tokens("o200k_base", s)
		w.WriteString(s)
	}
	return w.String()
}

// unseen is the same texts with something before each that no other call puts
// there, so that nobody has counted them before.
func unseen(texts []string, serial uint64) []string {
	list := make([]string, len(texts))
	for i, text := range texts {
		list[i] = fmt.Sprintf("%x.%x %s", serial, i, text)
	}
	return list
}
