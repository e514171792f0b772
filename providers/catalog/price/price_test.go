package price

import (
	"math"
	"strings"
	"testing"
	"time"

	"farthing/providers"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func usd(s string) *providers.Price {
	p, _, err := providers.ParsePrice(s)
	if err != nil {
		panic(err)
	}
	return &p
}

func compile(t testing.TB, c RowConfig) *Row {
	t.Helper()
	r, problems := Compile("row", c)
	if r == nil {
		t.Fatalf("does not compile: %v", problems)
	}
	return r
}

func at(s string) time.Time {
	x, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return x
}

// full has everything that a row can have.
func full() RowConfig {
	fee := providers.Money(5_000_000)
	return RowConfig{
		Rates: Rates{Input: usd("2.5"), CacheRead: usd("0.25"), CacheWrite: usd("3.125"), CacheWrite1h: usd("5"), Output: usd("15"), AudioIn: usd("40")},
		Above: map[int64]Rates{272_000: {Input: usd("5"), CacheRead: usd("0.5"), Output: usd("22.5")}},
		Tiers: map[string]TierConfig{"flex": {Factor: "0.5"}, "priority": {Rates: Rates{Input: usd("5"), Output: usd("30")}}},
		OffPeak: []OffPeakConfig{
			{Zone: "Asia/Shanghai", Days: []string{"sat", "sun"}, Hours: "00:00-00:00", Factor: "0.5"},
			{Zone: "Asia/Shanghai", Days: []string{"mon"}, Hours: "22:00-06:00", Rates: Rates{Input: usd("1")}},
		},
		DataIn:     map[string]string{"eu": "1.1"},
		PerRequest: &fee,
		PerSearch:  map[string]providers.Money{"low": 5_000_000, "high": 12_000_000},
		Source:     "a test",
	}
}

const weekday = "2026-11-25T12:00:00Z" // a Wednesday

func TestTotal(t *testing.T) {
	r := compile(t, full())
	const fee = 5_000_000_000 // pico
	for _, c := range []struct {
		name  string
		usage providers.Usage
		terms Terms
		want  providers.Pico
	}{
		{"plain", providers.Usage{Input: 1000, Output: 100}, Terms{}, 1000*2_500_000 + 100*15_000_000},
		{
			"every class",
			providers.Usage{Input: 1, CacheRead: 2, CacheWrite5m: 3, CacheWrite1h: 4, Output: 5, Reasoning: 2, AudioIn: 6},
			Terms{},
			1*2_500_000 + 2*250_000 + 3*3_125_000 + 4*5_000_000 + 5*15_000_000 + 6*40_000_000,
		},
		{
			"classes without a price take the parent's",
			providers.Usage{ImageIn: 1, ImageCacheRead: 2, VideoIn: 3, AudioOut: 4, ImageOut: 5, AudioCacheRead: 6},
			Terms{},
			1*2_500_000 + 2*250_000 + 3*2_500_000 + 4*15_000_000 + 5*15_000_000 + 6*250_000,
		},
		{"at the threshold it is short", providers.Usage{Input: 200_000, CacheRead: 72_000}, Terms{}, 200_000*2_500_000 + 72_000*250_000},
		{"above it all of it is long", providers.Usage{Input: 200_001, CacheRead: 72_000, CacheWrite5m: 1, Output: 1}, Terms{}, 200_001*5_000_000 + 72_000*500_000 + 3_125_000 + 22_500_000},
		{"flex", providers.Usage{Input: 3, Output: 1}, Terms{Tier: "flex"}, 3*1_250_000 + 7_500_000},
		{"flex and context multiply", providers.Usage{Input: 272_001}, Terms{Tier: "flex"}, 272_001 * 2_500_000},
		{"a tier's own rate grows with the context", providers.Usage{Input: 272_001, Output: 1}, Terms{Tier: "priority"}, 272_001*10_000_000 + 45_000_000},
		{"a class that the tier leaves out keeps the row's", providers.Usage{CacheRead: 4}, Terms{Tier: "priority"}, 4 * 250_000},
		{"an unknown tier is none", providers.Usage{Input: 1}, Terms{Tier: "default"}, 2_500_000},
		{"region", providers.Usage{Input: 3}, Terms{Region: "eu"}, 3 * 2_750_000},
		{"saturday in Shanghai beats flex", providers.Usage{Input: 2}, Terms{Tier: "flex", At: at("2026-11-27T16:00:00Z")}, 2 * 1_250_000},
		{"friday there is not", providers.Usage{Input: 2}, Terms{At: at("2026-11-27T15:59:59Z")}, 2 * 2_500_000},
		{"the window's own rate ignores the context", providers.Usage{Input: 272_001}, Terms{At: at("2026-11-23T14:00:00Z")}, 272_001 * 1_000_000},
		{"it wraps into tuesday", providers.Usage{Input: 1}, Terms{At: at("2026-11-23T21:59:00Z")}, 1_000_000},
		{"and ends exclusively", providers.Usage{Input: 1}, Terms{At: at("2026-11-23T22:00:00Z")}, 2_500_000},
		{"searches by size", providers.Usage{WebSearches: 2, SearchSize: "high"}, Terms{}, 2 * 12_000_000_000},
		{"a size alone is one search", providers.Usage{SearchSize: "low"}, Terms{}, 5_000_000_000},
		{"an unknown size is the dearest", providers.Usage{WebSearches: 1}, Terms{}, 12_000_000_000},
		{"requests", providers.Usage{Requests: 3}, Terms{}, 2 * fee},
		{"reasoning beyond the output is clamped", providers.Usage{Output: 2, Reasoning: 9}, Terms{}, 30_000_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.terms.At.IsZero() {
				c.terms.At = at(weekday)
			}
			if got := r.Total(c.usage, c.terms); got != c.want+fee {
				t.Errorf("got %s, want %s", got-fee, c.want)
			}
			checkBill(t, r, c.usage, c.terms)
		})
	}
}

// checkBill holds that the bill is the total and the sum of its lines.
func checkBill(t interface{ Errorf(string, ...any) }, r *Row, u providers.Usage, terms Terms) {
	b := r.Cost(u, terms)
	var lines providers.Pico
	for _, l := range b.Lines {
		lines = lines.Add(l.Cost)
	}
	if total := r.Total(u, terms); b.Total != total || lines != total {
		t.Errorf("total %s, bill %s, lines %s", total, b.Total, lines)
	}
}

func TestFactorsAreExact(t *testing.T) {
	r := compile(t, RowConfig{
		Rates: Rates{Input: usd("0.000001"), Output: usd("0.000001")},
		Tiers: map[string]TierConfig{"flex": {Factor: "0.333333"}}, DataIn: map[string]string{"eu": "1.1"},
	})
	got := r.Total(providers.Usage{Input: 1_000_000, Output: 2_000_000}, Terms{Tier: "flex", Region: "eu"})
	if want := providers.Pico(1_099_999); got != want { // 3,000,000 × 0.333333 × 1.1 = 1,099,998.9
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestMissingAndZero(t *testing.T) {
	free := compile(t, RowConfig{Rates: Rates{Input: usd("1"), CacheRead: usd("0")}})
	b := free.Cost(providers.Usage{CacheRead: 1000, Output: 5}, Terms{})
	if b.Total != 0 || len(b.Warnings) != 1 || !strings.Contains(b.Warnings[0], "5 tokens of output") {
		t.Errorf("an explicit 0 is free and a missing output is said: %+v", b)
	}
	if r, problems := Compile("row", RowConfig{Rates: Rates{CacheRead: usd("1")}}); r != nil || len(problems) != 1 {
		t.Errorf("a row without input and output must be refused: %v", problems)
	}
}

func TestBound(t *testing.T) {
	r := compile(t, full())
	const fee = 5_000_000_000
	for _, c := range []struct {
		name   string
		ask    Ask
		fixed  providers.Pico
		output providers.Price
	}{
		{"the one-hour write is the dearest input", Ask{Input: 1000}, 1000 * 5_000_000, 15_000_000},
		{"the context that the input can reach", Ask{Input: 272_001}, 272_001 * 5_000_000, 22_500_000},
		{"a tier asked for", Ask{Input: 272_001, Tiers: []string{"priority"}}, 272_001 * 10_000_000, 45_000_000},
		{"region", Ask{Input: 10, Region: "eu"}, 10 * 5_500_000, 16_500_000},
		{"media", Ask{Input: 10, Media: true}, 10 * 40_000_000, 15_000_000},
		{"searches at the dearest size", Ask{Searches: 2}, 24_000_000_000, 15_000_000},
		{"whatever it may be", Ask{Input: 1, Dearest: true}, 40_000_000, 45_000_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			fixed, output := r.Bound(c.ask)
			if fixed != c.fixed+fee || output != c.output {
				t.Errorf("got %s and %s, want %s and %s", fixed-fee, output, c.fixed, c.output)
			}
		})
	}
}

func TestCompileProblems(t *testing.T) {
	for name, c := range map[string]struct {
		row  RowConfig
		path string
	}{
		"dear":         {RowConfig{Rates: Rates{Input: usd("10000.01")}}, "row.input"},
		"dear tier":    {RowConfig{Rates: Rates{Input: usd("1")}, Tiers: map[string]TierConfig{"flex": {Rates: Rates{Output: usd("20000")}}}}, "row.tiers.flex.output"},
		"empty tier":   {RowConfig{Rates: Rates{Input: usd("1")}, Tiers: map[string]TierConfig{"flex": {}}}, "row.tiers.flex"},
		"factor":       {RowConfig{Rates: Rates{Input: usd("1")}, Tiers: map[string]TierConfig{"flex": {Factor: "half"}}}, "row.tiers.flex.factor"},
		"fine factor":  {RowConfig{Rates: Rates{Input: usd("1")}, DataIn: map[string]string{"eu": "1.0000001"}}, "row.data_in.eu"},
		"threshold":    {RowConfig{Rates: Rates{Input: usd("1")}, Above: map[int64]Rates{0: {Input: usd("2")}}}, "row.above.0"},
		"date":         {RowConfig{Rates: Rates{Input: usd("1")}, From: "1.11.2026"}, "row.from"},
		"order":        {RowConfig{Rates: Rates{Input: usd("1")}, From: "2026-11-01", To: "2026-11-01"}, "row.to"},
		"zone":         {RowConfig{Rates: Rates{Input: usd("1")}, OffPeak: []OffPeakConfig{{Zone: "Mars", Hours: "00:00-01:00", Factor: "1"}}}, "row.off_peak[0]"},
		"hours":        {RowConfig{Rates: Rates{Input: usd("1")}, OffPeak: []OffPeakConfig{{Hours: "16:30", Factor: "1"}}}, "row.off_peak[0]"},
		"day":          {RowConfig{Rates: Rates{Input: usd("1")}, OffPeak: []OffPeakConfig{{Days: []string{"moon"}, Hours: "16:30-17:00", Factor: "1"}}}, "row.off_peak[0]"},
		"empty window": {RowConfig{Rates: Rates{Input: usd("1")}, OffPeak: []OffPeakConfig{{Hours: "16:30-17:00"}}}, "row.off_peak[0]"},
		"search size":  {RowConfig{Rates: Rates{Input: usd("1")}, PerSearch: map[string]providers.Money{"huge": 1}}, "row.per_search.huge"},
		"search fee":   {RowConfig{Rates: Rates{Input: usd("1")}, PerSearch: map[string]providers.Money{"low": 101 * providers.Dollar}}, "row.per_search.low"},
		"overlap": {RowConfig{Rates: Rates{Input: usd("1")}, OffPeak: []OffPeakConfig{
			{Zone: "UTC", Hours: "22:00-06:00", Factor: "0.5"}, {Zone: "Asia/Shanghai", Days: []string{"fri"}, Hours: "13:30-14:30", Factor: "0.7"},
		}}, "row.off_peak"},
	} {
		t.Run(name, func(t *testing.T) {
			r, problems := Compile("row", c.row)
			if r != nil || len(problems) != 1 || problems[0].Path != c.path {
				t.Errorf("want one problem at %s, got %v", c.path, problems)
			}
		})
	}
}

func usages(t *rapid.T, name string) providers.Usage {
	n := func(of string) int64 { return rapid.Int64Range(0, 400_000).Draw(t, name+of) }
	return providers.Usage{
		Input: n("input"), CacheRead: n("read"), CacheWrite5m: n("write"), CacheWrite1h: n("write1h"), Output: n("output"),
		AudioIn: n("audio"), ImageOut: n("image"), WebSearches: n("searches"),
	}
}

var terms = rapid.Custom(func(t *rapid.T) Terms {
	return Terms{
		Tier: rapid.SampledFrom([]string{"", "flex", "priority"}).Draw(t, "tier"), Region: rapid.SampledFrom([]string{"", "eu"}).Draw(t, "region"),
		At: at(weekday).Add(time.Duration(rapid.IntRange(0, 7*24*60).Draw(t, "minute")) * time.Minute),
	}
})

func TestCostProperties(t *testing.T) {
	r := compile(t, full())
	rapid.Check(t, func(t *rapid.T) {
		u, k := usages(t, ""), terms.Draw(t, "terms")
		total := r.Total(u, k)
		checkBill(t, r, u, k)
		more := u
		for _, f := range []*int64{&more.Input, &more.CacheRead, &more.CacheWrite5m, &more.CacheWrite1h, &more.Output, &more.AudioIn, &more.ImageOut, &more.WebSearches} {
			*f += rapid.Int64Range(0, 1000).Draw(t, "more")
			if got := r.Total(more, k); got < total {
				t.Fatalf("more tokens cost less: %s, then %s", total, got)
			} else {
				total = got
			}
		}
		fixed, perOutput := r.Bound(Ask{Input: u.TotalInput(), Tiers: []string{"flex", "priority"}, Region: k.Region, Media: true, Searches: u.WebSearches})
		if bound, got := fixed.Add(perOutput.Times(u.TotalOutput())), r.Total(u, k); got > bound {
			t.Fatalf("the bound %s is less than the cost %s", bound, got)
		}
	})
}

func TestSplitsAddUp(t *testing.T) {
	c := full()
	c.PerRequest = nil
	r := compile(t, c)
	rapid.Check(t, func(t *rapid.T) {
		n := func(name string) int64 { return rapid.Int64Range(0, 20_000).Draw(t, name) }
		a := providers.Usage{Input: n("a in"), CacheRead: n("a read"), Output: n("a out")}
		b := providers.Usage{Input: n("b in"), CacheRead: n("b read"), Output: n("b out")}
		both := providers.Usage{Input: a.Input + b.Input, CacheRead: a.CacheRead + b.CacheRead, Output: a.Output + b.Output}
		k := terms.Draw(t, "terms")
		if got, want := r.Total(both, k), r.Total(a, k)+r.Total(b, k); got != want {
			t.Fatalf("together %s, apart %s", got, want)
		}
	})
}

func TestSaturates(t *testing.T) {
	r := compile(t, RowConfig{
		Rates: Rates{Input: usd("10000"), Output: usd("10000")}, DataIn: map[string]string{"eu": "1000"},
		Tiers: map[string]TierConfig{"fast": {Factor: "1000"}},
	})
	u := providers.Usage{}
	for _, f := range []*int64{&u.Input, &u.CacheRead, &u.CacheWrite5m, &u.CacheWrite1h, &u.Output, &u.Reasoning, &u.AudioIn, &u.AudioOut, &u.ImageIn, &u.ImageOut, &u.VideoIn, &u.VideoOut} {
		*f = math.MaxInt64 / 16
	}
	for _, k := range []Terms{{}, {Tier: "fast", Region: "eu"}} {
		if got := r.Total(u, k); got < math.MaxInt64 {
			t.Errorf("%+v: got %d", k, got)
		}
	}
	if fixed, out := r.Bound(Ask{Input: math.MaxInt64, Dearest: true}); fixed != math.MaxInt64 || out <= 0 {
		t.Errorf("the bound wraps: %d, %d", fixed, out)
	}
}

func TestDiscount(t *testing.T) {
	if got := Discount(1_000_001, 120_000); got != 120_000 {
		t.Errorf("12 %% of 1,000,001 is rounded down: got %d", got)
	}
	if got := Discount(math.MaxInt64, 1_000_000); got != math.MaxInt64 {
		t.Errorf("all of it: got %d", got)
	}
}

func TestPrices(t *testing.T) {
	r := compile(t, full())
	in, out := r.Prices(300_000, Terms{At: at(weekday)})
	if diff := cmp.Diff([2]providers.Price{5_000_000, 22_500_000}, [2]providers.Price{in, out}); diff != "" {
		t.Error(diff)
	}
}

var sink providers.Pico

func BenchmarkTotal(b *testing.B) {
	r := compile(b, full())
	u := providers.Usage{Input: 1200, CacheRead: 300_000, CacheWrite5m: 100, Output: 900, Reasoning: 300, WebSearches: 1}
	k := Terms{Tier: "priority", Region: "eu", At: at(weekday)}
	b.ReportAllocs()
	for b.Loop() {
		sink = r.Total(u, k)
	}
}

func TestTotalDoesNotAllocate(t *testing.T) {
	r := compile(t, full())
	u, k := providers.Usage{Input: 1200, CacheRead: 300_000, Output: 900, WebSearches: 1}, Terms{Tier: "priority", Region: "eu", At: at(weekday)}
	if n := testing.AllocsPerRun(100, func() { sink = r.Total(u, k) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { sink, _ = r.Bound(Ask{Input: 300_000}) }); n != 0 {
		t.Errorf("Bound: %v allocations", n)
	}
}
