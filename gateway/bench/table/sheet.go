// Package table keeps what the bench measured, round by round, and makes a table
// of it: a figure's median over the rounds with its tenth and ninetieth
// percentile, and its ratio to a yardstick, made within each round from two
// figures that saw the same machine.
//
// Start with Sheet.Of.
package table

import (
	"math"
	"slices"
)

// Figure is one row of the table by its names.
type Figure struct {
	Case string `json:"case"`
	Who  string `json:"who"`
	What string `json:"what"`
	Unit string `json:"unit"` // ns, 1/s, MB/s, or "" for a count
	Than string `json:"than"` // the yardstick: whose same figure the ratio divides by; "" for none
}

// Spread is what several rounds gave.
type Spread struct {
	Median float64 `json:"median"`
	P10    float64 `json:"p10"`
	P90    float64 `json:"p90"`
}

// Row is a figure over all rounds.
type Row struct {
	Figure
	Spread
	Ratio *Spread `json:"ratio,omitempty"` // to Than, made within each round
}

// Sheet collects the figures of one group, round by round.
type Sheet struct {
	figures []Figure
	values  map[Figure][]float64
}

// Subject is what figures are of.
type Subject struct {
	sheet           *Sheet
	name, who, than string
}

// Of is the subject who in a case. Its figures are compared with those of than,
// unless that is "".
func (s *Sheet) Of(name, who, than string) Subject { return Subject{s, name, who, than} }

// Alone is the subject without its yardstick.
func (s Subject) Alone() Subject { return Subject{s.sheet, s.name, s.who, ""} }

// Put notes what a figure was in this round.
func (s Subject) Put(what, unit string, value float64) {
	s.sheet.put(Figure{s.name, s.who, what, unit, s.than}, value)
}

func (s *Sheet) put(f Figure, value float64) {
	if s.values == nil {
		s.values = map[Figure][]float64{}
	}
	if s.values[f] == nil {
		s.figures = append(s.figures, f)
	}
	s.values[f] = append(s.values[f], value)
}

// Rows are the figures in the order in which they were first put.
func (s *Sheet) Rows() []Row {
	list := make([]Row, 0, len(s.figures))
	for _, f := range s.figures {
		r := Row{Figure: f, Spread: spreadOf(s.values[f])}
		if ratios := s.ratios(f); ratios != nil {
			of := spreadOf(ratios)
			r.Ratio = &of
		}
		list = append(list, r)
	}
	return list
}

// ratios are the figure's to its yardstick's in each round; nil if there is no
// yardstick, or if one of its figures is not above 0, as a difference may be.
func (s *Sheet) ratios(f Figure) []float64 {
	if f.Than == "" {
		return nil
	}
	i := slices.IndexFunc(s.figures, func(y Figure) bool { return y.Who == f.Than && y.Case == f.Case && y.What == f.What })
	if i < 0 {
		return nil
	}
	under := s.values[s.figures[i]]
	var list []float64
	for n, v := range s.values[f] {
		if n >= len(under) || under[n] <= 0 {
			return nil
		}
		list = append(list, v/under[n])
	}
	return list
}

func spreadOf(values []float64) Spread {
	sorted := slices.Sorted(slices.Values(values))
	return Spread{Median: Quantile(sorted, 0.5), P10: Quantile(sorted, 0.1), P90: Quantile(sorted, 0.9)}
}

// Quantile is a quantile of sorted values, between two of them by their distance.
func Quantile[T int64 | float64](sorted []T, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return float64(sorted[i])
	}
	return float64(sorted[i]) + (at-float64(i))*float64(sorted[i+1]-sorted[i])
}
