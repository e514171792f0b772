package app

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"farthing/gateway/app/plan"
	"farthing/gateway/config"
)

// serving is what serves now.
func (a *App) serving() *plan.Plan { return a.now.Load() }

// apply puts a changed file in the place of the present one, whole or not at
// all.
func (a *App) apply(l *config.Loaded) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if section := fixed(&a.now.Load().Loaded.File, &l.File); section != "" {
		return fmt.Errorf("%s has changed, which takes a restart", section)
	}
	return a.take(l)
}

// fixed names the section that differs between two files although it only holds
// from the start; "" if there is none.
func fixed(old, next *config.File) string {
	for _, s := range []struct {
		name      string
		old, next any
	}{
		{"server", old.Server, next.Server},
		{"timezone", old.Timezone, next.Timezone},
		{"data", old.Data, next.Data},
		{"store", old.Store, next.Store},
		{"telemetry", old.Telemetry, next.Telemetry},
	} {
		if !reflect.DeepEqual(s.old, s.next) {
			return s.name
		}
	}
	return ""
}

// take compiles a file and serves it. a.mu is held.
func (a *App) take(l *config.Loaded) error {
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	next, found := plan.Compile(ctx, l, a.now.Load().World, a.process.Start)
	report(a.log, found)
	if err := config.Err(found); err != nil {
		return err
	}
	a.now.Store(next)
	a.flow.Load(next.State)
	a.keys.Load(next.Keys)
	return nil
}

// moved takes over a new address of the embedded engine.
func (a *App) moved() { a.retake("the embedded engine has moved") }

// retake puts the present file to use anew, since the world around it changed.
func (a *App) retake(why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flow == nil { // the start failed
		return
	}
	a.log.Info("the file is put to use anew", "because", why)
	if err := a.take(a.now.Load().Loaded); err != nil {
		a.log.Error("what has changed was not taken over", "error", err)
	}
}

// refreshEngines asks the engines for their models from time to time, until ctx
// ends: a server may come up late, or be given another model.
func (a *App) refreshEngines(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.refresh(ctx)
		}
	}
}

// refresh puts names over what engines serve now. What it asks servers is asked
// before the lock is taken.
func (a *App) refresh(ctx context.Context) {
	seen := a.serving()
	if seen.World.Found(ctx, &seen.Loaded.File) {
		a.retake("a model server answers that was not there before")
		return
	}
	changed := seen.World.Refresh(ctx)
	for _, models := range changed {
		a.log.Info("an engine's models have changed", "models", models)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(changed) == 0 || a.now.Load() != seen { // a newer file has asked for itself
		return
	}
	state := *seen.State
	state.Names = state.Names.Refresh(seen.World.Catalog())
	a.now.Store(&plan.Plan{Loaded: seen.Loaded, World: seen.World, State: &state, Keys: seen.Keys})
	a.flow.Load(&state)
}
