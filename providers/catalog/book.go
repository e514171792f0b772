package catalog

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"farthing/providers"
	"farthing/providers/catalog/price"
)

//go:generate go run farthing/providers/catalog/generate -o book.jsonl

//go:embed book.jsonl
var embedded []byte

// Book is a price book: models of providers with their prices by date. It does
// not change; With makes a new one. It may be used from many goroutines.
type Book struct {
	header  Header
	version string
	entries []*entry
	exact   map[key]*entry
	rules   map[string][]*entry // by provider, in the book's order
	own     map[key][]*price.Row
	ownRows []RowConfig
}

type key struct{ provider, model string }

type entry struct {
	Entry
	rows  []*price.Row
	match *matcher // nil: every name stands in exact
}

var loadEmbedded = sync.OnceValue(func() *Book {
	b, err := Parse(embedded)
	if err != nil {
		panic("catalog: the embedded price book is broken: " + err.Error()) // a test loads it
	}
	return b
})

// Embedded is the book that was built into the binary, read at the first call
// (about 15 ms).
func Embedded() *Book { return loadEmbedded() }

// Parse reads a book in the form of book.jsonl: a Header, then an Entry a line.
func Parse(data []byte) (*Book, error) {
	first, rest, _ := bytes.Cut(data, []byte("\n"))
	var h Header
	if err := json.Unmarshal(first, &h); err != nil || h.AsOf == "" {
		return nil, fmt.Errorf("the first line is not a header: %w", err)
	}
	var entries []*Entry
	for n := 2; len(rest) > 0; n++ {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		if len(line) == 0 {
			continue
		}
		e := new(Entry)
		if err := json.Unmarshal(line, e); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		entries = append(entries, e)
	}
	b, err := New(h, entries)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(data)
	b.version = h.AsOf + "-" + hex.EncodeToString(hash[:4])
	return b, nil
}

// New compiles entries into a book. The first error ends it.
func New(h Header, entries []*Entry) (*Book, error) {
	b := &Book{header: h, version: h.AsOf, exact: map[key]*entry{}, rules: map[string][]*entry{}, own: map[key][]*price.Row{}}
	for _, e := range entries {
		if len(e.Rows) == 0 {
			return nil, fmt.Errorf("%s/%s has no price row", e.Provider, e.Model)
		}
		c := &entry{Entry: *e}
		for i, row := range e.Rows {
			r, problems := price.Compile(fmt.Sprintf("%s/%s rows[%d]", e.Provider, e.Model, i), row)
			if r == nil {
				return nil, fmt.Errorf("%s: %s", problems[0].Path, problems[0].Message)
			}
			c.rows = append(c.rows, r)
		}
		b.entries = append(b.entries, c)
		b.name(c, e.Model)
		b.name(c, strings.ToLower(e.Model))
	}
	for _, c := range b.entries {
		if err := b.index(c); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", c.Provider, c.Model, err)
		}
	}
	return b, nil
}

func (b *Book) name(e *entry, model string) {
	if k := (key{e.Provider, model}); b.exact[k] == nil {
		b.exact[k] = e
	}
}

// index puts the names that an entry lists into exact and keeps the rest of its
// rule. Names come before rules, and a model's own name before another's list.
func (b *Book) index(e *entry) error {
	if e.Match == nil {
		return nil
	}
	m, err := compileMatch(*e.Match)
	if err != nil {
		return err
	}
	if !m.aliases(func(name string) { b.name(e, name) }) {
		e.match = &m
		b.rules[e.Provider] = append(b.rules[e.Provider], e)
	}
	return nil
}

// Version names the book in receipts: the newest source's date and a hash of
// everything in it.
func (b *Book) Version() string { return b.version }

// Header says where the book's prices are from.
func (b *Book) Header() Header { return b.header }

// Entries are the book's models in order, without the operator's rows.
func (b *Book) Entries() []Entry {
	out := make([]Entry, len(b.entries))
	for i, e := range b.entries {
		out[i] = e.Entry
	}
	return out
}

// Own are the operator's rows.
func (b *Book) Own() []RowConfig { return b.ownRows }

// Row is the price row of a model at a moment. provider is the name of a
// provider in the file (for the operator's rows) or of a provider row; model is
// any name that the provider knows the model by. A moment before the first
// known price has the first. It allocates nothing for names that are listed.
func (b *Book) Row(provider, model string, at time.Time) (*price.Row, bool) {
	if r := dated(b.own[key{provider, model}], at); r != nil {
		return r, true
	}
	if e := b.find(provider, model); e != nil {
		if r := dated(e.rows, at); r != nil {
			return r, true
		}
		return e.rows[0], true
	}
	return nil, false
}

// For is the row of a target: the operator's for its name or its upstream
// name, then the book's for its type and either name.
func (b *Book) For(t providers.Target, at time.Time) (*price.Row, bool) {
	_, model, _ := providers.SplitTarget(t.Name)
	for _, k := range [...]key{{t.Provider, model}, {t.Provider, t.ID}} {
		if r := dated(b.own[k], at); r != nil {
			return r, true
		}
	}
	if r, ok := b.Row(t.Type, t.ID, at); ok {
		return r, true
	}
	if t.Model == "" {
		return nil, false
	}
	return b.Row(t.Type, t.Model, at)
}

// dated is the row that holds at a moment; rows do not overlap.
func dated(rows []*price.Row, at time.Time) *price.Row {
	for i := len(rows) - 1; i >= 0; i-- {
		r := rows[i]
		if !at.Before(r.From) && (r.To.IsZero() || at.Before(r.To)) {
			return r
		}
	}
	return nil
}

// Entry is what the book has of a model, by any of its names.
func (b *Book) Entry(provider, model string) (Entry, bool) {
	if e := b.find(provider, model); e != nil {
		return e.Entry, true
	}
	return Entry{}, false
}

// synonyms are other names of provider rows: those of genai-prices and litellm.
var synonyms = map[string]string{
	"google": "gemini", "x-ai": "xai", "moonshotai": "moonshot", "aws": "bedrock", "together_ai": "together",
	"fireworks_ai": "fireworks", "dashscope": "alibaba", "voyageai": "voyage", "google-gla": "gemini", "google-vertex": "vertex",
}

// resells are the rows whose models may be another row's at the same price:
// Azure bills OpenAI's global prices, Vertex Google's and Anthropic's, Google
// what its row lacks at Anthropic's.
var resells = map[string][]string{"azure": {"openai", "anthropic"}, "vertex": {"anthropic", "gemini"}, "gemini": {"anthropic"}, "zai": {"zhipuai"}}

func (b *Book) find(provider, model string) *entry {
	if e := b.findAt(provider, model); e != nil {
		return e
	}
	if s, ok := synonyms[provider]; ok {
		return b.find(s, model)
	}
	for _, p := range resells[provider] {
		if e := b.findAt(p, model); e != nil {
			return e
		}
	}
	if provider == "huggingface" { // its router takes model:host, each host with its own prices
		if i := strings.LastIndexByte(model, ':'); i > 0 {
			return b.findAt("huggingface_"+model[i+1:], model[:i])
		}
	}
	if provider == "openrouter" { // its answers name author/model-date, for every model the same way
		if m := trailing.FindStringIndex(model); m != nil {
			return b.exact[key{provider, model[:m[0]]}]
		}
	}
	return nil
}

func (b *Book) findAt(provider, model string) *entry {
	if e := b.exact[key{provider, model}]; e != nil {
		return e
	}
	lower := strings.ToLower(model)
	if e := b.exact[key{provider, lower}]; e != nil {
		return e
	}
	for _, e := range b.rules[provider] {
		if e.match.matches(lower) {
			return e
		}
	}
	return nil
}

// Dearest is the provider's row with the greatest sum of a token in and a token
// out among its chat models, for models without a price under `unknown_model: like_dearest_of_provider`.
func (b *Book) Dearest(provider string, at time.Time) (*price.Row, bool) {
	var best *price.Row
	var most providers.Price
	for _, e := range b.entries {
		if e.Provider != provider || e.Can != nil && e.Can.Mode != "" && e.Can.Mode != "chat" {
			continue
		}
		r := dated(e.rows, at)
		if r == nil {
			continue
		}
		if in, out := r.Prices(0, price.Terms{At: at}); best == nil || in+out > most {
			best, most = r, in+out
		}
	}
	return best, best != nil
}
