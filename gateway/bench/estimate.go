package main

import (
	"context"
	"fmt"

	"farthing/gateway/bench/table"
	"farthing/policies/estimate"
	"farthing/policies/estimate/baseline"
	"farthing/providers"
)

const encoding = "o200k_base"

// chat is a conversation to estimate.
type chat struct {
	name  string
	texts []string
	batch int // of them between two looks at the clock
}

func (c *chat) brief(texts []string) *providers.Brief {
	return &providers.Brief{N: 1, Turns: len(texts), Texts: texts, System: texts[0], LastUser: texts[len(texts)-1]}
}

type estimates struct {
	b         *bench
	chats     []chat
	estimator *estimate.Estimator
	target    *providers.Target
	yardstick *baseline.Counter
	serial    uint64
}

func openEstimate(_ context.Context, b *bench) (turns, error) {
	yardstick, err := baseline.New(encoding)
	if err != nil {
		return nil, err
	}
	write := newAuthor(1)
	chats := []chat{
		{"short chat", []string{"You are a helpful assistant.", "What is the capital of France, and since when has it been?"}, 256},
		{"chat of 2k tokens", nil, 16},
		{"chat of 20k tokens", nil, 2},
	}
	for range 8 {
		chats[1].texts = append(chats[1].texts, write.text(240))
	}
	for range 25 {
		chats[2].texts = append(chats[2].texts, write.text(790))
	}
	return &estimates{
		b: b, chats: chats, estimator: estimate.New(), yardstick: yardstick,
		target: &providers.Target{
			Name: "openai/gpt-4o", Provider: "openai", Model: "gpt-4o", ID: "gpt-4o",
			Facts: providers.Facts{Context: 128_000, MaxOutput: 16_384, Encoding: encoding},
		},
	}, nil
}

func (g *estimates) close() error { return nil }

// round measures every chat as one that is new, as one that was sent before (as
// the earlier turns of every conversation were), and by the yardstick, which
// remembers nothing.
func (g *estimates) round(_ context.Context, s *table.Sheet) error {
	for i := range g.chats {
		c := &g.chats[i]
		fresh := func() *providers.Brief {
			g.serial++
			return c.brief(unseen(c.texts, g.serial))
		}
		b := fresh()
		if got, want := g.estimator.Read(b).Tokens(encoding), g.yardstick.Tokens(b.Texts); got != want {
			return fmt.Errorf("%s: %d tokens, tiktoken-go counts %d", c.name, got, want)
		}
		read := func(b *providers.Brief) { g.estimator.Read(b).For(g.target) }
		g.note(s, c, b, "estimate, new text", repeat(g.b, c.batch, fresh, read))
		g.note(s, c, b, "estimate, seen text", repeat(g.b, c.batch, func() *providers.Brief { return b }, read))
		g.note(s, c, b, "tiktoken-go", repeat(g.b, c.batch, fresh, func(b *providers.Brief) { g.yardstick.Tokens(b.Texts) }))
	}
	return nil
}

func (g *estimates) note(s *table.Sheet, c *chat, b *providers.Brief, who string, e effort) {
	bytes := 0
	for _, text := range b.Texts {
		bytes += len(text)
	}
	than := ""
	if who != "tiktoken-go" {
		than = "tiktoken-go"
	}
	of := s.Of(c.name, who, than)
	of.Put("CPU time", "ns", e.ns)
	of.Put("allocations", "", e.allocs)
	of.Put("throughput", "MB/s", float64(bytes)/e.ns*1000)
}
