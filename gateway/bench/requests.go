package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"farthing/gateway/bench/part"
	"farthing/gateway/bench/table"
	"farthing/gateway/bench/traffic"
)

// manyRequests is how many clients ask at once.
const manyRequests = 32

// kind is a kind of load, with connections along every way.
type kind struct {
	name    string
	model   string
	stream  bool
	count   int
	clients [][]*traffic.Client // by way
}

// requests are the groups of whole requests: plain ones, or streams.
type requests struct {
	*house
	kinds []kind
	note  func(s *table.Sheet, round []seen)
}

// seen is what one way showed in a round.
type seen struct {
	way    *way
	kind   *kind
	load   *load
	spent  part.Used // by what stands in the way, while it was measured
	firsts []int64   // ns to the first event of each stream, sorted
	delays []int64   // ns of each event, sorted
}

func openRequests(ctx context.Context, b *bench) (turns, error) {
	return b.openTraffic(ctx, noteRequests,
		kind{name: "1 client", model: traffic.Fast, count: 1},
		kind{name: table.Plural(manyRequests, "client"), model: traffic.Fast, count: manyRequests})
}

func openStreams(ctx context.Context, b *bench) (turns, error) {
	return b.openTraffic(ctx, noteStreams,
		kind{name: "1 client", model: traffic.Paced, stream: true, count: 1},
		kind{name: table.Plural(manyRequests, "client"), model: traffic.Fast, stream: true, count: manyRequests})
}

func (b *bench) openTraffic(ctx context.Context, note func(*table.Sheet, []seen), kinds ...kind) (turns, error) {
	h, err := b.openHouse(ctx)
	if err != nil {
		return nil, err
	}
	write := newAuthor(2)
	question := traffic.Chat{System: write.text(250), Question: write.text(250)}
	number := uint64(0)
	for i := range kinds {
		k := &kinds[i]
		for _, w := range h.ways {
			var list []*traffic.Client
			for range k.count {
				number += 1 << 40
				question.Model, question.Stream = k.model, k.stream
				c, err := traffic.Dial(ctx, w.address, question, number)
				if err != nil {
					return nil, errors.Join(err, h.close())
				}
				h.closers = append(h.closers, c.Close)
				list = append(list, c)
			}
			k.clients = append(k.clients, list)
		}
	}
	return &requests{h, kinds, note}, nil
}

// round measures every kind along every way in turn.
func (g *requests) round(ctx context.Context, s *table.Sheet) error {
	for i := range g.kinds {
		var round []seen
		for n := range g.ways {
			one, err := g.measure(ctx, &g.kinds[i], n)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", g.ways[n].who, g.kinds[i].name, err)
			}
			round = append(round, one)
		}
		g.note(s, round)
	}
	return nil
}

func (g *requests) measure(ctx context.Context, k *kind, n int) (seen, error) {
	o := seen{way: &g.ways[n], kind: k}
	var before part.Used
	var err error
	if o.way.part != nil {
		if before, err = o.way.part.Used(); err != nil {
			return o, err
		}
	}
	firsts, delays := make([][]int64, k.count), make([][]int64, k.count)
	o.load, err = g.b.drive(ctx, k.count, func(i int) error {
		c := k.clients[n][i]
		err := c.Do()
		if k.stream {
			firsts[i] = append(firsts[i], c.First)
			delays[i] = append(delays[i], c.Delays...)
		}
		return err
	})
	if err != nil {
		return o, err
	}
	if o.way.part != nil {
		after, err := o.way.part.Used()
		if err != nil {
			return o, err
		}
		o.spent = part.Used{CPU: after.CPU - before.CPU, Allocs: after.Allocs - before.Allocs}
	}
	o.firsts, o.delays = slices.Concat(firsts...), slices.Concat(delays...)
	slices.Sort(o.firsts)
	slices.Sort(o.delays)
	return o, nil
}
