package app

import (
	"strings"

	"farthing/gateway/config"
	"farthing/gateway/flow"
	"farthing/policies/budget"
	"farthing/policies/ledger"
	"farthing/policies/route"
	"farthing/policies/route/names"
	"farthing/providers"
	"farthing/providers/catalog"
)

// compile makes what serves from a file and a world. All mistakes come back
// together; the state is usable if none of them is an error.
func compile(file *config.File, w *world) (*flow.State, []providers.Problem) {
	s := &flow.State{Book: w.book, Conns: w.conns(), Zone: file.Location(), Open: file.Server.Open() && loopbackOnly(file)}
	var all []providers.Problem
	keep := func(found []providers.Problem) { all = append(all, found...) }
	var found []providers.Problem
	s.Names, found = names.Compile(file.Models, w.catalogOf())
	keep(found)
	s.Rules, found = route.Compile(file.Policies, w.configured)
	keep(found)
	s.Tree, found = budget.Compile(file.Budgets, file.Location())
	keep(found)
	keep(unpriced(file, w))
	if _, err := ledger.ParseWhenDown(file.Store.WhenDown.Paid); err != nil {
		keep([]providers.Problem{providers.Problemf("store.when_down.paid", "%v", err)})
	}
	keep(s.prices(file))
	return s, all
}

// unpriced finds the paid targets that the file names and nobody has a price
// for.
func unpriced(file *config.File, w *world) (all []providers.Problem) {
	if file.Prices.UnknownModel == "like_dearest_of_provider" {
		return nil
	}
	for name, m := range file.Models {
		for i, from := range m.From {
			if strings.Contains(from, "*") {
				continue
			}
			t, ok := w.lookup(from)
			if !ok || t.SelfHosted {
				continue
			}
			if row, ok := w.book.For(t, now()); !ok || !row.Priced() {
				all = append(all, providers.Problemf(pathOf(name, i), "%s has no price: add prices: {rows: [{target: %s, input: …, output: …}]} in dollars per million tokens", from, from))
			}
		}
	}
	return all
}

// book is the embedded price book with the file's rows over it.
func book(file *config.File) (*catalog.Book, []providers.Problem) {
	b, problems := catalog.Embedded().With(file.Prices.Rows)
	if b == nil {
		b = catalog.Embedded()
	}
	return b, problems
}
