package budget

// Node is one counter of the tree: a budget entry without `each`, or one value
// of an entry with it. Its name is its identity, unique within the file. The
// Tree usually gives the same pointer for the same name, which makes a map by
// pointer a good cache; but it remembers a bounded number of nodes, so after
// very many other values the same name may come back as another pointer with
// equal contents.
type Node struct {
	Name   string // company, people/ada, teams/(none)
	Budget string // the entry's name in the file
	Limits Limits // with `except` applied; each window is a cell of its own
	Config *Config
}

// Enforced says whether the node's limits refuse holds. One of `mode: warn`
// counts and alerts only.
func (n *Node) Enforced() bool { return n.Config.Mode != "warn" }

// WhenSpent says what happens once the node is spent, defaults filled in.
func (n *Node) WhenSpent() WhenSpent { return n.Config.spent() }

// What WhenSpent.Action may be.
const (
	SelfHosted = "self_hosted" // self-hosted targets of the same model serve
	Refuse     = "refuse"      // nothing does
)

// spent fills in the default of `when_spent`: self_hosted, or refuse where
// self-hosted targets need money as well.
func (c *Config) spent() WhenSpent {
	switch {
	case c.WhenSpent != WhenSpent{}:
		return c.WhenSpent
	case c.Charge == "paid_and_own":
		return WhenSpent{Action: Refuse}
	}
	return WhenSpent{Action: SelfHosted}
}

// Strictest is the rule that holds when several spent budgets disagree: refuse
// before a model before self_hosted. Of two models the first wins, which in the
// order of a Path is the one nearer to the root. Of none it is self_hosted.
func Strictest(rules []WhenSpent) WhenSpent {
	strictest := WhenSpent{Action: SelfHosted}
	for _, rule := range rules {
		if rule.Action == Refuse {
			return rule
		}
		if rule.Model != "" && strictest.Model == "" {
			strictest = rule
		}
	}
	return strictest
}
