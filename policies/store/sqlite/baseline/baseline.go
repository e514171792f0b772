// Package baseline is the least that a gateway could do to keep a budget in
// SQLite: one UPDATE for each request, committed durably. It is the yardstick
// against which gateway/bench measures a hold and its settlement; nothing that
// serves uses it.
package baseline

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	_ "modernc.org/sqlite" // the driver
)

// Counter is one row of a file.
type Counter struct {
	db  *sql.DB
	add *sql.Stmt
}

// Open makes the file, as durable as Farthing's own: WAL, synchronous FULL, and
// one connection that writes.
func Open(ctx context.Context, path string) (*Counter, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, fmt.Errorf("the file for the yardstick: %w", err)
	}
	db.SetMaxOpenConns(1)
	c := &Counter{db: db}
	_, err = db.ExecContext(ctx, `CREATE TABLE counter (n INTEGER NOT NULL); INSERT INTO counter VALUES (0)`)
	if err == nil {
		c.add, err = db.PrepareContext(ctx, `UPDATE counter SET n = n + ?`)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the file for the yardstick: %w", err), db.Close())
	}
	return c, nil
}

// Add adds to the counter and returns when the commit is on disk.
func (c *Counter) Add(ctx context.Context, n int64) error {
	_, err := c.add.ExecContext(ctx, n)
	return err
}

// Close closes the file.
func (c *Counter) Close() error { return errors.Join(c.add.Close(), c.db.Close()) }
