package flow

import (
	"time"

	"farthing/gateway/flow/send"
	"farthing/policies/budget"
	"farthing/policies/route"
	"farthing/policies/route/names"
	"farthing/providers"
	"farthing/providers/catalog"
)

// State is one loaded file, compiled. It never changes: a new file is a new
// State, and requests on their way keep the one they began with.
type State struct {
	Names     *names.Table
	Rules     *route.Rules
	Tree      *budget.Tree
	Book      *catalog.Book
	Conns     map[string]*send.Conn // by provider or engine
	Zone      *time.Location        // of windows, and of hour and weekday in `when`
	Open      bool                  // this machine needs no key
	Unbounded Unbounded
	// LikeDearest is the file's prices.unknown_model: like_dearest_of_provider.
	LikeDearest bool
}

// Unbounded is the file's prices.no_upper_bound: what is held for server tools
// that nothing bounds.
type Unbounded struct {
	Refuse bool
	Hold   providers.Money
}
