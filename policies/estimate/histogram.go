package estimate

import "math"

// A histogram of lengths keeps eight classes to the octave from 1 to 2^21
// tokens, so a quantile is at most 9 % above the true one. Old answers fade:
// when the weight reaches forgetAt, all are halved.
const (
	perOctave  = 8
	lastBucket = 21 * perOctave
	forgetAt   = 4000
)

type histogram struct {
	Seen    int64
	total   float64
	weights [lastBucket + 1]float64
}

// bucket is the class whose upper edge is the first at or above n.
func bucket(n int64) int {
	b := int(math.Ceil(math.Log2(float64(max(n, 1))) * perOctave))
	return min(b, lastBucket)
}

// edge is a class's upper edge, rounded up.
func edge(b int) int64 { return int64(math.Ceil(math.Exp2(float64(b)/perOctave) - 1e-9)) }

func (h *histogram) add(n int64) {
	h.Seen++
	h.total++
	h.weights[bucket(n)]++
	if h.total < forgetAt {
		return
	}
	h.total = 0
	for i := range h.weights {
		h.weights[i] /= 2
		h.total += h.weights[i]
	}
}

// quantile is the upper edge of the class in which the share q is reached; 0
// for an empty histogram.
func (h *histogram) quantile(q float64) int64 {
	if h.total == 0 {
		return 0
	}
	sum := 0.0
	for i, w := range h.weights {
		if sum += w; w > 0 && sum >= q*h.total {
			return edge(i)
		}
	}
	return edge(lastBucket)
}

// Lengths is a histogram of answers' lengths as it is kept: the classes that
// are not empty. Class i holds lengths up to 2^(i/8) tokens.
type Lengths struct {
	Seen    int64           `json:"seen"`
	Weights map[int]float64 `json:"weights,omitempty"`
}

func (h *histogram) sparse() Lengths {
	l := Lengths{Seen: h.Seen, Weights: map[int]float64{}}
	for i, w := range h.weights {
		if w > 0 {
			l.Weights[i] = w
		}
	}
	return l
}

func (l Lengths) valid() bool {
	for i, w := range l.Weights {
		if i < 0 || i > lastBucket || !(w >= 0 && w <= forgetAt) {
			return false
		}
	}
	return l.Seen >= 0
}

func (l Lengths) histogram() (h histogram) {
	h.Seen = l.Seen
	for i, w := range l.Weights {
		h.weights[i] = w
		h.total += w
	}
	return h
}
