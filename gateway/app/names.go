package app

import (
	"maps"
	"slices"
	"strings"

	"farthing/policies/route/names"
	"farthing/providers"
	"farthing/providers/catalog"
)

// catalogOf is what names can stand for in this world.
func (w *world) catalogOf() names.Catalog {
	return names.Catalog{
		Lookup:       w.lookup,
		Configured:   w.configured,
		EngineModels: w.engineModels,
		Bare:         w.bare,
		Names:        w.bareNames,
		Auto:         w.auto,
		Demo:         w.demo,
	}
}

func (w *world) configured(name string) bool {
	return w.providers[name] != nil || w.engines[name] != nil
}

func (w *world) lookup(target string) (providers.Target, bool) {
	owner, model, ok := providers.SplitTarget(target)
	if !ok || model == "" {
		return providers.Target{}, false
	}
	if e := w.engines[owner]; e != nil {
		return e.lookup(w.book, model)
	}
	if p := w.providers[owner]; p != nil {
		return p.target(w.book, model), true
	}
	return providers.Target{}, false
}

func (w *world) engineModels(name string) ([]providers.Target, bool) {
	e := w.engines[name]
	if e == nil {
		return nil, false
	}
	return e.chatModels(), true
}

// bare places a catalog name: at its maker's own API, and at the other
// configured providers that have it.
func (w *world) bare(model string) (own string, others []string) {
	maker, hasMaker := w.book.Maker(model)
	for _, name := range slices.Sorted(maps.Keys(w.providers)) {
		p := w.providers[name]
		switch _, has := w.book.Entry(p.row.Name, model); {
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
func (w *world) bareNames() []string {
	var all []string
	for _, e := range w.book.Entries() {
		p := w.providers[e.Provider]
		if p == nil || e.Can == nil || e.Can.Mode != "chat" {
			continue
		}
		if maker, ok := w.book.Maker(e.Model); ok && maker == e.Provider {
			all = append(all, e.Model)
		}
	}
	return all
}

// targets are those that the file's models stand for; where it has none, those
// of `auto`. Models that are patterns stand for whatever is asked and are left
// out.
func (s *serving) targets() []*providers.Target {
	var all []*providers.Target
	add := func(t *providers.Target) {
		if !slices.ContainsFunc(all, func(o *providers.Target) bool { return o.Name == t.Name }) {
			all = append(all, t)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.loaded.File.Models)) {
		if model, err := s.state.Names.Resolve(name); err == nil && !strings.Contains(name, "*") {
			for _, t := range model.Targets {
				add(t)
			}
		}
	}
	if s.loaded.File.Models == nil {
		for _, t := range s.world.auto() {
			add(&t)
		}
	}
	return all
}

// auto are the candidates of `auto` without a `models` section: the chat models
// of every engine, and the small and the large model of each provider. The
// demonstration model stands in only where there is nothing else.
func (w *world) auto() []providers.Target {
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
				all = append(all, p.target(w.book, model))
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
func (w *world) demo() (providers.Target, bool) {
	for _, name := range slices.Sorted(maps.Keys(w.engines)) {
		if e := w.engines[name]; e.row.Name == embeddedType {
			return e.lookup(w.book, demoModel)
		}
	}
	return providers.Target{}, false
}
