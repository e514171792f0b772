package tokens

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
)

// Sampling is how a request wants its tokens picked. Temperature 0 means the
// most likely token always (greedy); then nothing else here but the penalties
// matters.
type Sampling struct {
	Temperature float64
	TopK        int     // 0: off
	TopP        float64 // 1: off
	MinP        float64 // 0: off
	Frequency   float64 // taken from a token's logit for each time it was written
	Presence    float64 // taken once from the logit of a token that was written
	Seed        uint64
}

// Sampler picks tokens for one request. The same sampling and the same logits
// give the same tokens.
type Sampler struct {
	Sampling
	rng   *rand.Rand
	seen  map[int32]int
	cands []candidate
}

type candidate struct {
	id int32
	p  float64 // logit at first, probability later
}

// ErrNaN is that no logit is a number that can be compared: the model is broken.
var ErrNaN = errors.New("the model computed no usable number for the next token")

// NewSampler begins a request.
func NewSampler(s Sampling) *Sampler {
	// The second word of the generator's state is fixed: one seed, one answer.
	return &Sampler{Sampling: s, rng: rand.New(rand.NewPCG(s.Seed, 0x6661727468696e67)), seen: map[int32]int{}}
}

// Next picks a token from the logits of the whole vocabulary, which it may
// change. The order is temperature, top-k, top-p, min-p.
func (s *Sampler) Next(logits []float32) (int32, error) {
	for id, n := range s.seen {
		logits[id] -= float32(s.Presence + s.Frequency*float64(n))
	}
	best := int32(-1)
	for i, l := range logits {
		if l == l && (best < 0 || l > logits[best]) {
			best = int32(i)
		}
	}
	if best < 0 || math.IsInf(float64(logits[best]), 0) {
		return 0, ErrNaN
	}
	if s.Temperature > 0 {
		best = s.draw(logits, logits[best])
	}
	if s.Presence != 0 || s.Frequency != 0 {
		s.seen[best]++
	}
	return best, nil
}

// draw picks at random among the tokens that top-k, top-p and min-p leave.
func (s *Sampler) draw(logits []float32, greatest float32) int32 {
	s.cands = s.cands[:0]
	sum := 0.0
	for i, l := range logits {
		// Taking the greatest logit away keeps exp in range for any input.
		if p := math.Exp(float64(l-greatest) / s.Temperature); p > 0 {
			s.cands = append(s.cands, candidate{int32(i), p})
			sum += p
		}
	}
	c := s.cands
	if s.TopK > 0 && s.TopK < len(c) {
		c = greatestK(c, s.TopK)
		sum = total(c)
	}
	if s.TopP < 1 {
		c = nucleus(c, s.TopP, sum)
	}
	if s.MinP > 0 {
		// The best token has p = 1 before division by the sum.
		c = slices.DeleteFunc(c, func(x candidate) bool { return x.p < s.MinP })
	}
	r := s.rng.Float64() * total(c)
	for _, x := range c {
		if r -= x.p; r < 0 {
			return x.id
		}
	}
	return c[len(c)-1].id
}

func total(c []candidate) (sum float64) {
	for _, x := range c {
		sum += x.p
	}
	return sum
}

// likelier orders by probability, then by id, so that ties fall the same way
// every time.
func likelier(a, b candidate) int {
	return cmp.Or(cmp.Compare(b.p, a.p), cmp.Compare(a.id, b.id))
}

// greatestK moves the k likeliest candidates to the front and returns them.
// It keeps them in a heap with the least likely on top: a vocabulary has
// 150,000 tokens and more, and sorting all of it for each token costs more
// than a small model's own step.
func greatestK(c []candidate, k int) []candidate {
	h := c[:k]
	down := func(i int) {
		for {
			least := i
			for _, j := range [2]int{2*i + 1, 2*i + 2} {
				if j < k && likelier(h[j], h[least]) > 0 {
					least = j
				}
			}
			if least == i {
				return
			}
			h[i], h[least] = h[least], h[i]
			i = least
		}
	}
	for i := k/2 - 1; i >= 0; i-- {
		down(i)
	}
	for _, x := range c[k:] {
		if likelier(x, h[0]) < 0 {
			h[0] = x
			down(0)
		}
	}
	return h
}

// nucleus keeps the fewest likeliest candidates whose share of sum reaches
// topP, at least one.
func nucleus(c []candidate, topP, sum float64) []candidate {
	// A token below this share cannot belong: even all such tokens together
	// do not reach what topP leaves out. It spares sorting the long tail.
	// The likeliest stays whatever rounding does: its share is at least 1/n.
	floor := sum * (1 - topP) / float64(len(c)) * (1 - 1e-9)
	c = slices.DeleteFunc(c, func(x candidate) bool { return x.p < floor })
	slices.SortFunc(c, likelier)
	reached := 0.0
	for i, x := range c {
		if reached += x.p; reached >= topP*sum {
			return c[:i+1]
		}
	}
	return c
}
