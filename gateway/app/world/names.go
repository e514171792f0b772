package world

import (
	"maps"
	"slices"

	"farthing/policies/route/names"
	"farthing/providers"
	"farthing/providers/catalog"
)

// Catalog is what names can stand for in this world.
func (w *World) Catalog() names.Catalog {
	return names.Catalog{
		Lookup:       w.Lookup,
		Configured:   w.Configured,
		EngineModels: w.engineModels,
		Bare:         w.bare,
		Names:        w.bareNames,
		Auto:         w.Auto,
		Demo:         w.demo,
	}
}

// Configured says whether a provider or an engine has this name, be it with a
// mistake.
func (w *World) Configured(name string) bool {
	return w.providers[name] != nil || w.engines[name] != nil || w.mistaken[name]
}

// Lookup finds provider/model or engine/model. A configured provider has any
// model: the price book says whether it can be paid.
func (w *World) Lookup(target string) (providers.Target, bool) {
	owner, model, ok := providers.SplitTarget(target)
	if !ok || model == "" {
		return providers.Target{}, false
	}
	if e := w.engines[owner]; e != nil {
		return e.lookup(w.Book, model)
	}
	if p := w.providers[owner]; p != nil {
		return p.target(w.Book, model), true
	}
	// One with a mistake may have any model, so that only the mistake is told;
	// as a self-hosted target it needs no price.
	return providers.Target{Name: target, Provider: owner, ID: model, SelfHosted: true}, w.mistaken[owner]
}

func (w *World) engineModels(name string) ([]providers.Target, bool) {
	e := w.engines[name]
	if e == nil {
		return nil, w.mistaken[name]
	}
	return e.chatModels(), true
}

// bare places a catalog name: at its maker's own API, and at the other
// configured providers that have it.
func (w *World) bare(model string) (own string, others []string) {
	maker, hasMaker := w.Book.Maker(model)
	if w.mistaken[maker] {
		own = maker + "/" + model
	}
	for _, name := range slices.Sorted(maps.Keys(w.providers)) {
		p := w.providers[name]
		switch _, has := w.Book.Entry(p.row.Name, model); {
		case !has:
		case hasMaker && p.row.Name == maker && (own == "" || name == maker):
			own = name + "/" + model
		default:
			others = append(others, name+"/"+model)
		}
	}
	return own, others
}

// bareNames are the chat models whose maker is configured.
func (w *World) bareNames() []string {
	var all []string
	for _, e := range w.Book.Entries() {
		p := w.providers[e.Provider]
		if p == nil || e.Can == nil || e.Can.Mode != "chat" {
			continue
		}
		if maker, ok := w.Book.Maker(e.Model); ok && maker == e.Provider {
			all = append(all, e.Model)
		}
	}
	return all
}

// Auto are the candidates of `auto` without a `models` section: the chat models
// of every engine, and the small and the large model of each provider. The
// demonstration model stands in only where there is nothing else.
func (w *World) Auto() []providers.Target {
	var all []providers.Target
	for _, name := range slices.Sorted(maps.Keys(w.engines)) {
		if w.engines[name].row.Name != embeddedType {
			all = append(all, w.engines[name].chatModels()...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.providers)) {
		p := w.providers[name]
		for _, pick := range []func(string) (string, bool){catalog.Small, catalog.Large} {
			if model, ok := pick(p.row.Name); ok {
				all = append(all, p.target(w.Book, model))
			}
		}
	}
	if len(all) > 0 {
		return all
	}
	if t, ok := w.demo(); ok {
		return []providers.Target{t}
	}
	return nil
}

// demo is the embedded engine's model, where that engine runs.
func (w *World) demo() (providers.Target, bool) {
	for _, name := range slices.Sorted(maps.Keys(w.engines)) {
		if e := w.engines[name]; e.row.Name == embeddedType {
			return e.lookup(w.Book, demoModel)
		}
	}
	return providers.Target{}, false
}
