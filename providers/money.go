package providers

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// Money is an amount in nano-dollars (10^-9 US dollars).
type Money int64

// Price is what one token costs, in pico-dollars (10^-12 US dollars), which is
// the same number as micro-dollars per million tokens.
type Price int64

// Pico is a sum of token costs in pico-dollars, rounded up to Money once per
// request.
type Pico int64

// Scales of the money words.
const (
	Dollar   Money = 1_000_000_000
	MaxMoney Money = 1<<53 - 1 // the store counts in integers that Lua keeps exactly
)

var errMoney = errors.New("not an amount of money: write a decimal such as $12.50")

// ParseMoney reads a decimal dollar amount such as "$12.50", "0.000312" or
// "-$3". More than nine decimals is an error: such an amount cannot be held.
func ParseMoney(s string) (Money, error) {
	t := strings.TrimPrefix(s, "-")
	t = strings.TrimPrefix(t, "$")
	n, exact, err := scaled(t, 9)
	if err != nil {
		return 0, fmt.Errorf("%w, got %q", errMoney, s)
	}
	if !exact {
		return 0, fmt.Errorf("%q has more than nine decimals of a dollar", s)
	}
	if strings.HasPrefix(s, "-") {
		n = -n
	}
	return Money(n), nil
}

// CeilMoney reads a non-negative decimal dollar amount as providers write it in
// JSON ("0.000312", "5.37e-06") and rounds it up to whole nano-dollars. It is
// capped at MaxMoney.
func CeilMoney(s string) (Money, error) {
	n, _, err := scaled(s, 9)
	if err != nil {
		return 0, fmt.Errorf("%w, got %q", errMoney, s)
	}
	return min(Money(n), MaxMoney), nil
}

// ParsePrice reads dollars per million tokens ("1.25", "$0.0028"). Decimals
// beyond the sixth are rounded up; roundedUp says that it happened.
func ParsePrice(s string) (p Price, roundedUp bool, err error) {
	n, exact, err := scaled(strings.TrimPrefix(s, "$"), 6)
	if err != nil {
		return 0, false, fmt.Errorf("not a price in dollars per million tokens: %q", s)
	}
	return Price(n), !exact, nil
}

// scaled reads a non-negative decimal literal times 10^digits, rounding up.
func scaled(s string, digits int) (n int64, exact bool, err error) {
	if s == "" || len(s) > 40 || strings.ContainsAny(s, "/_xXpP+-bBoO") && !decimalExponent(s) {
		return 0, false, errMoney
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || r.Sign() < 0 {
		return 0, false, errMoney
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	r.Mul(r, new(big.Rat).SetInt(scale))
	q, m := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if m.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	if !q.IsInt64() {
		return 0, false, errMoney
	}
	return q.Int64(), m.Sign() == 0, nil
}

// decimalExponent allows the JSON spelling 2.5e-07, with a small exponent only,
// so that a literal cannot ask for a number of a billion digits.
func decimalExponent(s string) bool {
	_, exp, found := strings.Cut(strings.ToLower(s), "e")
	return found && len(exp) <= 3 && !strings.ContainsAny(s, "/_xXpPbBoO")
}

// String writes the exact decimal in dollars without a sign for the currency
// ("0.000312", "12.5").
func (m Money) String() string { return decimal(int64(m), 9) }

// USD writes the amount for people, with the dollar sign and at least two
// decimals ("$12.50", "-$0.000312").
func (m Money) USD() string {
	s, sign := m.String(), ""
	if m < 0 {
		s, sign = s[1:], "-"
	}
	whole, frac, _ := strings.Cut(s, ".")
	for len(frac) < 2 {
		frac += "0"
	}
	return sign + "$" + whole + "." + frac
}

// MarshalText writes the decimal of String; in JSON money is a string.
func (m Money) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what ParseMoney reads.
func (m *Money) UnmarshalText(b []byte) (err error) {
	*m, err = ParseMoney(string(b))
	return err
}

// String writes dollars per million tokens ("1.25").
func (p Price) String() string { return decimal(int64(p), 6) }

// MarshalText writes the decimal of String.
func (p Price) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what ParsePrice reads, rounding up.
func (p *Price) UnmarshalText(b []byte) (err error) {
	*p, _, err = ParsePrice(string(b))
	return err
}

// Times is the cost of n tokens at price p. It saturates and never wraps.
func (p Price) Times(n int64) Pico {
	if p <= 0 || n <= 0 {
		return 0
	}
	if int64(p) > math.MaxInt64/n {
		return math.MaxInt64
	}
	return Pico(int64(p) * n)
}

// Add sums two non-negative costs and saturates.
func (a Pico) Add(b Pico) Pico {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Money rounds up to whole nano-dollars, capped at MaxMoney.
func (a Pico) Money() Money {
	n := int64(a) / 1000
	if int64(a)%1000 > 0 {
		n++
	}
	return min(Money(n), MaxMoney)
}

// Pico is the same amount in pico-dollars, saturating.
func (m Money) Pico() Pico {
	if int64(m) > math.MaxInt64/1000 {
		return math.MaxInt64
	}
	return Pico(int64(m) * 1000)
}

// String writes the exact decimal in dollars.
func (a Pico) String() string { return decimal(int64(a), 12) }

// decimal writes n / 10^digits without trailing zeros. It allocates the text
// alone: receipts and headers are full of amounts.
func decimal(n int64, digits int) string {
	u := uint64(n)
	if n < 0 {
		u = -u
	}
	var b [32]byte
	i := len(b)
	for k := 0; u > 0 || k <= digits; k++ { // from the last digit to the first
		d := byte(u % 10)
		u /= 10
		if k == digits && i < len(b) {
			i--
			b[i] = '.'
		}
		if k >= digits || d != 0 || i < len(b) {
			i--
			b[i] = '0' + d
		}
	}
	if n < 0 {
		i--
		b[i] = '-'
	}
	return string(b[i:])
}
