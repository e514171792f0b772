// Package sqlite keeps the durable record in one SQLite file, for a gateway
// without Redis: the ledger's counters, keys, receipts, documents and the audit
// log. It is the only package that speaks to SQLite (modernc.org/sqlite, pure
// Go).
//
// One process owns the file: it holds a lock beside it (<file>.lock, itself an
// SQLite file whose lock the system drops when the process ends). A commit is
// durable when it returns (WAL, synchronous=FULL), so there is no recovery. The
// ledger's step is policies/ledger/core's own, run inside a transaction on the
// rows that the step names.
//
// Start with Open, then Store.Step.
package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"farthing/policies/store"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

//go:embed schema.sql
var schema string

// Store is the durable record in one file. It is safe for concurrent use.
type Store struct {
	path string
	lock *sql.DB // holds <file>.lock
	db   *sql.DB // one connection, which alone writes
	read *sql.DB // some connections that only read
	run  string  // the file's own name for itself: its run never changes

	prepared map[string]*sql.Stmt // the step's statements, on db
}

// Open opens the file and makes it if it is not there; its folder must exist. A
// file that another process has open is an error that names it.
func Open(path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the store's file %s: %w", path, err)
	}
	s := &Store{path: path}
	if err := s.open(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if s.lock, err = connect(s.path+".lock", 1, "_pragma=locking_mode(EXCLUSIVE)"); err != nil {
		return err
	}
	if err := s.takeLock(); err != nil {
		return err
	}
	const durable = "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate"
	if s.db, err = connect(s.path, 1, durable); err != nil {
		return err
	}
	if _, err := s.db.ExecContext(context.Background(), schema); err != nil {
		return fmt.Errorf("the store's file %s: %w", s.path, err)
	}
	if err := s.db.QueryRowContext(context.Background(), `SELECT file FROM ledger`).Scan(&s.run); err != nil {
		return fmt.Errorf("the store's file %s: %w", s.path, err)
	}
	if err := s.prepare(); err != nil {
		return fmt.Errorf("the store's file %s: %w", s.path, err)
	}
	s.read, err = connect(s.path, 4, "_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	return err
}

// connect opens a pool of connections that stay open.
func connect(path string, connections int, options string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+options)
	if err != nil {
		return nil, fmt.Errorf("the store's file %s: %w", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// takeLock writes to the lock's file. In exclusive locking mode the lock that
// takes is kept until the connection ends.
func (s *Store) takeLock() error {
	const take = `BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS locked (x); COMMIT`
	_, err := s.lock.ExecContext(context.Background(), take)
	var code *driver.Error
	switch {
	case errors.As(err, &code) && code.Code()&0xff == lib.SQLITE_BUSY:
		return fmt.Errorf("the store's file %s is in use by another farthing process: stop that one, "+
			"give this one its own `data` folder, or set `store.redis` so that several share a store", s.path)
	case err != nil:
		return fmt.Errorf("the store's file %s: %w", s.path, err)
	}
	return nil
}

// Close closes the file and gives up the lock.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.db, s.lock} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Ping asks whether the file can be read.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return down(s.read.QueryRowContext(ctx, `SELECT 1 FROM ledger`).Scan(&one))
}

// Describe says in one line what this store is and what a crash may cost.
func (s *Store) Describe(ctx context.Context) (string, []string, error) {
	var version string
	if err := s.read.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version); err != nil {
		return "", nil, down(err)
	}
	return fmt.Sprintf("SQLite %s in %s, durable at every commit, for this one process", version, s.path), nil, nil
}

// Durable returns at once: a commit is durable when it returns.
func (s *Store) Durable(context.Context) error { return nil }

// down says of an error that the store did not do as asked.
func down(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", store.ErrDown, err)
}

// write runs f in a transaction on the one connection that writes.
func (s *Store) write(ctx context.Context, f func(*sql.Tx) error) error {
	return down(transact(ctx, s.db, f))
}

func transact(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
