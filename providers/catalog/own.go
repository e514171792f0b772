package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"farthing/providers"
	"farthing/providers/catalog/price"
)

// With is the book with the operator's rows, which win over the book's for the
// time in which they hold. Problems are paths below prices.rows; the book is nil
// if any of them is an error.
func (b *Book) With(rows []RowConfig) (*Book, []providers.Problem) {
	n := *b
	n.own, n.ownRows = maps.Clone(b.own), append(slices.Clone(b.ownRows), rows...)
	var problems []providers.Problem
	for i, row := range rows {
		path := fmt.Sprintf("prices.rows[%d]", i)
		provider, model, ok := providers.SplitTarget(row.Target)
		if !ok || provider == "" || model == "" {
			problems = append(problems, providers.Problemf(path+".target", "not a target: %q (write provider/model)", row.Target))
			continue
		}
		if row.Source == "" {
			row.Source = "the file, " + path
		}
		r, ps := price.Compile(path, row)
		problems = append(problems, ps...)
		problems = append(problems, b.believable(path, provider, row)...)
		problems = append(problems, oneSided(path, row)...)
		if r != nil {
			k := key{provider, model}
			n.own[k] = append(slices.Clone(n.own[k]), r)
		}
	}
	for k, rs := range n.own {
		slices.SortStableFunc(rs, func(x, y *price.Row) int { return x.From.Compare(y.From) })
		for i := 1; i < len(rs); i++ {
			if prev := rs[i-1]; rs[i].From.Equal(prev.From) {
				problems = append(problems, providers.Problemf("prices.rows", "two rows for %s/%s begin on the same date", k.provider, k.model))
			}
		}
	}
	if slices.ContainsFunc(problems, func(p providers.Problem) bool { return !p.Warning }) {
		return nil, problems
	}
	if raw, err := json.Marshal(n.ownRows); err == nil && len(n.ownRows) > 0 {
		hash := sha256.Sum256(raw)
		n.version = b.version + "+" + hex.EncodeToString(hash[:4])
	}
	return &n, problems
}

// oneSided warns of tokens that a row leaves without a price: they are held and
// billed as nothing.
func oneSided(path string, row RowConfig) []providers.Problem {
	switch {
	case row.Input != nil && row.Output == nil:
		return []providers.Problem{providers.Warningf(path, "has no output: what the model writes costs nothing then (write output: 0 if that is so)")}
	case row.Output != nil && row.Input == nil:
		return []providers.Problem{providers.Warningf(path, "has no input: what the model reads costs nothing then (write input: 0 if that is so)")}
	}
	return nil
}

// believable refuses a price a thousandfold off its siblings: dollars per token
// or per thousand tokens by mistake.
func (b *Book) believable(path, provider string, row RowConfig) (out []providers.Problem) {
	in, outp := b.medians(provider)
	check := func(field string, p *providers.Price, usual providers.Price) {
		if p == nil || *p == 0 || usual == 0 {
			return
		}
		if *p < usual/1000 || *p/1000 > usual {
			out = append(out, providers.Problemf(path+"."+field,
				"$%s per million tokens is a thousandfold off its siblings (about $%s): prices are dollars per million tokens", p, usual))
		}
	}
	check("input", row.Input, in)
	check("output", row.Output, outp)
	return out
}

// medians are the usual input and output price of a provider's models, or of
// the whole book where it has fewer than three.
func (b *Book) medians(provider string) (in, out providers.Price) {
	collect := func(of func(*entry) bool) (ins, outs []providers.Price) {
		for _, e := range b.entries {
			c := e.Rows[len(e.Rows)-1]
			if of(e) && c.Input != nil && *c.Input > 0 && c.Output != nil && *c.Output > 0 {
				ins, outs = append(ins, *c.Input), append(outs, *c.Output)
			}
		}
		return ins, outs
	}
	if s, ok := synonyms[provider]; ok {
		provider = s
	}
	ins, outs := collect(func(e *entry) bool { return e.Provider == provider })
	if len(ins) < 3 {
		ins, outs = collect(func(*entry) bool { return true })
	}
	return median(ins), median(outs)
}

func median[T cmp.Ordered](s []T) (m T) {
	if len(s) > 0 {
		slices.Sort(s)
		m = s[len(s)/2]
	}
	return m
}
