package budget

// Node is one live counter of the tree: a budget entry without `each`, or one
// value of an entry with it. Nodes are interned by the Tree: the same name is
// the same pointer while a file is loaded.
type Node struct {
	Name   string // company, people/ada, teams/(none)
	Budget string // the entry's name in the file
	Limits Limits // with `except` applied; each window is a cell of its own
	Config *Config
}
