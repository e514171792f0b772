package key

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"farthing/providers"
)

// RefreshEvery is how often a Ring asks the store for changed keys: a revoked
// key is refused by every replica within five seconds while the store is up.
const RefreshEvery = 2 * time.Second

// What a flood of guesses may cost: unknown keys are remembered as such for
// strangerFor, maxStrangers of them at once, and of those that are not
// remembered maxAsked in each RefreshEvery reach the store.
const (
	maxStrangers = 10_000
	strangerFor  = 5 * time.Second
	maxAsked     = 1000
	askTimeout   = 2 * time.Second
)

// Ring holds all keys in memory: those of the file and those of the store. A
// lookup reads one atomic pointer and hashes once; the store is asked only for
// keys that nobody here has seen. Known keys go on working while the store is
// away, for as long as that lasts.
type Ring struct {
	store Store
	clock func() time.Time
	log   *slog.Logger

	keys atomic.Pointer[ringKeys]
	down atomic.Bool // the last question to the store was not answered

	refreshing sync.Mutex // one Refresh at a time: an older answer must not come after a newer one

	mu        sync.Mutex // guards what follows and the writing of keys
	file      File
	stored    map[Hash]*Key
	version   int64
	strangers map[Hash]time.Time
	asked     int       // questions to the store since askedFrom
	askedFrom time.Time // at most RefreshEvery ago
}

// ringKeys is one state of the ring; it never changes.
type ringKeys struct {
	byHash   map[Hash]*Key
	local    *Key
	defaults Defaults
}

// NewRing makes a ring over a store with the keys of a file.
func NewRing(store Store, file File, clock func() time.Time, log *slog.Logger) *Ring {
	r := &Ring{store: store, clock: clock, log: log, stored: map[Hash]*Key{}, strangers: map[Hash]time.Time{}}
	r.Load(file)
	return r
}

// Load puts another file's keys and defaults in the place of the last one's.
func (r *Ring) Load(file File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.file = file
	r.publish()
}

// publish makes what is known visible to lookups. The file wins for what it
// names. r.mu is held.
func (r *Ring) publish() {
	next := &ringKeys{byHash: make(map[Hash]*Key, len(r.stored)+len(r.file.Keys)), local: r.file.Local, defaults: r.file.Defaults}
	for h, k := range r.stored {
		next.byHash[h] = k
	}
	for _, k := range r.file.Keys {
		next.byHash[k.Hash] = k
	}
	r.keys.Store(next)
}

// Local is the key of requests from this machine without one.
func (r *Ring) Local() *Key { return r.keys.Load().local }

// Lookup finds the key of a secret. The error is a *providers.Error:
// Unauthenticated for a key that is unknown, revoked or expired, Unavailable
// for one that nobody here knows while the store cannot be asked.
func (r *Ring) Lookup(ctx context.Context, secret string) (*Key, error) {
	h := HashOf(secret)
	k := r.keys.Load().byHash[h]
	if k == nil {
		var err error
		if k, err = r.ask(ctx, h); err != nil {
			return nil, err
		}
	}
	switch {
	case !k.Revoked.IsZero():
		return nil, unauthenticated("key_revoked", "the key "+k.Name+" was revoked")
	case !k.Expires.IsZero() && !r.clock().Before(k.Expires):
		return nil, unauthenticated("key_expired", "the key "+k.Name+" expired on "+k.Expires.Format(time.DateOnly))
	}
	return k, nil
}

func unauthenticated(code, message string) error {
	return &providers.Error{Kind: providers.Unauthenticated, Code: code, Message: message}
}

// ask looks for a key that this process has not seen.
func (r *Ring) ask(ctx context.Context, h Hash) (*Key, error) {
	if err := r.mayAsk(h); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	k, found, err := r.store.GetKey(ctx, h)
	if err != nil {
		return nil, &providers.Error{
			Kind: providers.Unavailable, Code: "store_unavailable", RetryAfter: 5 * time.Second, Cause: err,
			Message: "the key is not known here and the store cannot be asked",
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !found {
		if len(r.strangers) >= maxStrangers {
			clear(r.strangers)
		}
		r.strangers[h] = r.clock()
		return nil, unknown()
	}
	if r.stored[h] == nil { // else a Refresh has read it meanwhile, perhaps revoked
		r.stored[h] = &k
		r.publish()
	}
	return r.keys.Load().byHash[h], nil
}

func unknown() error {
	return unauthenticated("invalid_api_key", "the key is not known: make one with `farthing keys create`")
}

// mayAsk keeps guesses from the store.
func (r *Ring) mayAsk(h Hash) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	if seen, ok := r.strangers[h]; ok && now.Sub(seen) < strangerFor {
		return unknown()
	}
	if now.Sub(r.askedFrom) >= RefreshEvery {
		r.asked, r.askedFrom = 0, now
	}
	if r.asked >= maxAsked {
		return &providers.Error{
			Kind: providers.Unavailable, Code: "too_many_unknown_keys", RetryAfter: RefreshEvery,
			Message: "the key is not known here and too many such keys are being tried",
		}
	}
	r.asked++
	return nil
}

// Refresh reads the keys that changed in the store since the last time. A store
// that came back behind is read whole.
func (r *Ring) Refresh(ctx context.Context) error {
	r.refreshing.Lock()
	defer r.refreshing.Unlock()
	r.mu.Lock()
	since := r.version
	r.mu.Unlock()
	changed, version, err := r.store.ChangedKeys(ctx, since)
	if err == nil && version < since {
		changed, version, err = r.store.ChangedKeys(ctx, 0)
	}
	if r.down.Swap(err != nil) != (err != nil) {
		if err != nil {
			r.log.Warn("the store of keys cannot be reached: known keys go on working", "error", err)
		} else {
			r.log.Info("the store of keys answers again")
		}
	}
	if err != nil || len(changed) == 0 && version == since {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range changed {
		if old := r.stored[k.Hash]; old != nil && !old.Revoked.IsZero() {
			k.Revoked = old.Revoked // for good, whatever a store has lost
		}
		r.stored[k.Hash] = &k
	}
	r.version = version
	r.publish()
	return nil
}

// Run refreshes the ring until ctx ends.
func (r *Ring) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			limited, cancel := context.WithTimeout(ctx, askTimeout)
			_ = r.Refresh(limited) // reported by Refresh when it changes
			cancel()
		}
	}
}

// Count is how many keys could be used now.
func (r *Ring) Count() (n int) {
	now := r.clock()
	for _, k := range r.keys.Load().byHash {
		if k.Revoked.IsZero() && (k.Expires.IsZero() || now.Before(k.Expires)) {
			n++
		}
	}
	return n
}

// Allowed lists the names that a key may use, as patterns with one * each; none
// means every name. What the key does not say, the defaults say.
func (r *Ring) Allowed(k *Key) []string {
	if len(k.MayUse) > 0 {
		return k.MayUse
	}
	return r.keys.Load().defaults.MayUse
}

// MayUse says whether a key may send this model name.
func (r *Ring) MayUse(k *Key, model string) bool {
	allowed := r.Allowed(k)
	return len(allowed) == 0 || slices.ContainsFunc(allowed, func(p string) bool { return matches(p, model) })
}

// matches compares a name with a pattern of at most one *.
func matches(pattern, name string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == name
	}
	return len(name) >= len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
}
