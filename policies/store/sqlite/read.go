package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"farthing/policies/ledger/core"
)

// Read shows the counters of some cells, all at one moment.
func (s *Store) Read(ctx context.Context, cells []core.Cell) (v core.View, err error) {
	err = transact(ctx, s.read, func(tx *sql.Tx) error {
		var run string
		var mark int64
		if err := tx.QueryRowContext(ctx, `SELECT run, mark, applied FROM ledger`).Scan(&run, &mark, &v.Applied); err != nil {
			return err
		}
		v.Now, v.Recovering = max(time.Now().UnixMilli(), mark), run != s.run
		for _, cell := range cells {
			r, err := readCell(ctx, tx, cell, v.Now)
			if err != nil {
				return err
			}
			v.Cells = append(v.Cells, r)
		}
		return nil
	})
	if err != nil {
		return core.View{}, down(err)
	}
	return v, nil
}

// Cells lists the cells of a budget's nodes in one window.
func (s *Store) Cells(ctx context.Context, budget, label string) (cells []core.Cell, err error) {
	prefix, suffix := budget+"/", "|"+label
	rows, err := s.read.QueryContext(ctx, `SELECT cell FROM cells WHERE substr(cell, 1, length(?1)) = ?1 AND substr(cell, -length(?2)) = ?2`, prefix, suffix)
	if err != nil {
		return nil, down(err)
	}
	defer rows.Close()
	for rows.Next() {
		var c core.Cell
		if err := rows.Scan(&c); err != nil {
			return nil, down(err)
		}
		cells = append(cells, c)
	}
	return cells, down(rows.Err())
}

func readCell(ctx context.Context, tx *sql.Tx, cell core.Cell, now int64) (r core.Reading, err error) {
	err = tx.QueryRowContext(ctx, `SELECT settled, has, (SELECT coalesce(sum(nanos), 0) FROM has JOIN replicas USING (replica)
		WHERE has.cell = cells.cell AND lease < ?) FROM cells WHERE cell = ?`, now, cell).Scan(&r.Settled, &r.Has, &r.Unconfirmed)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	return r, err
}
