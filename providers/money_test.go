package providers

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDecimal compares what is written with arithmetic that cannot round.
func TestDecimal(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 1: "0.000000001", -1: "-0.000000001", 1_000_000_000: "1", 12_500_000_000: "12.5",
		312_000: "0.000312", 10: "0.00000001", math.MaxInt64: "9223372036.854775807", math.MinInt64: "-9223372036.854775808",
	} {
		if got := Money(n).String(); got != want {
			t.Errorf("%d nano-dollars are %q, want %q", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n, digits := rapid.Int64().Draw(t, "n"), rapid.SampledFrom([]int{6, 9, 12}).Draw(t, "digits")
		got := decimal(n, digits)
		want := new(big.Rat).SetFrac(big.NewInt(n), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil))
		back, ok := new(big.Rat).SetString(got)
		if !ok || back.Cmp(want) != 0 || strings.Contains(got, ".") && strings.HasSuffix(got, "0") || strings.HasSuffix(got, ".") {
			t.Fatalf("%d at %d digits is written %q", n, digits, got)
		}
	})
}

// TestMoneyThereAndBack reads what was written.
func TestMoneyThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Money(rapid.Int64Range(-int64(MaxMoney), int64(MaxMoney)).Draw(t, "m"))
		for _, text := range []string{m.String(), m.USD()} {
			if got, err := ParseMoney(text); err != nil || got != m {
				t.Fatalf("%q reads as %d, %v; it was written from %d", text, got, err, m)
			}
		}
		p := Price(rapid.Int64Range(0, 1<<50).Draw(t, "p"))
		if got, rounded, err := ParsePrice(p.String()); err != nil || rounded || got != p {
			t.Fatalf("%q reads as %d, %v, %v; it was written from %d", p, got, rounded, err, p)
		}
	})
}

func TestParseMoney(t *testing.T) {
	for text, want := range map[string]Money{"$12.50": 12_500_000_000, "0.000312": 312_000, "-$3": -3 * Dollar, "$0": 0, "1e-09": 1, ".5": Dollar / 2} {
		if got, err := ParseMoney(text); err != nil || got != want {
			t.Errorf("%q reads as %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "$", "-", "$12.5k", "12,50", "1/3", "0x10", "1_000", "--1", "+1", "NaN", "Inf", "0.0000000001", "1e400", "1e-400",
		"99999999999999999999", strings.Repeat("9", 41), "$$1", "1 ",
	} {
		if got, err := ParseMoney(text); err == nil {
			t.Errorf("%q reads as %d", text, got)
		}
	}
}

// TestCeilMoney rounds up and never past the greatest amount.
func TestCeilMoney(t *testing.T) {
	for text, want := range map[string]Money{"0.0000000001": 1, "5.37e-06": 5370, "5.3700001e-06": 5371, "0": 0, "1e9": MaxMoney, "9007199.254740991": MaxMoney} {
		if got, err := CeilMoney(text); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"-1", "", "x", "1e99"} {
		if got, err := CeilMoney(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// TestSums saturates where it would wrap, and rounds a sum up once.
func TestSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, n := Price(rapid.Int64Range(-5, math.MaxInt64).Draw(t, "p")), rapid.Int64Range(-5, math.MaxInt64).Draw(t, "n")
		want := new(big.Int).Mul(big.NewInt(max(int64(p), 0)), big.NewInt(max(n, 0)))
		if !want.IsInt64() {
			want.SetInt64(math.MaxInt64)
		}
		if got := p.Times(n); int64(got) != want.Int64() {
			t.Fatalf("%d × %d = %d, want %d", p, n, got, want)
		}
		a, b := Pico(rapid.Int64Range(0, math.MaxInt64).Draw(t, "a")), Pico(rapid.Int64Range(0, math.MaxInt64).Draw(t, "b"))
		sum := new(big.Int).Add(big.NewInt(int64(a)), big.NewInt(int64(b)))
		if !sum.IsInt64() {
			sum.SetInt64(math.MaxInt64)
		}
		if got := a.Add(b); int64(got) != sum.Int64() {
			t.Fatalf("%d + %d = %d, want %d", a, b, got, sum)
		}
		m := a.Money()
		if up := Pico(m) * 1000; m < MaxMoney && (up < a || up-a >= 1000) || m > MaxMoney {
			t.Fatalf("%d pico-dollars are %d nano-dollars", a, m)
		}
	})
	if got := fmt.Sprint(Pico(1).Money(), Pico(1000).Money(), Pico(1001).Money(), MaxMoney.Pico()); got != "0.000000001 0.000000001 0.000000002 9007199.254740991" {
		t.Errorf("rounded up: %s", got)
	}
}

func BenchmarkDecimal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = Money(312_000).String()
	}
}
