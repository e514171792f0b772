package price

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"farthing/providers"
)

// maxPrice is the dearest price that is believed: $10,000 per million tokens.
const maxPrice providers.Price = 10_000_000_000

// Compile reads a row. Everything wrong with it comes back at once; the row is
// nil if any of it is an error. path is where the row stands in the file.
func Compile(path string, c RowConfig) (*Row, []providers.Problem) {
	k := compiler{path: path}
	r := &Row{Config: c, regions: map[string]int64{}, searches: map[string]providers.Pico{}}
	r.From, r.To = k.moment("from", c.From), k.moment("to", c.To)
	if !r.To.IsZero() && !r.From.Before(r.To) {
		k.problem("to", "the row ends (%s) before it begins (%s)", c.To, c.From)
	}
	k.rates("", c.Rates)
	k.above("above", c.Above)
	k.fees(r)
	k.plans(r)
	for _, region := range sortedKeys(c.DataIn) {
		r.regions[region] = k.factor("data_in."+region, c.DataIn[region])
	}
	if !r.Priced() {
		k.problem("", "the row has neither input nor output: an unpriced model cannot be billed (write 0 if it is free)")
	}
	for _, p := range k.problems {
		if !p.Warning {
			return nil, k.problems
		}
	}
	return r, k.problems
}

type compiler struct {
	path     string
	problems []providers.Problem
}

func (k *compiler) problem(field, format string, args ...any) {
	k.problems = append(k.problems, providers.Problemf(strings.TrimSuffix(k.path+"."+field, "."), format, args...))
}

// plans lays out every combination of a tier and a window.
func (k *compiler) plans(r *Row) {
	c := r.Config
	row := compileLadder(c.Rates, c.Above)
	drafts := [][]draftStep{plain(row)}
	for _, name := range sortedKeys(c.Tiers) {
		t := c.Tiers[name]
		at := "tiers." + name
		if t.Factor == "" && t.Rates.IsZero() && len(t.Above) == 0 {
			k.problem(at, "the tier has neither a factor nor rates")
		}
		k.rates(at, t.Rates)
		k.above(at+".above", t.Above)
		r.tiers = append(r.tiers, name)
		drafts = append(drafts, withTier(row, t, k.optional(at+".factor", t.Factor)))
	}
	factors := k.windows(r)
	for _, d := range drafts {
		plan := []ladder{resolve(d)}
		for i, o := range c.OffPeak {
			plan = append(plan, resolve(inWindow(d, row, o, factors[i])))
		}
		r.plans = append(r.plans, plan)
	}
}

func (k *compiler) windows(r *Row) (factors []int64) {
	for i, o := range r.Config.OffPeak {
		at := fmt.Sprintf("off_peak[%d]", i)
		w, err := parseWindow(o)
		if err != nil {
			k.problem(at, "%v", err)
			w.zone = time.UTC
		}
		if o.Factor == "" && o.Rates.IsZero() {
			k.problem(at, "the window has neither a factor nor rates")
		}
		k.rates(at, o.Rates)
		r.windows = append(r.windows, w)
		factors = append(factors, k.optional(at+".factor", o.Factor))
	}
	if len(r.windows) > 1 && len(k.problems) == 0 {
		if i, j, found := overlap(r.windows); found {
			k.problem("off_peak", "windows %d and %d overlap: which one holds?", i, j)
		}
	}
	return factors
}

func (k *compiler) fees(r *Row) {
	if p := r.Config.PerRequest; p != nil {
		k.fee("per_request", *p)
		r.perRequest = p.Pico()
	}
	for _, size := range sortedKeys(r.Config.PerSearch) {
		if !slices.Contains([]string{"low", "medium", "high", "any"}, size) {
			k.problem("per_search."+size, "not a search size: write low, medium, high or any")
		}
		k.fee("per_search."+size, r.Config.PerSearch[size])
		r.searches[size] = r.Config.PerSearch[size].Pico()
	}
}

func (k *compiler) fee(field string, m providers.Money) {
	if m < 0 || m > 100*providers.Dollar {
		k.problem(field, "%s for one call is not believed: write dollars per call, at most $100", m.USD())
	}
}

func (k *compiler) above(field string, above map[int64]Rates) {
	for _, n := range sortedKeys(above) {
		at := fmt.Sprintf("%s.%d", field, n)
		if n <= 0 {
			k.problem(at, "a context tier begins above a positive number of tokens")
		}
		if above[n].IsZero() {
			k.problem(at, "the context tier has no rates")
		}
		k.rates(at, above[n])
	}
}

func (k *compiler) rates(field string, r Rates) {
	r.Each(func(c Class, p providers.Price) {
		if p < 0 || p > maxPrice {
			k.problem(strings.TrimPrefix(field+"."+c.String(), "."),
				"$%s per million tokens is not believed: write dollars per million tokens, at most $10,000", p)
		}
	})
}

// optional is a factor that may be absent.
func (k *compiler) optional(field, s string) int64 {
	if s == "" {
		return one
	}
	return k.factor(field, s)
}

// factor reads a decimal factor exactly, in millionths.
func (k *compiler) factor(field, s string) int64 {
	p, roundedUp, err := providers.ParsePrice(s)
	if err != nil || roundedUp || p > maxFactor || strings.HasPrefix(s, "$") {
		k.problem(field, "not a factor: %q (write a decimal such as 0.5, at most 1000, six decimals)", s)
		return one
	}
	return int64(p)
}

func (k *compiler) moment(field, s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	k.problem(field, "not a date: %q (write 2026-11-01)", s)
	return time.Time{}
}
