package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"farthing/gateway/admin"
	"farthing/policies/budget"
	"farthing/policies/key"
	"farthing/providers/catalog"
	"farthing/providers/upstream"
)

// service is the operator's side of this gateway.
func (a *App) service() *admin.Service {
	return &admin.Service{
		Keys: a.store, Ring: a.keys, Audit: a.store.AppendAudit, Log: a.log, Now: time.Now, Ledger: a.ledger, Receipts: a.recorder,
		Defaults: func() key.Defaults { return a.serving().Keys.Defaults },
		Pinned:   func() []key.Key { return pinned(a.serving().Keys, a.serving().State.Open) },
		Tree:     func() *budget.Tree { return a.serving().State.Tree },
		Book:     func() *catalog.Book { return a.serving().State.Book },
		Targets:  a.targets,
	}
}

// pinned are the keys of the file; the key local only where requests without a
// key are let in.
func pinned(f key.File, open bool) []key.Key {
	all := make([]key.Key, 0, len(f.Keys)+1)
	for _, k := range f.Keys {
		all = append(all, *k)
	}
	if open {
		all = append(all, *f.Local)
	}
	return all
}

// targets shows the targets that models of the file stand for now.
func (a *App) targets() []admin.TargetStatus {
	now := a.serving()
	all := []admin.TargetStatus{}
	for _, t := range now.Targets() {
		conn := now.State.Conns[t.Provider]
		s := admin.TargetStatus{Name: t.Name, SelfHosted: t.SelfHosted, State: "up"}
		if conn.Ready != nil {
			if err := conn.Ready(); err != nil {
				s.State, s.Why = "down", err.Error()
			}
		}
		if breaker, _ := conn.Breaker(t.Name).State(); breaker != upstream.Closed {
			s.State = breaker.String()
		}
		if conn.Gate != nil {
			s.InFlight, s.Waiting = conn.Gate.Load()
		}
		all = append(all, s)
	}
	return all
}

// ready is nil while the store answers, the ledger may draw from it, and a target
// is usable.
func (a *App) ready(ctx context.Context) error {
	if err := a.store.Ping(ctx); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if s := a.admin.Ledger.Stats(); !s.MayDraw {
		return errors.New("store: the ledger has not joined it yet, so nothing that costs money is sent")
	}
	down := errors.New("no provider or engine is configured or found")
	for name, conn := range a.serving().State.Conns {
		if conn.Ready == nil {
			return nil
		}
		err := conn.Ready()
		if err == nil {
			return nil
		}
		down = fmt.Errorf("%s: %w", name, err)
	}
	return down
}

// gauges registers what is read when metrics are collected.
func (a *App) gauges() error {
	l, r, k := a.ledger, a.recorder, a.keys
	flag := map[bool]int64{true: 1}
	var failed error
	for _, g := range []struct {
		name, help string
		read       func() int64
	}{
		{"farthing_ledger_store_down", "1 while the budget store's last call was not answered.", func() int64 { return flag[l.Stats().Down] }},
		{"farthing_ledger_recovering", "1 while the store grants nothing until replicas have declared what they have.", func() int64 { return flag[l.Stats().Recovering] }},
		{"farthing_ledger_open_holds", "Holds that are not settled.", func() int64 { return l.Stats().Open }},
		{"farthing_ledger_open_nano_usd", "Money in holds that are not settled, in nano-dollars.", func() int64 { return int64(l.Stats().OpenSum) }},
		{"farthing_ledger_holds", "Holds made since the start.", func() int64 { return l.Stats().Holds }},
		{"farthing_ledger_refusals", "Holds refused over a budget since the start.", func() int64 { return l.Stats().Refusals }},
		{"farthing_ledger_settled_nano_usd", "Money settled since the start, in nano-dollars.", func() int64 { return int64(l.Stats().SettledSum) }},
		{"farthing_ledger_overrun_nano_usd", "Bills above their holds since the start, in nano-dollars.", func() int64 { return int64(l.Stats().OverrunSum) }},
		{"farthing_ledger_unbooked_batches", "Batches of settlements that the store has not acknowledged.", func() int64 { return l.Stats().Unbooked }},
		{"farthing_receipts_dropped", "Receipts lost because the store was away for too long, or because they could not be written.", r.Dropped},
		{"farthing_keys_usable", "Keys that could be used now.", func() int64 { return int64(k.Count()) }},
	} {
		failed = errors.Join(failed, a.telemetry.Gauge(g.name, g.help, g.read))
	}
	return failed
}
