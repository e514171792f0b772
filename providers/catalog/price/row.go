package price

import (
	"cmp"
	"slices"
	"time"

	"farthing/providers"
)

// Row is one compiled row of the price book. It does not change.
type Row struct {
	Config RowConfig // as written
	From   time.Time // the moment from which the row holds; zero: from the beginning
	To     time.Time // exclusive; zero: without end

	plans      [][]ladder // by tier (0: none), then by window (0: none)
	tiers      []string   // names of plans[1:]
	windows    []window   // of plans[t][1:]
	regions    map[string]int64
	perRequest providers.Pico
	searches   map[string]providers.Pico
}

// Terms are the circumstances under which a request is billed.
type Terms struct {
	Tier   string    // the tier that the response names; "", default, standard, auto: none
	Region string    // where the data must stay, a key of the row's data_in; "": anywhere
	At     time.Time // when it was answered, for windows of the day
}

// rate is what a token costs: price × factor. A negative price is missing.
type rate struct {
	price  providers.Price
	factor int64 // millionths
}

// sheet has a rate for every class, parents' rates filled in.
type sheet [classes]rate

// step is the sheet that holds strictly above a total input.
type step struct {
	above int64
	sheet sheet
}

// ladder is ordered by above; its first step holds from 0 tokens on.
type ladder []step

// at is the sheet for a total input.
func (l ladder) at(total int64) *sheet {
	i := len(l) - 1
	for i > 0 && total <= l[i].above {
		i--
	}
	return &l[i].sheet
}

// ladder picks the prices for the terms.
func (r *Row) ladder(t Terms) ladder {
	tier := r.tier(t.Tier)
	for i := range r.windows {
		if r.windows[i].holds(t.At) {
			return r.plans[tier][i+1]
		}
	}
	return r.plans[tier][0]
}

// tier is the tier's place in plans, 0 where the row has no such tier.
func (r *Row) tier(name string) int { return slices.Index(r.tiers, name) + 1 }

func (r *Row) region(name string) int64 {
	if f, ok := r.regions[name]; ok {
		return f
	}
	return one
}

// Priced says that tokens or calls have a price at all. A row that is not
// priced must be refused, never billed as free.
func (r *Row) Priced() bool {
	return r.Config.Input != nil || r.Config.Output != nil || r.Config.PerRequest != nil || len(r.Config.PerSearch) > 0
}

// Prices are the prices of a plain input and output token for a prompt of
// total tokens, in the terms given; for rules about the dearest allowed price.
func (r *Row) Prices(total int64, t Terms) (input, output providers.Price) {
	s, f := r.ladder(t).at(total), r.region(t.Region)
	return s[Input].effective(f), s[Output].effective(f)
}

// Total is the exact cost in pico-dollars. It allocates nothing.
func (r *Row) Total(u providers.Usage, t Terms) providers.Pico {
	s := r.ladder(t).at(u.TotalInput())
	n := split(&u)
	var tokens sum
	for c := range s {
		tokens.add(n[c], s[c])
	}
	calls, searches := r.fees(&u)
	return tokens.pico(r.region(t.Region)).Add(calls).Add(searches)
}

// fees are the charges per call and per search. A search size without a count
// is one search: Perplexity names the size and bills the request.
func (r *Row) fees(u *providers.Usage) (calls, searches providers.Pico) {
	if r.perRequest > 0 {
		calls = times(r.perRequest, max(u.Requests, 1))
	}
	n := u.WebSearches
	if n == 0 && u.SearchSize != "" {
		n = 1
	}
	return calls, times(r.search(u.SearchSize), n)
}

// search is the price of one search of a size. Where the size is not known it
// is medium, the vendors' default, else whatever the row has.
func (r *Row) search(size string) providers.Pico {
	for _, s := range [...]string{size, "any", "medium", "high", "low"} {
		if p, ok := r.searches[s]; ok {
			return p
		}
	}
	return 0
}

func times(p providers.Pico, n int64) providers.Pico { return providers.Price(p).Times(n) }

// Ask is what is known of a request before it is sent.
type Ask struct {
	Input    int64    // the most tokens its prompt can have
	Tiers    []string // service tiers in which it may be served, beside none
	Region   string
	Media    bool  // images, sound or video may come in or out
	Searches int64 // the most provider-run searches
	Dearest  bool  // unknown what it asks for: every tier, context and class
}

// Bound is the most that a request can cost: fixed for the prompt and the
// fees, perOutput for each generated token. Input tokens are priced at the
// dearest of the input, cache-read and cache-write classes, over the tiers asked
// for, every window of the day, and every context tier that Input can reach.
func (r *Row) Bound(a Ask) (fixed providers.Pico, perOutput providers.Price) {
	var in providers.Price
	f := r.region(a.Region)
	for i, plan := range r.plans {
		if i > 0 && !a.Dearest && !slices.Contains(a.Tiers, r.tiers[i-1]) {
			continue
		}
		for _, l := range plan {
			for k := range l {
				if k > 0 && a.Input <= l[k].above && !a.Dearest {
					break
				}
				i, o := l[k].sheet.dearest(f, a.Media || a.Dearest)
				in, perOutput = max(in, i), max(perOutput, o)
			}
		}
	}
	fixed = in.Times(a.Input)
	if r.perRequest > 0 {
		fixed = fixed.Add(r.perRequest)
	}
	var search providers.Pico
	for _, p := range r.searches {
		search = max(search, p)
	}
	return fixed.Add(times(search, a.Searches)), perOutput
}

func (s *sheet) dearest(factor int64, media bool) (in, out providers.Price) {
	for c := range s {
		switch class := Class(c); {
		case class == Citation, class.isMedia() && !media:
		case class.isOutput():
			out = max(out, s[c].effective(factor))
		default:
			in = max(in, s[c].effective(factor))
		}
	}
	return in, out
}

// compileLadder lays the row's own steps: each inherits what the one below
// lists.
func compileLadder(base Rates, above map[int64]Rates) []listedStep {
	steps := []listedStep{{-1, base.listed()}}
	for _, k := range sortedKeys(above) {
		next := steps[len(steps)-1]
		next.above = k
		r := above[k]
		next.rates.overlay(r.listed())
		steps = append(steps, next)
	}
	return steps
}

type listedStep struct {
	above int64
	rates listed
}

func (l *listed) overlay(with listed) {
	for c, p := range with {
		if p != nil {
			l[c] = p
		}
	}
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
