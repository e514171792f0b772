package price

import (
	"fmt"

	"farthing/providers"
)

// Bill is what one request costs, line by line. The lines add up to Total.
type Bill struct {
	Lines    []Line
	Total    providers.Pico
	Above    int64  // the context tier: it holds strictly above this many tokens; 0: none
	Tier     string // the service tier that was priced; "" none
	OffPeak  bool   // a window of the day held
	Source   string
	From     string // the date from which the row holds; "" from the beginning
	Warnings []string
}

// Line is one class of tokens or one fee. Price is dollars per million tokens
// with all factors, rounded up; for a fee it is 0 and Each the price of one.
type Line struct {
	Class string
	Count int64
	Price providers.Price
	Each  providers.Pico
	Cost  providers.Pico
}

// Cost is Total with its reasons.
func (r *Row) Cost(u providers.Usage, t Terms) Bill {
	l, total, f := r.ladder(t), u.TotalInput(), r.region(t.Region)
	s := l.at(total)
	b := Bill{Source: r.Config.Source, From: r.Config.From}
	for i := range l {
		if i > 0 && total > l[i].above {
			b.Above = l[i].above
		}
	}
	if i := r.tier(t.Tier); i > 0 {
		b.Tier = t.Tier
	}
	for i := range r.windows {
		b.OffPeak = b.OffPeak || r.windows[i].holds(t.At)
	}
	n := split(&u)
	var tokens sum
	for c := range s {
		if n[c] <= 0 {
			continue
		}
		if s[c].price < 0 && Class(c) != Citation {
			b.Warnings = append(b.Warnings, fmt.Sprintf("%d tokens of %s have no price in the row", n[c], Class(c)))
		}
		before := tokens.pico(f)
		tokens.add(n[c], s[c])
		b.Lines = append(b.Lines, Line{
			Class: Class(c).String(), Count: n[c],
			Price: s[c].effective(f), Cost: tokens.pico(f) - before,
		})
	}
	b.Total = tokens.pico(f)
	calls, searches := r.fees(&u)
	b.fee("request", max(u.Requests, 1), calls)
	b.fee("web_search", max(u.WebSearches, 1), searches)
	if u.WebSearches > 0 && len(r.searches) == 0 {
		b.Warnings = append(b.Warnings, fmt.Sprintf("%d web searches have no price in the row", u.WebSearches))
	}
	if u.Reasoning > u.Output {
		b.Warnings = append(b.Warnings, "reasoning exceeds the output that it is a part of: clamped")
	}
	return b
}

func (b *Bill) fee(class string, n int64, cost providers.Pico) {
	if cost == 0 {
		return
	}
	b.Lines = append(b.Lines, Line{Class: class, Count: n, Each: cost / providers.Pico(n), Cost: cost})
	b.Total = b.Total.Add(cost)
}

// Discount is the part of a cost that a negotiated discount takes off, rounded
// down so that what remains is rounded up.
func Discount(cost providers.Pico, p providers.Percent) providers.Pico {
	if cost <= 0 || p <= 0 {
		return 0
	}
	p = min(p, one)
	whole, rest := int64(cost)/one, int64(cost)%one
	return providers.Pico(whole*int64(p) + rest*int64(p)/one)
}
