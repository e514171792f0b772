// Package place finds the limits that a request meets: for each budget node the
// cells of its windows, by the store's time. It keeps them while nodes are in
// use, together with what the store last said of them.
//
// Start with Windows.Of.
package place

import (
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger/core"
	"farthing/providers"
)

// Place is one limit of a node, in its present window and the next, with what
// the store last said of it.
type Place struct {
	Node  *budget.Node
	Limit budget.Limit

	Known   bool         // whether the store has said anything of the present window
	Reading core.Reading // what it said last

	windows [2]core.Window // present and next
	label   string         // of the present one
}

// Enforced says that the place refuses what does not fit.
func (p *Place) Enforced() bool { return p.Node.Enforced() }

// Wire is the place as a draw names it.
func (p *Place) Wire() core.Place {
	w := core.Place{Limit: core.Unlimited, Now: p.windows[0], Next: p.windows[1]}
	if p.Enforced() {
		w.Limit = int64(p.Limit.Amount)
	}
	return w
}

// Present is the place's window at the time it was found for, and its label.
func (p *Place) Present() (core.Window, string) { return p.windows[0], p.label }

// Saw keeps what the store said of a cell, if it is still the present window's.
func (p *Place) Saw(cell core.Cell, r core.Reading) {
	if cell == p.windows[0].Cell {
		p.Known, p.Reading = true, r
	}
}

// Left is what a reading leaves of the limit; negative when it is past it.
func (p *Place) Left(r core.Reading) providers.Money {
	return p.Limit.Amount - providers.Money(r.Settled+r.Has)
}

// Windows keeps the places of every node in use, so that a window's label is
// made once in a window and not for every request.
type Windows struct {
	zone  *time.Location
	nodes map[*budget.Node]*nodePlaces
	limit int // of entries, before unused ones are dropped
}

type nodePlaces struct {
	places []*Place
	used   time.Time
}

// keepNodes is how many nodes are kept before unused ones are looked for.
const keepNodes = 10_000

// New keeps nothing yet; windows go by zone.
func New(zone *time.Location) *Windows {
	return &Windows{zone: zone, nodes: map[*budget.Node]*nodePlaces{}, limit: keepNodes}
}

// Of returns a node's places at a time of the store.
func (w *Windows) Of(n *budget.Node, at time.Time) []*Place {
	np := w.nodes[n]
	if np == nil {
		w.dropUnused(at)
		np = &nodePlaces{places: newPlaces(n)}
		w.nodes[n] = np
	}
	np.used = at
	millis := at.UnixMilli()
	for _, p := range np.places {
		if millis < p.windows[0].Start || millis >= p.windows[0].End {
			p.move(at, w.zone)
		}
	}
	return np.places
}

// newPlaces makes one place for each window of a node's limits. Where two limits
// name the same window the lower one is all there is.
func newPlaces(n *budget.Node) []*Place {
	var list []*Place
next:
	for _, l := range n.Limits {
		for _, p := range list {
			if p.Limit.Window == l.Window {
				p.Limit.Amount = min(p.Limit.Amount, l.Amount)
				continue next
			}
		}
		list = append(list, &Place{Node: n, Limit: l})
	}
	return list
}

// move puts the place into the window of a time, and the one after it.
func (p *Place) move(at time.Time, zone *time.Location) {
	p.Known, p.Reading = false, core.Reading{}
	span := p.Limit.Window.At(at, zone)
	p.windows[0], p.label = window(p.Node, span), span.Label
	p.windows[1] = p.windows[0]
	if !span.End.IsZero() {
		p.windows[1] = window(p.Node, p.Limit.Window.Next(span, zone))
	}
}

func window(n *budget.Node, s budget.Span) core.Window {
	w := core.Window{Cell: core.CellOf(n.Name, s.Label), End: core.Forever}
	if !s.Start.IsZero() {
		w.Start = s.Start.UnixMilli()
	}
	if !s.End.IsZero() {
		w.End = s.End.UnixMilli()
	}
	return w
}

// dropUnused forgets nodes that no request has named for ten minutes, nodes of a
// file that was replaced among them, once there are twice as many as were left
// the last time.
func (w *Windows) dropUnused(at time.Time) {
	if len(w.nodes) < w.limit {
		return
	}
	for n, np := range w.nodes {
		if at.Sub(np.used) > 10*time.Minute {
			delete(w.nodes, n)
		}
	}
	w.limit = max(keepNodes, 2*len(w.nodes))
}

// EndOf is a window's end; zero for one that has none.
func EndOf(w core.Window) time.Time {
	if w.End == core.Forever {
		return time.Time{}
	}
	return time.UnixMilli(w.End).UTC()
}
