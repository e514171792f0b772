package capacity

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"farthing/providers"
)

func TestGateServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate("box", 1, 8)
		ctx := context.Background()
		if err := g.Enter(ctx, time.Minute); err != nil {
			t.Fatal(err)
		}
		order := make(chan int, 3)
		for i := range 3 {
			go func() {
				if err := g.Enter(ctx, time.Minute); err != nil {
					t.Error(err)
				}
				order <- i
				time.Sleep(time.Second)
				g.Leave(time.Second)
			}()
			synctest.Wait()
		}
		if in, waiting := g.Load(); in != 1 || waiting != 3 {
			t.Fatalf("load = %d in, %d waiting; want 1, 3", in, waiting)
		}
		g.Leave(2 * time.Second)
		for want := range 3 {
			if got := <-order; got != want {
				t.Errorf("place %d went to waiter %d", want, got)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if in, waiting := g.Load(); in != 0 || waiting != 0 {
			t.Errorf("load after all left = %d, %d", in, waiting)
		}
	})
}

func TestGateRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate("box", 1, 1)
		ctx := context.Background()
		_ = g.Enter(ctx, 0)
		g.Leave(4 * time.Second)
		_ = g.Enter(ctx, 0)
		if w := g.Wait(); w != 4*time.Second {
			t.Errorf("predicted wait = %v, want 4s", w)
		}
		start := time.Now()
		err := g.Enter(ctx, 3*time.Second)
		if e := providers.AsError(err); e.Kind != providers.Unavailable || e.RetryAfter < time.Second {
			t.Errorf("a wait in vain gave %v", err)
		}
		if waited := time.Since(start); waited != 3*time.Second {
			t.Errorf("waited %v", waited)
		}
		go func() { _ = g.Enter(ctx, time.Hour); g.Leave(0) }()
		synctest.Wait()
		if err := g.Enter(ctx, time.Hour); providers.AsError(err).Code != "engine_busy" {
			t.Errorf("a full queue gave %v", err)
		}
		leaving, cancel := context.WithCancel(ctx)
		cancel()
		g.Leave(0)
		synctest.Wait()
		_ = g.Enter(ctx, 0)
		if err := g.Enter(leaving, time.Hour); providers.AsError(err).Kind != providers.Canceled {
			t.Errorf("a client that left gave %v", err)
		}
		g.Leave(0)
		if in, waiting := g.Load(); in != 0 || waiting != 0 {
			t.Errorf("load = %d, %d; want none", in, waiting)
		}
	})
}
