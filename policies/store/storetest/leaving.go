package storetest

import (
	"context"
	"testing"
	"time"

	"farthing/policies/ledger"
)

// leaving has ledgers come and go at once on a new store, as commands do: none
// may be left behind half known, which would make the next one wait a lease.
func leaving(t *testing.T, s Store) {
	for range 5 {
		closed(t, ledger.New(s, ledger.Options{}))
	}
	l := ledger.New(s, ledger.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := l.Ready(ctx); err != nil {
		t.Error(err)
	}
	closed(t, l)
}
