package flow

import (
	"sync"
	"time"

	"farthing/localengine/capacity"
	"farthing/policies/budget"
	"farthing/policies/route"
	"farthing/policies/route/names"
	"farthing/providers"
	"farthing/providers/catalog"
	"farthing/providers/openai"
	"farthing/providers/upstream"
)

// State is one loaded file, compiled. It never changes: a new file is a new
// State, and requests on their way keep the one they began with.
type State struct {
	Names     *names.Table
	Rules     *route.Rules
	Tree      *budget.Tree
	Book      *catalog.Book
	Conns     map[string]*Conn // by provider or engine
	Zone      *time.Location   // of windows, and of hour and weekday in `when`
	Open      bool             // this machine needs no key
	Unbounded Unbounded
	// UnknownModel is the file's prices.unknown_model.
	LikeDearest bool
}

// Unbounded is the file's prices.no_upper_bound: what is held for server tools
// that nothing bounds.
type Unbounded struct {
	Refuse bool
	Hold   providers.Money
}

// Conn is how one provider or engine is reached. It lives as long as its part of
// the file stays the same, so that pools, breakers and an engine's queue survive
// a reload of the rest.
type Conn struct {
	Client *upstream.Client
	Path   string // of the chat endpoint, below the client's base URL
	Quirks openai.Quirks
	// CancelStopsBilling says whether a request that is cut off is billed only
	// for what it had generated.
	CancelStopsBilling providers.Answer
	Gate               *capacity.Gate // of an engine; nil for paid APIs
	Ready              func() error   // why an engine of ours is not up yet; nil where that is not ours to know

	mu       sync.Mutex
	breakers map[string]*upstream.Breaker
}

// maxBreakers bounds the breakers of one provider. Targets past it share the
// one named "".
const maxBreakers = 1024

// Breaker is the breaker of one target.
func (c *Conn) Breaker(target string) *upstream.Breaker {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.breakers[target]; ok {
		return b
	}
	if len(c.breakers) >= maxBreakers {
		target = ""
	}
	if c.breakers == nil {
		c.breakers = map[string]*upstream.Breaker{}
	}
	if c.breakers[target] == nil {
		c.breakers[target] = upstream.NewBreaker(upstream.BreakerOptions{})
	}
	return c.breakers[target]
}
