package upstream

import (
	"sync"
	"testing"
	"time"
)

type clock struct{ t time.Time }

func (c *clock) now() time.Time       { return c.t }
func (c *clock) pass(d time.Duration) { c.t = c.t.Add(d) }
func newClock() *clock                { return &clock{time.Unix(1e9, 0)} }
func breakerOn(c *clock) *Breaker     { return NewBreaker(BreakerOptions{Now: c.now}) }
func call(b *Breaker, o Outcome) bool {
	t, ok := b.Allow()
	if ok {
		b.Report(t, o)
	}
	return ok
}

func TestBreakerOpensOnFaultsInARow(t *testing.T) {
	c := newClock()
	b := breakerOn(c)
	for range 4 {
		call(b, Fault)
	}
	call(b, Success)
	for range 4 {
		call(b, Fault)
		call(b, Neutral)
	}
	if s, _ := b.State(); s != Closed {
		t.Fatal("open although no five faults came in a row")
	}
	call(b, Fault)
	s, left := b.State()
	if s != Open || left != 2*time.Second {
		t.Fatalf("%v for %v, want open for 2s", s, left)
	}
	if call(b, Success) {
		t.Fatal("an open breaker let a call through")
	}
}

func TestBreakerTriesOneCall(t *testing.T) {
	c := newClock()
	b := breakerOn(c)
	late, _ := b.Allow()
	for range 5 {
		call(b, Fault)
	}
	c.pass(2 * time.Second)
	probe, ok := b.Allow()
	if !ok {
		t.Fatal("no call may try after the rest")
	}
	if _, ok := b.Allow(); ok {
		t.Fatal("two calls try at once")
	}
	b.Report(late, Success) // of an earlier turn: says nothing now
	if s, _ := b.State(); s != HalfOpen {
		t.Fatalf("%v after a late report", s)
	}
	b.Report(probe, Neutral)
	probe, ok = b.Allow()
	if !ok {
		t.Fatal("a try that showed nothing blocks the next one")
	}
	b.Report(probe, Fault)
	if s, left := b.State(); s != Open || left != 4*time.Second {
		t.Fatalf("%v for %v, want the doubled rest", s, left)
	}
	for range 10 {
		c.pass(time.Hour)
		call(b, Fault)
	}
	if _, left := b.State(); left != time.Minute {
		t.Fatalf("rests %v, want at most a minute", left)
	}
	c.pass(time.Minute)
	call(b, Success)
	if s, _ := b.State(); s != Closed {
		t.Fatalf("%v after a good try", s)
	}
	for range 5 {
		call(b, Fault)
	}
	if _, left := b.State(); left != 2*time.Second {
		t.Fatalf("rests %v after it was well, want 2s", left)
	}
}

func TestBreakerOpensOnShareOfFaults(t *testing.T) {
	c := newClock()
	b := breakerOn(c)
	for i := range 19 {
		call(b, []Outcome{Fault, Success}[i%2])
	}
	if s, _ := b.State(); s != Closed {
		t.Fatal("open before there were 20 calls")
	}
	call(b, Success)
	call(b, Fault)
	if s, _ := b.State(); s != Open {
		t.Fatal("closed with 11 faults in 21 calls")
	}
}

func TestBreakerForgets(t *testing.T) {
	c := newClock()
	b := breakerOn(c)
	for range 9 {
		call(b, Fault)
		call(b, Success)
	}
	c.pass(31 * time.Second)
	for i := range 19 {
		call(b, []Outcome{Success, Success, Fault}[i%3])
	}
	if s, _ := b.State(); s != Closed {
		t.Fatal("faults older than the window still count")
	}
}

func TestBreakerConcurrently(t *testing.T) {
	b := NewBreaker(BreakerOptions{Rest: time.Nanosecond})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 1000 {
				call(b, Outcome((i+j)%3))
				b.State()
			}
		})
	}
	wg.Wait()
	for range 10 {
		call(b, Success)
	}
	if s, _ := b.State(); s != Closed {
		t.Fatalf("%v after ten good calls", s)
	}
}

func TestBreakerAllocatesNothing(t *testing.T) {
	b := NewBreaker(BreakerOptions{})
	if n := testing.AllocsPerRun(100, func() { call(b, Success) }); n != 0 {
		t.Fatalf("%v allocations per call", n)
	}
}
