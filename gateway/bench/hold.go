package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"farthing/gateway/bench/part"
	"farthing/gateway/bench/table"
	"farthing/policies/budget"
	"farthing/policies/ledger"
	"farthing/policies/store/redis"
	redisbaseline "farthing/policies/store/redis/baseline"
	"farthing/policies/store/sqlite"
	sqlitebaseline "farthing/policies/store/sqlite/baseline"
	"farthing/providers"
)

// manyClients is how many hold at once, as many requests on their way do.
const manyClients = 64

// contest is a ledger and the barest write, on stores that are equally durable.
type contest struct {
	store  string
	bare   string
	ledger *ledger.Ledger
	add    func(ctx context.Context, n int64) error
}

type holds struct {
	b        *bench
	nodes    []*budget.Node
	contests []contest
	closers  []func() error // in the order of opening
}

func openHold(ctx context.Context, b *bench) (turns, error) {
	g := &holds{b: b, nodes: budgets()}
	err := g.addSQLite(ctx)
	for _, fsync := range []string{"everysec", "always"} {
		if err == nil {
			err = g.addRedis(ctx, fsync)
		}
	}
	if err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

// budgets are a path of three budgets with four limits that never run out.
func budgets() []*budget.Node {
	const most = providers.MaxMoney / 10
	node := func(name string, limits ...budget.Limit) *budget.Node {
		return &budget.Node{Name: name, Budget: name, Limits: limits, Config: &budget.Config{}}
	}
	return []*budget.Node{
		node("company", budget.Limit{Amount: most, Window: budget.Month}, budget.Limit{Amount: most}),
		node("teams/web", budget.Limit{Amount: most, Window: budget.Day}),
		node("people/ada", budget.Limit{Amount: most, Window: budget.Month}),
	}
}

func (g *holds) addSQLite(ctx context.Context) error {
	s, err := sqlite.Open(filepath.Join(g.b.folder, "ledger.db"))
	if err != nil {
		return err
	}
	g.closers = append(g.closers, s.Close)
	bare, err := sqlitebaseline.Open(ctx, filepath.Join(g.b.folder, "bare.db"))
	if err != nil {
		return err
	}
	g.closers = append(g.closers, bare.Close)
	return g.add(ctx, "SQLite", "bare commit", s, bare.Add)
}

func (g *holds) addRedis(ctx context.Context, fsync string) error {
	server, err := part.StartRedis(ctx, fsync)
	if err != nil {
		return err
	}
	g.closers = append(g.closers, server.Stop)
	s, err := redis.Open(ctx, server.URL)
	if err != nil {
		return err
	}
	g.closers = append(g.closers, s.Close)
	bare, err := redisbaseline.Open(ctx, server.URL, manyClients)
	if err != nil {
		return err
	}
	g.closers = append(g.closers, bare.Close)
	return g.add(ctx, "Redis "+fsync, "bare INCRBY", s, bare.Add)
}

func (g *holds) add(ctx context.Context, store, bare string, s ledger.Store, add func(context.Context, int64) error) error {
	l := ledger.New(s, ledger.Options{Clock: time.Now})
	g.closers = append(g.closers, func() error { return l.Close(context.WithoutCancel(ctx)) })
	g.contests = append(g.contests, contest{store, bare, l, add})
	limited, cancel := context.WithTimeout(ctx, part.Patience)
	defer cancel()
	return l.Ready(limited)
}

func (g *holds) close() (err error) {
	for i := len(g.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, g.closers[i]())
	}
	return err
}

func (g *holds) round(ctx context.Context, s *table.Sheet) error {
	for _, clients := range []int{1, manyClients} {
		for i := range g.contests {
			c := &g.contests[i]
			name := fmt.Sprintf("%s, %s", c.store, table.Plural(clients, "client"))
			held, err := g.b.drive(ctx, clients, func(int) error { return g.one(ctx, c.ledger) })
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			bare, err := g.b.drive(ctx, clients, func(int) error { return c.add(ctx, 1) })
			if err != nil {
				return fmt.Errorf("%s, %s: %w", name, c.bare, err)
			}
			noteLoad(s.Of(name, "hold and settle", c.bare), "operations", held)
			noteLoad(s.Of(name, c.bare, ""), "operations", bare)
		}
	}
	return nil
}

// one is what a request asks of the ledger. A settlement is queued and travels
// with the next call to the store, so it delays nobody.
func (g *holds) one(ctx context.Context, l *ledger.Ledger) error {
	offers := []ledger.Offer{{Target: "a/b", Nodes: g.nodes, Fixed: 1_000_000, PerOutput: 1000, MaxOutput: 1000, MinOutput: 10}}
	h, refused := l.Hold(ctx, time.Now(), offers)
	if refused != nil {
		return fmt.Errorf("a hold was refused: %+v", refused)
	}
	l.Settle(h, ledger.Cost{Amount: h.Amount / 2, Source: providers.UsageProvider})
	return nil
}

// noteLoad notes the rate and the two quantiles of a load.
func noteLoad(of table.Subject, what string, l *load) {
	of.Put(what, "1/s", l.perSecond())
	of.Put("p50", "ns", table.Quantile(l.took, 0.5))
	of.Put("p99", "ns", table.Quantile(l.took, 0.99))
}
