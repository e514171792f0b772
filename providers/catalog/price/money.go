package price

import (
	"math"
	"math/bits"

	"farthing/providers"
)

// one is the factor 1 in millionths, the unit of every factor here.
const one = 1_000_000

// maxFactor keeps a sum of all classes inside 128 bits: 15 × 2^63 × 1000·10^6
// × 1000·10^6 < 2^128.
const maxFactor = 1000 * one

// sum adds tokens × price × factor in units of 10^-6 pico-dollars, exactly.
type sum struct{ hi, lo uint64 }

// add adds n tokens. Each product saturates at 2^63-1 pico-dollars (9.2 million
// dollars) before the factor.
func (s *sum) add(n int64, r rate) {
	if n <= 0 || r.price <= 0 {
		return
	}
	hi, lo := bits.Mul64(uint64(n), uint64(r.price))
	if hi != 0 || lo > math.MaxInt64 {
		lo = math.MaxInt64
	}
	hi, lo = bits.Mul64(lo, uint64(r.factor))
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo, 0)
	s.hi, _ = bits.Add64(s.hi, hi, carry)
}

// pico is the sum times a further factor, rounded up to a pico-dollar.
func (s sum) pico(factor int64) providers.Pico {
	hi, lo := bits.Mul64(s.lo, uint64(factor))
	hi += s.hi * uint64(factor) // cannot wrap: see maxFactor
	if hi >= one*one {
		return math.MaxInt64
	}
	q, rem := bits.Div64(hi, lo, one*one)
	if rem != 0 {
		q++
	}
	return providers.Pico(min(q, math.MaxInt64))
}

// effective is one token's price with its factors, rounded up.
func (r rate) effective(factor int64) providers.Price {
	var s sum
	s.add(1, r)
	return providers.Price(s.pico(factor))
}

// scale is p × num / den, rounded up and saturating; den > 0.
func scale(p, num, den providers.Price) providers.Price {
	hi, lo := bits.Mul64(uint64(p), uint64(num))
	if hi >= uint64(den) {
		return math.MaxInt64
	}
	q, rem := bits.Div64(hi, lo, uint64(den))
	if rem != 0 {
		q++
	}
	return providers.Price(min(q, math.MaxInt64))
}
