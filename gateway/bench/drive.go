package main

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"farthing/gateway/bench/part"
)

// load is what some clients did.
type load struct {
	took    []int64 // ns of each operation, sorted
	elapsed time.Duration
}

func (l *load) perSecond() float64 { return float64(len(l.took)) / l.elapsed.Seconds() }

// drive has clients do op one after another for a moment, each at least a few
// times. The first error ends it.
func (b *bench) drive(ctx context.Context, clients int, op func(client int) error) (*load, error) {
	took := make([][]int64, clients)
	errs := make([]error, clients)
	runtime.GC() // the last one's garbage is not this one's
	began := time.Now()
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			list := make([]int64, 0, 1<<10)
			for at := began; ctx.Err() == nil && (len(list) < b.least || at.Sub(began) < b.moment); {
				if errs[i] = op(i); errs[i] != nil {
					return
				}
				end := time.Now()
				list = append(list, int64(end.Sub(at)))
				at = end
			}
			took[i] = list
		})
	}
	wg.Wait()
	l := &load{elapsed: time.Since(began), took: slices.Concat(took...)}
	slices.Sort(l.took)
	return l, errors.Join(append(errs, ctx.Err())...)
}

// effort is what one operation of one goroutine took.
type effort struct {
	ns     float64 // of the CPU, garbage collection included
	allocs float64
}

// repeat does op for a moment on inputs that prepare makes outside of the time
// and the count, a batch of them at a time. The time is the CPU's: on a busy
// machine the clock on the wall counts the neighbours too, and more of them the
// longer one operation takes, so that even ratios would be wrong. Only where the
// system does not say what the CPU did is it the clock on the wall.
func repeat[T any](b *bench, batch int, prepare func() T, op func(T)) effort {
	var before, after runtime.MemStats
	var spent time.Duration
	var allocs uint64
	var cpu int64
	inputs := make([]T, batch)
	n := 0
	for n < b.least || spent < b.moment/4 {
		for i := range inputs {
			inputs[i] = prepare()
		}
		runtime.ReadMemStats(&before)
		began, used := time.Now(), part.ProcessorTime()
		for _, in := range inputs {
			op(in)
		}
		cpu += part.ProcessorTime() - used
		spent += time.Since(began)
		runtime.ReadMemStats(&after)
		allocs += after.Mallocs - before.Mallocs
		n += batch
	}
	if cpu == 0 {
		cpu = int64(spent)
	}
	return effort{ns: float64(cpu) / float64(n), allocs: float64(allocs) / float64(n)}
}
