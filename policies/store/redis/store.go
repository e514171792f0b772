// Package redis keeps the durable record in Redis or Valkey: the ledger's
// counters, keys, receipts, documents and the audit log. It is the only package
// that speaks to Redis.
//
// All of the ledger stands in the hash slot {f} and is written by one script,
// step.lua, which does inside the server what policies/ledger/core defines:
//
//	{f}:l            run, mark, applied; syncs: written before WAITAOF, which looks at writes alone
//	{f}:l:replicas   the set of replicas
//	{f}:r:<replica>  q last call, b last batch, boot, run, lease
//	{f}:h:<replica>  <node>|<label> → what the replica has
//	{f}:w:<node>|<label>  s settled, h Σ of what replicas have, e the window's end; no expiry
//
// Beside it: {k}:keys, {k}:changed and {k}:version (keys), {r}:time and {r}:body
// (receipts), {d}:documents and {d}:audit.
//
// Start with Open, then Store.Step.
package redis

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"farthing/policies/store"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Store is the durable record in one Redis. It is safe for concurrent use.
type Store struct {
	client *goredis.Client
	level  atomic.Int32 // the durability found by Describe or Durable, as a durability
}

// silence keeps the client from writing to standard error on its own: what goes
// wrong is in the errors returned.
var silence = sync.OnceFunc(func() { goredis.SetLogger(silent{}) })

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// Open reads the URL (redis://, rediss:// or unix://) and asks for a first
// answer. A URL that cannot be read is an error without a Store. A Redis that
// does not answer is an error with a Store that works as soon as Redis does:
// the caller may start without it, since self-hosted targets need no store.
func Open(ctx context.Context, url string) (*Store, error) {
	options, err := goredis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("the store's URL: %w", err)
	}
	silence()
	options.MaxRetries = -1 // a repeated step is refused as stale; whoever calls knows better when to try again
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	options.DialerRetries = 1
	if options.DialTimeout == 0 {
		options.DialTimeout = time.Second
	}
	s := &Store{client: goredis.NewClient(options)}
	return s, s.Ping(ctx)
}

// Ping asks whether the store answers.
func (s *Store) Ping(ctx context.Context) error { return down(s.client.Ping(ctx).Err()) }

// Close ends the connections.
func (s *Store) Close() error { return s.client.Close() }

// down says of an error that the store did not do as asked.
func down(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", store.ErrDown, err)
}
