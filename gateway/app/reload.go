package app

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"farthing/gateway/config"
)

// serving is what serves now.
func (a *App) serving() *serving {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// apply puts a changed file in the place of the present one, whole or not at
// all.
func (a *App) apply(l *config.Loaded) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if section := fixed(&a.now.loaded.File, &l.File); section != "" {
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
	next, found := compile(ctx, l, a.now.world, a.process.Start)
	report(a.log, found)
	if err := config.Err(found); err != nil {
		return err
	}
	a.now = next
	a.flow.Load(next.state)
	a.keys.Load(next.keys)
	return nil
}

// moved takes over a new address of the embedded engine.
func (a *App) moved() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flow == nil { // still starting: the address is asked for again
		return
	}
	if err := a.take(a.now.loaded); err != nil {
		a.log.Error("the embedded engine's new address was not taken", "error", err)
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
	changed := seen.world.Refresh(ctx)
	for _, models := range changed {
		a.log.Info("an engine's models have changed", "models", models)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(changed) == 0 || a.now != seen { // a newer file has asked for itself
		return
	}
	state := *seen.state
	state.Names = state.Names.Refresh(seen.world.Catalog())
	a.now = &serving{loaded: seen.loaded, world: seen.world, state: &state, keys: seen.keys}
	a.flow.Load(&state)
}
