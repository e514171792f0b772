package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"farthing/policies/store"
)

// trimStep is how many receipts one append deletes at most beside as many as it
// adds, so that no append takes long.
const trimStep = 200

// AppendReceipts keeps some receipts and lets go of those older than
// store.ReceiptMaxAge. A receipt with a known ID takes the place of the old one.
func (s *Store) AppendReceipts(ctx context.Context, list []store.StoredReceipt) error {
	return s.appendReceipts(ctx, list, time.Now().Add(-store.ReceiptMaxAge))
}

func (s *Store) appendReceipts(ctx context.Context, list []store.StoredReceipt, oldest time.Time) error {
	if len(list) == 0 {
		return nil
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO receipts (id, at, key, owner, body) VALUES (?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, r := range list {
			if _, err := insert.ExecContext(ctx, r.ID, r.At.UnixMicro(), r.Key, r.Owner, blob(r.Body)); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM receipts WHERE id IN (SELECT id FROM receipts WHERE at < ? ORDER BY at, id LIMIT ?)`,
			oldest.UnixMicro(), trimStep+len(list))
		return err
	})
}

const receiptColumns = `SELECT id, at, key, owner, body FROM receipts `

// Receipt reads one receipt. One that is not there, or no longer, is false
// without an error.
func (s *Store) Receipt(ctx context.Context, id string) (store.StoredReceipt, bool, error) {
	list, err := s.receipts(ctx, receiptColumns+`WHERE id = ?`, id)
	if err != nil || len(list) == 0 {
		return store.StoredReceipt{}, false, err
	}
	return list[0], true, nil
}

// Receipts reads a page, newest first: up to limit receipts after the one named
// by before in that order; "" begins with the newest. An id that is no longer
// kept has nothing after it.
func (s *Store) Receipts(ctx context.Context, before string, limit int) ([]store.StoredReceipt, error) {
	limit = max(limit, 0)
	if before == "" {
		return s.receipts(ctx, receiptColumns+`ORDER BY at DESC, id DESC LIMIT ?`, limit)
	}
	return s.receipts(ctx, receiptColumns+`WHERE (at, id) < (SELECT at, id FROM receipts WHERE id = ?)
		ORDER BY at DESC, id DESC LIMIT ?`, before, limit)
}

func (s *Store) receipts(ctx context.Context, query string, args ...any) ([]store.StoredReceipt, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, down(err)
	}
	defer rows.Close()
	var list []store.StoredReceipt
	for rows.Next() {
		var r store.StoredReceipt
		var micros int64
		if err := rows.Scan(&r.ID, &micros, &r.Key, &r.Owner, &r.Body); err != nil {
			return nil, down(err)
		}
		r.At = time.UnixMicro(micros).UTC()
		list = append(list, r)
	}
	return list, down(rows.Err())
}

// Document reads a small named document, such as the prices set at run time.
// One that was never put is false without an error.
func (s *Store) Document(ctx context.Context, name string) (body []byte, found bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT body FROM documents WHERE name = ?`, name).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return body, err == nil, down(err)
}

// PutDocument writes a small named document, replacing what was there.
func (s *Store) PutDocument(ctx context.Context, name string, body []byte) error {
	_, err := s.db.ExecContext(ctx, `INSERT OR REPLACE INTO documents (name, body) VALUES (?, ?)`, name, blob(body))
	return down(err)
}

// AppendAudit adds a line to the audit log, of which the last store.MaxAudit are
// kept.
func (s *Store) AppendAudit(ctx context.Context, line []byte) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		added, err := tx.ExecContext(ctx, `INSERT INTO audit (body) VALUES (?)`, blob(line))
		if err != nil {
			return err
		}
		last, err := added.LastInsertId()
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM audit WHERE line <= ?`, last-store.MaxAudit)
		return err
	})
}

// Audit reads up to limit lines of the audit log, newest first.
func (s *Store) Audit(ctx context.Context, limit int) ([][]byte, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT body FROM audit ORDER BY line DESC LIMIT ?`, max(limit, 0))
	if err != nil {
		return nil, down(err)
	}
	defer rows.Close()
	var list [][]byte
	for rows.Next() {
		var line []byte
		if err := rows.Scan(&line); err != nil {
			return nil, down(err)
		}
		list = append(list, line)
	}
	return list, down(rows.Err())
}

// blob keeps an empty body apart from none at all, which SQLite would call NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
