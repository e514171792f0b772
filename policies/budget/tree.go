package budget

import (
	"maps"
	"slices"
	"strings"
	"time"

	"farthing/policies/match"
)

// Tree is the compiled `budgets` section. It is immutable but for its memory of
// nodes and safe for concurrent use.
type Tree struct {
	zone        *time.Location
	entries     []entry // parents before children
	needsTarget bool
}

// entry is one budget of the file.
type entry struct {
	name   string
	config *Config
	parent int // index into entries; -1: none
	when   *match.Program
	each   dimension // nil: one node
	single *Node
	nodes  *interned
}

// dimension takes the value that `each` names out of a request's values.
type dimension func(v *match.Vars) string

// dimensions are the words of `each` besides tags.NAME.
var dimensions = map[string]dimension{
	"key":     func(v *match.Vars) string { return v.Key },
	"user":    func(v *match.Vars) string { return v.User },
	"team":    func(v *match.Vars) string { return v.Team },
	"session": func(v *match.Vars) string { return v.Session },
	"model":   func(v *match.Vars) string { return v.Model },
	"target":  func(v *match.Vars) string { return v.Target },
}

// dimensionOf finds what `each` names; false: there is no such word.
func dimensionOf(each string) (dimension, bool) {
	if name, ok := strings.CutPrefix(each, "tags."); ok {
		return func(v *match.Vars) string { return v.Tags[name] }, name != ""
	}
	d, ok := dimensions[each]
	return d, ok
}

// Zone is the time zone that the windows of this tree go by.
func (t *Tree) Zone() *time.Location { return t.zone }

// NeedsTarget says whether a path can depend on the target that will bill: then
// each candidate has a path of its own.
func (t *Tree) NeedsTarget() bool { return t.needsTarget }

// Uses says whether any budget's `when` mentions the variable, so that nothing
// is estimated that no budget asks for.
func (t *Tree) Uses(variable string) bool {
	for i := range t.entries {
		if w := t.entries[i].when; w != nil && w.Uses(variable) {
			return true
		}
	}
	return false
}

// Budgets lists the nodes of all entries without `each`, parents first: what
// can be shown before any request has come.
func (t *Tree) Budgets() []*Node {
	var nodes []*Node
	for i := range t.entries {
		if n := t.entries[i].single; n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Family is an entry with `each`: its nodes are known once they were charged.
type Family struct {
	Budget  string
	Windows []Window // of all its limits, exceptions included, each once
}

// Families lists the entries with `each`, parents first.
func (t *Tree) Families() []Family {
	var all []Family
	for _, e := range t.entries {
		if e.single != nil {
			continue
		}
		f := Family{Budget: e.name}
		for _, limits := range append(slices.Collect(maps.Values(e.config.Except)), e.config.Limit) {
			for _, l := range limits {
				if !slices.Contains(f.Windows, l.Window) {
					f.Windows = append(f.Windows, l.Window)
				}
			}
		}
		all = append(all, f)
	}
	return all
}

// Node is the node of this name (company, people/ada); nil if the file has no
// such budget.
func (t *Tree) Node(name string) *Node {
	entry, shown, one := strings.Cut(name, "/")
	for i := range t.entries {
		if e := &t.entries[i]; e.name == entry && one == (e.single == nil) {
			return e.named(shown)
		}
	}
	return nil
}

// Path is every node that a request charges: those whose `when` holds, and all
// their ancestors whatever the ancestors' `when`, each once, parents before
// children, otherwise by name. A `when` that fails when evaluated holds: a
// budget that cannot be judged must not be dodged.
func (t *Tree) Path(v *match.Vars) []*Node {
	var some [64]bool
	charged := some[:0:len(some)]
	if len(t.entries) > len(some) {
		charged = make([]bool, 0, len(t.entries))
	}
	charged = charged[:len(t.entries)]
	count := 0
	for i := len(t.entries) - 1; i >= 0; i-- {
		e := &t.entries[i]
		if !charged[i] && !e.holds(v) {
			continue
		}
		charged[i] = true
		count++
		if e.parent >= 0 {
			charged[e.parent] = true
		}
	}
	if count == 0 {
		return nil
	}
	path := make([]*Node, 0, count)
	for i := range t.entries {
		if !charged[i] {
			continue
		}
		value := ""
		if each := t.entries[i].each; each != nil {
			value = each(v)
		}
		path = append(path, t.entries[i].node(value))
	}
	return path
}

func (e *entry) holds(v *match.Vars) bool {
	if e.when == nil {
		return true
	}
	holds, err := e.when.Match(v)
	return holds || err != nil
}

// node is the entry's node for a value of its `each`.
func (e *entry) node(value string) *Node {
	if e.single != nil {
		return e.single
	}
	return e.named(nodeValue(value))
}

// named is the entry's node for a value as names show it.
func (e *entry) named(shown string) *Node {
	if e.single != nil {
		return e.single
	}
	return e.nodes.get(shown, func(shown string) *Node {
		limits := Limits(e.config.Limit)
		for value, except := range e.config.Except {
			if value != "" && nodeValue(value) == shown {
				limits = except
			}
		}
		return &Node{Name: e.name + "/" + shown, Budget: e.name, Limits: limits, Config: e.config}
	})
}
