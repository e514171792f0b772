package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"farthing/policies/key"
)

// PutKey writes the key under its hash, as key.Store says.
func (s *Store) PutKey(ctx context.Context, k key.Key) error {
	body, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("key %s: %w", k.Name, err)
	}
	_, err = s.db.ExecContext(ctx, `INSERT INTO keys (hash, version, body)
		VALUES (?, (SELECT coalesce(max(version), 0) + 1 FROM keys), ?)
		ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body`, k.Hash.String(), body)
	return down(err)
}

// GetKey reads one key, as key.Store says.
func (s *Store) GetKey(ctx context.Context, h key.Hash) (k key.Key, found bool, err error) {
	var body []byte
	err = s.read.QueryRowContext(ctx, `SELECT body FROM keys WHERE hash = ?`, h.String()).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return key.Key{}, false, nil
	}
	if err != nil {
		return key.Key{}, false, down(err)
	}
	k, err = parseKey(body)
	return k, err == nil, err
}

// ListKeys reads every key, as key.Store says.
func (s *Store) ListKeys(ctx context.Context) ([]key.Key, error) {
	list, _, err := s.ChangedKeys(ctx, 0)
	return list, err
}

// ChangedKeys reads what was put after a version, as key.Store says.
func (s *Store) ChangedKeys(ctx context.Context, since int64) ([]key.Key, int64, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT version, body FROM keys WHERE version > ? ORDER BY version`, since)
	if err != nil {
		return nil, 0, down(err)
	}
	defer rows.Close()
	var list []key.Key
	version := since
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&version, &body); err != nil {
			return nil, 0, down(err)
		}
		k, err := parseKey(body)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, k)
	}
	return list, version, down(rows.Err())
}

func parseKey(body []byte) (k key.Key, err error) {
	if err = json.Unmarshal(body, &k); err != nil {
		return key.Key{}, fmt.Errorf("a key in the store: %w", err)
	}
	return k, nil
}
