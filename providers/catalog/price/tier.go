package price

import (
	"slices"

	"farthing/providers"
)

// draft is a sheet before parents are filled in.
type draft [classes]rate

type draftStep struct {
	above int64
	rates draft
}

func draftOf(l listed, factor int64) draft {
	var d draft
	for c, p := range l {
		d[c] = rate{-1, one}
		if p != nil {
			d[c] = rate{*p, factor}
		}
	}
	return d
}

func (d *draft) overlay(with listed) {
	for c, p := range with {
		if p != nil {
			d[c] = rate{*p, one}
		}
	}
}

// resolve gives every class without a price its parent's.
func (d draft) resolve() sheet {
	for c := range d {
		if d[c].price < 0 {
			d[c] = d[parents[c]]
		}
	}
	return sheet(d)
}

// plain is the row without a tier.
func plain(row []listedStep) []draftStep {
	out := make([]draftStep, len(row))
	for i, s := range row {
		out[i] = draftStep{s.above, draftOf(s.rates, one)}
	}
	return out
}

// withTier is the row in a service tier: the factor on what the row lists at
// each step, then the tier's own rates.
func withTier(row []listedStep, t TierConfig, factor int64) []draftStep {
	own := compileLadder(t.Rates, t.Above)
	var out []draftStep
	for _, above := range thresholds(row, own) {
		at, mine := stepAt(row, above), stepAt(own, above)
		d := draftOf(at.rates, factor)
		for c, p := range mine.rates {
			if p == nil {
				continue
			}
			d[c] = rate{*p, one}
			if !lists(t.Above, Class(c)) {
				d[c].price = grown(*p, at.rates[c], row[0].rates[c])
			}
		}
		out = append(out, draftStep{above, d})
	}
	return out
}

// grown raises a tier's flat rate as the row's rate grows with the context.
func grown(p providers.Price, at, base *providers.Price) providers.Price {
	if at == nil || base == nil || *base <= 0 || *at == *base {
		return p
	}
	return scale(p, *at, *base)
}

func lists(above map[int64]Rates, c Class) bool {
	for _, r := range above {
		if r.listed()[c] != nil {
			return true
		}
	}
	return false
}

func thresholds(a, b []listedStep) []int64 {
	var all []int64
	for _, s := range append(slices.Clone(a), b...) {
		all = append(all, s.above)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func stepAt(steps []listedStep, above int64) listedStep {
	i := len(steps) - 1
	for i > 0 && steps[i].above > above {
		i--
	}
	return steps[i]
}

// inWindow lays a window of the day over a tier: a factor replaces the tier by
// the row's own rates times it; the window's own rates hold whatever the tier
// and the context.
func inWindow(tier []draftStep, row []listedStep, o OffPeakConfig, factor int64) []draftStep {
	base := slices.Clone(tier)
	if o.Factor != "" {
		base = base[:0]
		for _, s := range row {
			base = append(base, draftStep{s.above, draftOf(s.rates, factor)})
		}
	}
	for i := range base {
		base[i].rates.overlay(o.listed())
	}
	return base
}

func resolve(steps []draftStep) ladder {
	l := make(ladder, len(steps))
	for i, s := range steps {
		l[i] = step{s.above, s.rates.resolve()}
	}
	return l
}
