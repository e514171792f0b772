package key

import "context"

// Store keeps the keys that `farthing keys` makes, in Redis or in SQLite. A key
// is revoked by putting it again with Revoked set; nothing is ever deleted.
type Store interface {
	// PutKey writes the key under its Hash, replacing what was there, and raises
	// the store's key version by one.
	PutKey(ctx context.Context, k Key) error
	// GetKey reads one key. A key that is not there is false without an error;
	// an error means that the store could not be asked.
	GetKey(ctx context.Context, h Hash) (Key, bool, error)
	// ListKeys reads every key, revoked and expired ones too, in no set order.
	ListKeys(ctx context.Context) ([]Key, error)
	// ChangedKeys reads the keys put after the version since, and the version to
	// ask from next time. 0 asks for all.
	ChangedKeys(ctx context.Context, since int64) (changed []Key, version int64, err error)
}
