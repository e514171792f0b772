package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"farthing/gateway/config"
	"farthing/gateway/record"
	"farthing/policies/key"
	"farthing/policies/ledger"
	"farthing/policies/store"
	"farthing/policies/store/redis"
	"farthing/policies/store/sqlite"
)

// storeFile is the SQLite file in the data folder.
const storeFile = "farthing.db"

// backend is the durable record, in Redis or in a SQLite file: what its users
// ask of it together.
type backend interface {
	ledger.Store
	key.Store
	record.Log
	documents
	upkeep
}

// upkeep is how a store is looked at and left.
type upkeep interface {
	Ping(ctx context.Context) error
	Describe(ctx context.Context) (level string, warnings []string, err error)
	AppendAudit(ctx context.Context, line []byte) error
	Close() error
}

// openStore opens the file's store. One that cannot be reached now is no error:
// self-hosted targets serve without it, and down says why it is away.
func openStore(ctx context.Context, file *config.File) (s backend, down, err error) {
	if file.Store.Redis.IsZero() {
		s, err := sqlite.Open(filepath.Join(file.Data, storeFile))
		if err != nil {
			return nil, nil, err
		}
		return s, nil, nil
	}
	url, err := file.Store.Redis.Resolve()
	if err != nil {
		return nil, nil, fmt.Errorf("store.redis: %w", err)
	}
	r, err := redis.Open(ctx, url)
	if r == nil {
		return nil, nil, fmt.Errorf("store.redis: %w", err)
	}
	return r, err, nil
}

// describe says how durable the store is. The error means that it may not be
// used; a store that is away is described as such.
func describe(ctx context.Context, s backend) (string, []string, error) {
	line, warnings, err := s.Describe(ctx)
	if errors.Is(err, store.ErrDown) {
		return "cannot be reached now: nothing that costs money is sent until it is", []string{err.Error()}, nil
	}
	return line, warnings, err
}
