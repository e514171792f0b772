// Package baseline is the least that a gateway could do to keep a budget in
// Redis: one INCRBY for each request. It is the yardstick against which
// gateway/bench measures a hold and its settlement; nothing that serves uses it.
package baseline

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Counter is one key of a Redis.
type Counter struct{ client *goredis.Client }

// Open connects to the Redis of a URL and has one connection for each client.
func Open(ctx context.Context, url string, clients int) (*Counter, error) {
	options, err := goredis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("the Redis for the yardstick: %w", err)
	}
	options.PoolSize = clients
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := &Counter{goredis.NewClient(options)}
	return c, c.Add(ctx, 0)
}

// Add adds to the counter and returns when Redis has answered.
func (c *Counter) Add(ctx context.Context, n int64) error {
	return c.client.IncrBy(ctx, "baseline", n).Err()
}

// Close ends the connections.
func (c *Counter) Close() error { return c.client.Close() }
