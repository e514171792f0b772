// Command generate writes the embedded price book, providers/catalog/book.jsonl,
// from published price data. Run it in the project's root:
//
//	go run ./providers/catalog/generate
//
// The rule where sources disagree: corrections.json, each row of which names
// its own source, beats genai-prices, which beats litellm. litellm adds what
// genai-prices lacks (service tiers, regions, search fees, one-hour cache
// writes, facts) and whole models that it does not know. Every conflict, every
// price that had to be rounded up and everything left out is listed on stderr.
package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"farthing/providers"
	"farthing/providers/catalog"
	"farthing/providers/catalog/price"
)

//go:embed corrections.json
var corrections []byte

// options name the sources and their dates.
type options struct {
	genai, genaiDate     string
	litellm, litellmDate string
}

func defaults(data string) options {
	return options{
		genai:   filepath.Join(data, "prices/genai-prices.v2.data.json"),
		litellm: filepath.Join(data, "prices/litellm.model_prices.2026-07-24.json"),
		// The day for which genai-prices' own test data was written.
		genaiDate: "2026-08-21", litellmDate: "2026-07-24",
	}
}

func main() {
	data := os.Getenv("FARTHING_DATA")
	if data == "" {
		data = "../shared/data"
	}
	o := defaults(data)
	out := flag.String("o", "providers/catalog/book.jsonl", "the file to write")
	flag.StringVar(&o.genai, "genai", o.genai, "genai-prices' data.json (the npm package @pydantic/genai-prices has it too)")
	flag.StringVar(&o.genaiDate, "genai-date", o.genaiDate, "its date")
	flag.StringVar(&o.litellm, "litellm", o.litellm, "litellm's model_prices_and_context_window.json")
	flag.StringVar(&o.litellmDate, "litellm-date", o.litellmDate, "its date")
	flag.Parse()
	book, err := generate(o, os.Stderr)
	if err == nil {
		err = os.WriteFile(*out, book, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generator gathers what has to be told about the sources.
type generator struct {
	genaiSource, litellmSource        string
	rounded, conflicts, notes, failed []string
}

func (g *generator) note(format string, args ...any) {
	g.notes = append(g.notes, fmt.Sprintf(format, args...))
}

func (g *generator) fail(format string, args ...any) {
	g.failed = append(g.failed, fmt.Sprintf(format, args...))
}

// generate makes the book's bytes; the report goes to w.
func generate(o options, w io.Writer) ([]byte, error) {
	g := &generator{genaiSource: "genai-prices " + o.genaiDate, litellmSource: "litellm " + o.litellmDate}
	genai, err := os.ReadFile(o.genai)
	if err != nil {
		return nil, err
	}
	litellm, err := os.ReadFile(o.litellm)
	if err != nil {
		return nil, err
	}
	entries, err := g.readGenai(genai)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.genai, err)
	}
	records, err := readLitellm(litellm)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.litellm, err)
	}
	if entries, err = g.merge(entries, records); err != nil {
		return nil, err
	}
	if entries, err = g.correct(entries); err != nil {
		return nil, fmt.Errorf("corrections.json: %w", err)
	}
	g.check(entries)
	g.report(w, len(entries))
	if len(g.failed) > 0 {
		return nil, errors.New("the sources hold rows that cannot be compiled")
	}
	return write(catalog.Header{AsOf: max(o.genaiDate, o.litellmDate), Sources: map[string]string{
		"genai-prices": "https://github.com/pydantic/genai-prices prices/data.json (MIT)",
		"litellm":      "https://github.com/BerriAI/litellm model_prices_and_context_window.json (MIT)",
	}}, entries)
}

// merge lays litellm's records over the entries they belong to and adds those
// that belong to none. A record belongs to the entry that lists its name; a
// record whose name only fits an entry's rule must not change that entry.
func (g *generator) merge(entries []*catalog.Entry, records []record) ([]*catalog.Entry, error) {
	named := map[[2]string]*catalog.Entry{}
	for _, e := range entries {
		for _, name := range names(e) {
			if k := [2]string{e.Provider, name}; named[k] == nil {
				named[k] = e
			}
		}
		named[[2]string{e.Provider, e.Model}] = e
	}
	known, err := catalog.New(catalog.Header{}, entries)
	if err != nil {
		return nil, err
	}
	best, added := map[*catalog.Entry]record{}, map[[2]string]bool{}
	for _, r := range records {
		e := named[[2]string{r.provider, r.model}]
		if e == nil {
			guess, fits := known.Entry(r.provider, r.model)
			name := [2]string{r.provider, strings.ToLower(r.model)}
			if row, ok := g.row(r); ok && !added[name] && (!fits || !priced(guess, row)) {
				entries = append(entries, g.litellmOnly(r, row))
				added[name] = true
			}
			continue
		}
		if _, has := best[e]; !has || r.model == e.Model {
			best[e] = r
		}
		if r.model != e.Model {
			g.compare(e, r)
		}
	}
	for _, e := range entries {
		if r, ok := best[e]; ok {
			g.overlay(e, r)
		}
	}
	return entries, nil
}

// compare lists a name whose price in litellm is not that of the model it
// stands under.
func (g *generator) compare(e *catalog.Entry, r record) {
	theirs, ok := g.row(r)
	if ok && !priced(*e, theirs) {
		g.disagree(e, r, theirs)
	}
}

// priced says that one of the entry's rows has the row's input and output.
func priced(e catalog.Entry, theirs price.RowConfig) bool {
	return slices.ContainsFunc(e.Rows, func(row price.RowConfig) bool {
		return same(row.Input, theirs.Input) && same(row.Output, theirs.Output)
	})
}

func (g *generator) disagree(e *catalog.Entry, r record, theirs price.RowConfig) {
	last := e.Rows[len(e.Rows)-1]
	g.conflicts = append(g.conflicts, fmt.Sprintf("%s/%s under %s: input/output %s/%s (taken) against %s/%s", e.Provider, r.model, e.Model,
		show(last.Input), show(last.Output), show(theirs.Input), show(theirs.Output)))
}

func (g *generator) litellmOnly(r record, row price.RowConfig) *catalog.Entry {
	g.tiers(&row, r, row, true)
	regions, fast := regionsOf(r)
	if fast != "" {
		setTier(&row, "fast", price.TierConfig{Factor: fast})
	}
	if len(regions) > 0 {
		row.DataIn = regions
	}
	return &catalog.Entry{Provider: r.provider, Model: r.model, Rows: []price.RowConfig{row}, Can: can(r)}
}

// names are the names that an entry lists outright, and the beginnings by which
// a dated name is known without its date.
func names(e *catalog.Entry) []string {
	out := []string{e.Model}
	var walk func(m catalog.Match)
	walk = func(m catalog.Match) {
		for _, s := range []string{m.Equals, m.StartsWith} {
			if s != "" {
				out = append(out, s)
			}
		}
		for _, sub := range m.Or {
			walk(sub)
		}
	}
	if e.Match != nil {
		walk(*e.Match)
	}
	return out
}

type correction struct {
	Provider string            `json:"provider"`
	Model    string            `json:"model"`
	Why      string            `json:"why"`
	Rows     []price.RowConfig `json:"rows"`
	Can      *catalog.Can      `json:"can"`
	Match    *catalog.Match    `json:"match"`
	// PerSearch, with the model *, is a search fee for all of the provider's
	// models that have none.
	PerSearch map[string]providers.Money `json:"per_search"`
	Source    string                     `json:"source"`
}

// correct replaces the rows of models whose published data is stale or wrong,
// and adds models that it lacks.
func (g *generator) correct(entries []*catalog.Entry) ([]*catalog.Entry, error) {
	var list []correction
	d := json.NewDecoder(bytes.NewReader(corrections))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.Why == "" || slices.ContainsFunc(c.Rows, func(r price.RowConfig) bool { return r.Source == "" }) {
			return nil, fmt.Errorf("%s/%s: a correction needs a reason and every row its source", c.Provider, c.Model)
		}
		g.note("%s/%s is corrected: %s", c.Provider, c.Model, c.Why)
		if c.Model == "*" {
			c.searchFee(entries)
			continue
		}
		i := slices.IndexFunc(entries, func(e *catalog.Entry) bool { return e.Provider == c.Provider && e.Model == c.Model })
		if i < 0 {
			entries = append(entries, &catalog.Entry{Provider: c.Provider, Model: c.Model})
			i = len(entries) - 1
		}
		e := entries[i]
		if len(c.Rows) > 0 {
			e.Rows = c.Rows
		}
		if c.Can != nil {
			e.Can = c.Can
		}
		if c.Match != nil {
			e.Match = c.Match
		}
	}
	return entries, nil
}

func (c correction) searchFee(entries []*catalog.Entry) {
	for _, e := range entries {
		for i := range e.Rows {
			if row := &e.Rows[i]; e.Provider == c.Provider && row.PerSearch == nil {
				row.PerSearch = c.PerSearch
				row.Source += " with " + c.Source
			}
		}
	}
}

// check compiles every row as the gateway will.
func (g *generator) check(entries []*catalog.Entry) {
	for _, e := range entries {
		for _, row := range e.Rows {
			if _, problems := price.Compile(e.Provider+"/"+e.Model, row); len(problems) > 0 {
				g.fail("%s: %s", problems[0].Path, problems[0].Message)
			}
		}
	}
}

func (g *generator) report(w io.Writer, n int) {
	fmt.Fprintf(w, "%d models\n", n)
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"rounded up to six decimals per million", g.rounded},
		{"sources disagree", g.conflicts},
		{"notes", g.notes},
		{"cannot be compiled", g.failed},
	} {
		slices.Sort(part.lines)
		part.lines = slices.Compact(part.lines)
		fmt.Fprintf(w, "%s: %d\n", part.title, len(part.lines))
		for _, l := range part.lines {
			fmt.Fprintln(w, "  "+l)
		}
	}
}

// write sorts by provider and keeps the sources' order of models, which their
// rules rely on.
func write(h catalog.Header, entries []*catalog.Entry) ([]byte, error) {
	slices.SortStableFunc(entries, func(a, b *catalog.Entry) int { return bytes.Compare([]byte(a.Provider), []byte(b.Provider)) })
	var buf bytes.Buffer
	w := bufio.NewWriter(&buf)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(h); err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := enc.Encode(e); err != nil {
			return nil, err
		}
	}
	err := w.Flush()
	return buf.Bytes(), err
}
