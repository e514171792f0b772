package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger/core"
	"farthing/policies/ledger/place"
	"farthing/providers"
)

// NodeState is what the store says of one limit of a node in its present window.
// Spent + Held + Unconfirmed + Left = Limit + Over.
type NodeState struct {
	Node        *budget.Node
	Limit       budget.Limit
	Window      string    // the window's label
	Resets      time.Time // zero: never
	Spent       providers.Money
	Held        providers.Money // open holds of live replicas, and settlements on their way
	Unconfirmed providers.Money // the same of replicas that do not call; charged all the same
	Left        providers.Money
	Over        providers.Money // what stands above the limit: an overrun, or a limit that was lowered
}

// Charged lists the nodes of a tree that can be shown: those of entries without
// `each`, and of the others those that were charged in a present window.
func (l *Ledger) Charged(ctx context.Context, tree *budget.Tree) ([]*budget.Node, error) {
	nodes := tree.Budgets()
	l.mu.Lock()
	at := l.storeTime(l.clock())
	l.mu.Unlock()
	for _, f := range tree.Families() {
		var names []string
		for _, w := range f.Windows {
			cells, err := l.store.Cells(ctx, f.Budget, w.At(at, tree.Zone()).Label)
			if err != nil {
				return nil, err
			}
			for _, c := range cells {
				name, _ := c.Split()
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			nodes = append(nodes, tree.Node(name))
		}
	}
	return nodes, nil
}

// readSize is how many cells are read at once.
const readSize = 1000

// State reads the state of every limit of some nodes from the store, in order.
func (l *Ledger) State(ctx context.Context, nodes []*budget.Node) ([]NodeState, error) {
	l.mu.Lock()
	at := l.storeTime(l.clock())
	var list []NodeState
	var cells []core.Cell
	for _, n := range nodes {
		for _, p := range l.windows.Of(n, at) {
			w, label := p.Present()
			list = append(list, NodeState{Node: n, Limit: p.Limit, Window: label, Resets: place.EndOf(w)})
			cells = append(cells, w.Cell)
		}
	}
	l.mu.Unlock()
	for from := 0; from < len(cells); from += readSize {
		to := min(from+readSize, len(cells))
		v, err := l.store.Read(ctx, cells[from:to])
		if err != nil {
			return nil, err
		}
		for i, x := range v.Cells {
			list[from+i].fill(x)
		}
	}
	return list, nil
}

func (s *NodeState) fill(x core.Reading) {
	s.Spent, s.Unconfirmed = providers.Money(x.Settled), providers.Money(x.Unconfirmed)
	s.Held = providers.Money(x.Has - x.Unconfirmed)
	left := s.Limit.Amount - providers.Money(x.Settled+x.Has)
	s.Left, s.Over = max(left, 0), max(-left, 0)
}

// Seen is what the store last said of every limit of some nodes in its present
// window. It asks nobody; a limit of which the store has not spoken is left out.
func (l *Ledger) Seen(now time.Time, nodes []*budget.Node) []NodeState {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.storeTime(now)
	var list []NodeState
	for _, n := range nodes {
		for _, p := range l.windows.Of(n, at) {
			if !p.Known {
				continue
			}
			w, label := p.Present()
			s := NodeState{Node: n, Limit: p.Limit, Window: label, Resets: place.EndOf(w)}
			s.fill(p.Reading)
			list = append(list, s)
		}
	}
	return list
}

// Left is what the tightest enforced limit of some nodes had left when the store
// last spoke of it. It asks nobody; known is false if the store has not spoken of
// any of them in the present window.
func (l *Ledger) Left(now time.Time, nodes []*budget.Node) (left providers.Money, node *budget.Node, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.storeTime(now)
	for _, n := range nodes {
		for _, p := range l.windows.Of(n, at) {
			if x := p.Left(p.Reading); p.Known && p.Enforced() && (!known || x < left) {
				left, node, known = x, n, true
			}
		}
	}
	return max(left, 0), node, known
}

// Ready returns when the ledger has joined its store and may draw.
func (l *Ledger) Ready(ctx context.Context) error {
	select {
	case <-l.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the ledger has not joined its store: %w", ctx.Err())
	}
}

// ParseWhenDown reads what paid targets may cost while the store cannot be
// reached: "refuse" (or nothing) is 0, "up to $50 per replica" that amount.
func ParseWhenDown(s string) (providers.Money, error) {
	if s == "" || s == "refuse" {
		return 0, nil
	}
	amount, isAmount := strings.CutPrefix(s, "up to ")
	amount, perReplica := strings.CutSuffix(amount, " per replica")
	if m, err := providers.ParseMoney(amount); isAmount && perReplica && err == nil && m > 0 {
		return m, nil
	}
	return 0, fmt.Errorf(`when_down: paid is "refuse" or "up to $50 per replica", not %q`, s)
}
