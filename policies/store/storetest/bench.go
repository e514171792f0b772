package storetest

import (
	"context"
	"math"
	"testing"
	"time"

	"farthing/policies/ledger"
	"farthing/providers"
)

// Benchmark measures a hold and its settlement over a path of three budgets with
// four limits, one client after the other and many at once.
func Benchmark(b *testing.B, s ledger.Store) {
	l := ledger.New(s, ledger.Options{})
	if err := l.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	nodes := tree(math.MaxInt64 / 1_000_000)[:3]
	one := func(b *testing.B) {
		offers := []ledger.Offer{{Target: "x", Nodes: nodes, Fixed: 1_000_000, PerOutput: 1000, MaxOutput: 1000, MinOutput: 10}}
		h, r := l.Hold(context.Background(), time.Now(), offers)
		if r != nil {
			b.Errorf("%+v", r)
			return
		}
		l.Settle(h, ledger.Cost{Amount: h.Amount / 2, Source: providers.UsageProvider})
	}
	b.Run("sequential", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			one(b)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				one(b)
			}
		})
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		b.Error(err)
	}
}
