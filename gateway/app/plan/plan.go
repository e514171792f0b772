// Package plan puts a file to use: Compile makes of it, and of the world that it
// configures or finds (package world), the State that serves requests, and says
// everything that only the whole sees wrong with it. A Plan serves, or explains
// what would be served (explain.go).
package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"farthing/gateway/app/world"
	"farthing/gateway/config"
	"farthing/gateway/edge/local"
	"farthing/gateway/flow"
	"farthing/gateway/telemetry"
	"farthing/policies/budget"
	"farthing/policies/key"
	"farthing/policies/ledger"
	"farthing/policies/route"
	"farthing/policies/route/names"
	"farthing/providers"
	"farthing/providers/catalog"
)

// defaultUnbounded is what is held for server tools that nothing bounds, where
// the file does not say otherwise.
const defaultUnbounded = providers.Dollar / 2

// Plan is a file put to use: what it configures or finds, the state that serves
// it, and its keys. It does not change.
type Plan struct {
	Loaded *config.Loaded
	World  *world.World
	State  *flow.State
	Keys   key.File
}

// Compile puts a file to use. All mistakes come back together, with their
// places; the rest is usable if none of them is an error. Connections of before
// are kept where their part of the file is the same.
func Compile(ctx context.Context, l *config.Loaded, before *world.World, start world.Starter) (*Plan, []config.Diagnostic) {
	file := &l.File
	var all []providers.Problem
	book, found := catalog.Embedded().With(file.Prices.Rows)
	all = append(all, found...)
	priced := book != nil
	if !priced { // the rows' mistakes have been found; what follows from them is not one more
		book = catalog.Embedded()
	}
	w, found := world.New(ctx, file, book, before, start)
	all = append(all, found...)
	p := &Plan{Loaded: l, World: w, State: &flow.State{Book: book, Conns: w.Conns(), Zone: file.Location(), Open: file.Server.Open() && LoopbackOnly(file)}}
	p.State.Names, found = names.Compile(file.Models, w.Catalog())
	all = append(all, found...)
	p.State.Rules, found = route.Compile(file.Policies, w.Configured)
	all = append(all, found...)
	p.State.Tree, found = budget.Compile(file.Budgets, file.Location())
	all = append(all, found...)
	p.Keys, found = key.Compile(file.Keys, file.KeyDefaults, file.Location())
	all = append(all, found...)
	all = append(all, p.spentModels()...)
	if priced {
		all = append(all, p.unpriced()...)
	}
	all = append(all, p.prices(&file.Prices)...)
	if _, err := ledger.ParseWhenDown(file.Store.WhenDown.Paid); err != nil {
		all = append(all, providers.Problemf("store.when_down.paid", "%v", err))
	}
	if otlp, err := file.Telemetry.OTLP.Resolve(); err == nil && !file.Telemetry.OTLP.IsZero() {
		if err := telemetry.CheckEndpoint(otlp); err != nil {
			all = append(all, providers.Problemf("telemetry.otlp", "%v", err))
		}
	}
	return p, l.Diagnostics(all)
}

// Targets are those that the file's models stand for; where it has none, those
// of `auto`. Models that are patterns stand for whatever is asked and are left
// out.
func (p *Plan) Targets() []*providers.Target {
	all := []*providers.Target{}
	add := func(t *providers.Target) {
		if !slices.ContainsFunc(all, func(o *providers.Target) bool { return o.Name == t.Name }) {
			all = append(all, t)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Loaded.File.Models)) {
		if model, err := p.State.Names.Resolve(name); err == nil && !strings.Contains(name, "*") {
			for _, t := range model.Targets {
				add(t)
			}
		}
	}
	if p.Loaded.File.Models == nil {
		for _, t := range p.World.Auto() {
			add(&t)
		}
	}
	return all
}

// LoopbackOnly says that every listener takes connections of this machine only.
func LoopbackOnly(file *config.File) bool {
	admin := file.Server.Admin.Listen
	return local.Loopback(file.Server.Listen) && (admin == "" || local.Loopback(admin))
}

// spentModels finds budgets whose when_spent names a model that there is not.
func (p *Plan) spentModels() (all []providers.Problem) {
	for _, name := range slices.Sorted(maps.Keys(p.Loaded.File.Budgets)) {
		model := p.Loaded.File.Budgets[name].WhenSpent.Model
		if model == "" {
			continue
		}
		if _, err := p.State.Names.Resolve(model); err != nil && providers.AsError(err).Kind == providers.NotFound {
			all = append(all, providers.Problemf("budgets."+name+".when_spent.model", "%v", err))
		}
	}
	return all
}

// unpriced finds the paid targets that the file names and nobody has a price
// for, or that are no longer served.
func (p *Plan) unpriced() (all []providers.Problem) {
	file, today := &p.Loaded.File, time.Now().UTC().Format(time.DateOnly)
	if file.Prices.UnknownModel == "like_dearest_of_provider" {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(file.Models)) {
		for i, from := range file.Models[name].From {
			if strings.Contains(from, "*") {
				continue
			}
			t, ok := p.World.Lookup(from)
			if !ok || t.SelfHosted {
				continue
			}
			if e, ok := p.World.Book.Entry(t.Type, t.ID); ok && e.Can != nil && e.Can.Retired != "" && e.Can.Retired <= today {
				all = append(all, providers.Warningf(fmt.Sprintf("models.%s.from[%d]", name, i), "%s was switched off by its provider on %s, so far as the price book knows", from, e.Can.Retired))
			}
			if row, ok := p.World.Book.For(t, time.Now()); !ok || !row.Priced() {
				all = append(all, providers.Problemf(fmt.Sprintf("models.%s.from[%d]", name, i),
					"%s has no price: add prices: {rows: [{target: %s, input: …, output: …}]} in dollars per million tokens", from, from))
			}
		}
	}
	return all
}

// prices reads what the file says of models and requests that the book cannot
// bound.
func (p *Plan) prices(c *catalog.Config) (problems []providers.Problem) {
	switch c.UnknownModel {
	case "", "refuse":
	case "like_dearest_of_provider":
		p.State.LikeDearest = true
	default:
		problems = append(problems, providers.Problemf("prices.unknown_model", "write refuse or like_dearest_of_provider, not %q", c.UnknownModel))
	}
	p.State.Unbounded.Hold = defaultUnbounded
	if c.NoUpperBound == "" {
		return problems
	}
	amount, hold := strings.CutPrefix(c.NoUpperBound, "hold ")
	m, err := providers.ParseMoney(amount)
	switch {
	case c.NoUpperBound == "refuse":
		p.State.Unbounded.Refuse = true
	case !hold || err != nil || m <= 0:
		problems = append(problems, providers.Problemf("prices.no_upper_bound", `write refuse or an amount such as "hold $0.50", not %q`, c.NoUpperBound))
	default:
		p.State.Unbounded.Hold = m
	}
	return problems
}
