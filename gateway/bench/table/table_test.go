package table

import (
	"bytes"
	"math"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	list := []float64{1, 2, 3, 4, 5}
	for q, want := range map[float64]float64{0: 1, 0.1: 1.4, 0.5: 3, 0.9: 4.6, 1: 5} {
		if got := Quantile(list, q); math.Abs(got-want) > 1e-9 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := Quantile([]int64{7}, 0.99); got != 7 {
		t.Errorf("the quantile of one figure is %v", got)
	}
}

// Ratios are made within a round: a machine that is twice as slow in one round
// changes both figures and no ratio.
func TestRatios(t *testing.T) {
	var s Sheet
	for _, slow := range []float64{1, 2, 10} {
		s.Of("c", "a", "b").Put("time", "ns", 30*slow)
		s.Of("c", "b", "").Put("time", "ns", 10*slow)
		s.Of("c", "a", "b").Put("added", "ns", 5)
		s.Of("c", "b", "").Put("added", "ns", slow-2)
	}
	rows := s.Rows()
	if r := rows[0].Ratio; r == nil || *r != (Spread{3, 3, 3}) {
		t.Errorf("ratio %+v", r)
	}
	if rows[0].Median != 60 || rows[1].Ratio != nil || rows[2].Ratio != nil {
		t.Errorf("%+v", rows)
	}
}

func TestAmount(t *testing.T) {
	for want, got := range map[string]string{
		"1.23 µs": amount(1234, "ns"), "12 ns": amount(12, "ns"), "-3.5 ms": amount(-3.5e6, "ns"), "2 s": amount(2e9, "ns"),
		"12346/s": amount(12345.6, "1/s"), "0": amount(0, ""), "0.0123": amount(0.01234, ""), "100 MB/s": amount(100, "MB/s"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPrint(t *testing.T) {
	var s Sheet
	ours := s.Of("one", "ours", "theirs")
	ours.Put("time", "ns", 1500)
	ours.Alone().Put("allocations", "", 3)
	s.Of("one", "theirs", "").Put("time", "ns", 3000)
	table := New("1", 1, time.Second, false)
	table.Cores, table.Machine = 2, "a machine"
	table.Groups = []Group{{Name: "group", About: "what it is", Rows: s.Rows()}}
	var out bytes.Buffer
	if err := table.Print(&out); err != nil {
		t.Fatal(err)
	}
	const want = `farthing 1 on a machine, 2 cores; 1 round of 1s, median (p10 – p90) over them

group: what it is
  one  ours    time         1.5 µs  (1.5 µs – 1.5 µs)  × 0.5  (0.5 – 0.5)  of theirs
               allocations  3       (3 – 3)
       theirs  time         3 µs    (3 µs – 3 µs)
`
	if out.String() != want {
		t.Errorf("got:\n%s", out.String())
	}
}
