// Package storetest proves that a store does what the rest of Farthing counts
// on. Run holds its ledger against policies/ledger/core step by step, then lets
// many goroutines and several ledgers loose on it, and checks what it keeps
// beside: keys, receipts, documents and the audit log. The Redis and the SQLite
// store both pass it.
//
// Redis starts a real redis-server for a test.
package storetest

import (
	"context"
	"testing"

	"farthing/policies/key"
	"farthing/policies/ledger"
	"farthing/policies/store"
)

// Receipts is the part of a store that keeps receipts.
type Receipts interface {
	AppendReceipts(ctx context.Context, list []store.StoredReceipt) error
	Receipt(ctx context.Context, id string) (store.StoredReceipt, bool, error)
	Receipts(ctx context.Context, before string, limit int) ([]store.StoredReceipt, error)
}

// Documents is the part that keeps small documents and the audit log.
type Documents interface {
	Document(ctx context.Context, name string) ([]byte, bool, error)
	PutDocument(ctx context.Context, name string, body []byte) error
	AppendAudit(ctx context.Context, line []byte) error
	Audit(ctx context.Context, limit int) ([][]byte, error)
}

// Lifetime is how a store is looked at and left.
type Lifetime interface {
	Ping(ctx context.Context) error
	Describe(ctx context.Context) (string, []string, error)
	Close() error
}

// Faults is how the tests hurt a store.
type Faults interface {
	// Crash makes the store come back in another run, with all its data.
	Crash(ctx context.Context) error
	// Lapse lets the lease of a replica lapse.
	Lapse(ctx context.Context, replica string) error
}

// Store is all that is proven of a store.
type Store interface {
	ledger.Store
	key.Store
	Receipts
	Documents
	Lifetime
	Faults
}

// Run proves a store. open makes an empty one each time; a store is closed
// before the next is opened.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Run("steps", func(t *testing.T) { steps(t, open) })
	t.Run("lease", func(t *testing.T) { lapsedLease(t, opened(t, open)) })
	t.Run("hot budget", func(t *testing.T) { hotBudget(t, opened(t, open)) })
	t.Run("replicas", func(t *testing.T) { replicas(t, opened(t, open)) })
	t.Run("crash", func(t *testing.T) { crash(t, opened(t, open)) })
	t.Run("refusal", func(t *testing.T) { refusal(t, opened(t, open)) })
	t.Run("leaving", func(t *testing.T) { leaving(t, opened(t, open)) })
	t.Run("charged", func(t *testing.T) { charged(t, opened(t, open)) })
	t.Run("keys", func(t *testing.T) { keys(t, opened(t, open)) })
	t.Run("receipts", func(t *testing.T) { receipts(t, opened(t, open)) })
	t.Run("documents", func(t *testing.T) { documents(t, opened(t, open)) })
}

func opened(t *testing.T, open func(t *testing.T) Store) Store {
	t.Helper()
	s := open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}
