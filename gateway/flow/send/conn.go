package send

import (
	"sync"

	"farthing/localengine/capacity"
	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/upstream"
)

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
	Discount           providers.Percent // off the price book, as negotiated
	Gate               *capacity.Gate    // of an engine; nil for paid APIs
	Ready              func() error      // why an engine of ours is not up yet; nil where that is not ours to know

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
