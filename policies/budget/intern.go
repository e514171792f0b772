package budget

import (
	"strings"
	"sync"
	"sync/atomic"
)

// generation is how many values of one entry are remembered before the older
// half is dropped. An entry thus keeps at most twice as many nodes, some
// megabytes, however many sessions or tags clients invent.
const generation = 8192

// interned remembers the nodes of an entry by the value in their name. It keeps
// two generations: what was not asked for during a whole generation is dropped.
// Reading takes no lock.
type interned struct{ current atomic.Pointer[generations] }

type generations struct {
	young, old *sync.Map // value → *Node
	count      atomic.Int64
}

func newInterned() *interned {
	n := &interned{}
	n.current.Store(&generations{young: &sync.Map{}, old: &sync.Map{}})
	return n
}

// get finds the node of a value, or makes it and remembers it.
func (n *interned) get(value string, create func(value string) *Node) *Node {
	g := n.current.Load()
	if node, ok := g.young.Load(value); ok {
		return node.(*Node)
	}
	node, ok := g.old.Load(value)
	value = strings.Clone(value) // it may be a piece of a request's whole body
	if !ok {
		node = create(value)
	}
	node, known := g.young.LoadOrStore(value, node)
	if !known && g.count.Add(1) >= generation {
		// Whoever comes first turns the page; the others' turn then fails.
		n.current.CompareAndSwap(g, &generations{young: &sync.Map{}, old: g.young})
	}
	return node.(*Node)
}
