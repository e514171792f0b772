package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"farthing/policies/ledger/core"
)

// The step's statements. They are prepared once, when the file is opened: SQLite
// takes as long to read a statement as to carry it out.
const (
	readLedger   = `SELECT run, mark, applied FROM ledger`
	readReplicas = `SELECT replica, number, booked, boot, run, lease FROM replicas`
	readHas      = `SELECT cell, nanos FROM has WHERE replica = ?`
	readCounter  = `SELECT settled, cells.has, ends, coalesce(mine.nanos, 0) FROM cells
		LEFT JOIN has AS mine ON mine.cell = cells.cell AND mine.replica = ? WHERE cells.cell = ?`
	writeLedger  = `UPDATE ledger SET run = ?, mark = ?, applied = ?`
	dropReplica  = `DELETE FROM replicas WHERE replica = ?`
	writeReplica = `INSERT INTO replicas (replica, number, booked, boot, run, lease) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET number = excluded.number, booked = excluded.booked, boot = excluded.boot,
		run = excluded.run, lease = excluded.lease`
	writeCounter = `INSERT INTO cells (cell, settled, has, ends) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET settled = excluded.settled, has = excluded.has, ends = excluded.ends`
	dropHas  = `DELETE FROM has WHERE replica = ? AND cell = ?`
	writeHas = `INSERT INTO has (replica, cell, nanos) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET nanos = excluded.nanos`
)

// prepare reads the step's statements.
func (s *Store) prepare() error {
	s.prepared = map[string]*sql.Stmt{}
	for _, q := range []string{readLedger, readReplicas, readHas, readCounter, writeLedger, dropReplica, writeReplica, writeCounter, dropHas, writeHas} {
		stmt, err := s.db.PrepareContext(context.Background(), q)
		if err != nil {
			return err
		}
		s.prepared[q] = stmt
	}
	return nil
}

// Step carries out one step of the ledger in a transaction: the rows that it
// names are read into a core.State, the step is taken there, and what it changed
// is written back.
func (s *Store) Step(ctx context.Context, st core.Step) (a core.Answer, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		w := s.work(tx, &st)
		if err := w.load(ctx, &st); err != nil {
			return err
		}
		a = w.state.Step(time.Now().UnixMilli(), s.run, &st)
		return w.save(ctx)
	})
	if err != nil {
		return core.Answer{}, err
	}
	return a, nil
}

// work is the part of the store that a step sees, and how it was before.
type work struct {
	store   *Store
	tx      *sql.Tx
	replica string
	state   *core.State
	cells   map[core.Cell]core.Counter // as loaded
	has     map[core.Cell]int64        // the replica's, as loaded
	known   map[string]bool            // replicas, as loaded
}

func (s *Store) work(tx *sql.Tx, st *core.Step) *work {
	return &work{
		store: s, tx: tx, replica: st.Replica, state: core.NewState(), cells: map[core.Cell]core.Counter{},
		has: map[core.Cell]int64{}, known: map[string]bool{},
	}
}

// on is a prepared statement within the transaction.
func (w *work) on(ctx context.Context, query string) *sql.Stmt {
	return w.tx.StmtContext(ctx, w.store.prepared[query])
}

func (w *work) load(ctx context.Context, st *core.Step) error {
	row := w.on(ctx, readLedger).QueryRowContext(ctx)
	if err := row.Scan(&w.state.Run, &w.state.Mark, &w.state.Applied); err != nil {
		return err
	}
	if err := w.loadReplicas(ctx); err != nil {
		return err
	}
	if st.Kind == core.Begin || st.Kind == core.SignOff {
		if err := w.loadHas(ctx); err != nil {
			return err
		}
	}
	return w.loadCells(ctx, st)
}

func (w *work) loadReplicas(ctx context.Context) error {
	rows, err := w.on(ctx, readReplicas).QueryContext(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		r := &core.Replica{}
		if err := rows.Scan(&name, &r.Number, &r.Booked, &r.Boot, &r.Run, &r.Lease); err != nil {
			return err
		}
		w.state.Replicas[name], w.known[name] = r, true
	}
	return rows.Err()
}

// loadHas reads all that the replica has; only a few steps need it.
func (w *work) loadHas(ctx context.Context) error {
	rows, err := w.on(ctx, readHas).QueryContext(ctx, w.replica)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var cell core.Cell
		var nanos int64
		if err := rows.Scan(&cell, &nanos); err != nil {
			return err
		}
		w.has[cell] = nanos
	}
	w.keepHas()
	return rows.Err()
}

func (w *work) keepHas() {
	if len(w.has) == 0 {
		return
	}
	mine := make(map[core.Cell]int64, len(w.has))
	for cell, nanos := range w.has {
		mine[cell] = nanos
	}
	w.state.Has[w.replica] = mine
}

// loadCells reads the counters that the step names, and what the replica has of
// them.
func (w *work) loadCells(ctx context.Context, st *core.Step) error {
	counters := w.on(ctx, readCounter)
	for _, cell := range named(st) {
		var c core.Counter
		var mine int64
		err := counters.QueryRowContext(ctx, w.replica, cell).Scan(&c.Settled, &c.Has, &c.End, &mine)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		w.cells[cell] = c
		w.state.Cells[cell] = &core.Counter{Settled: c.Settled, Has: c.Has, End: c.End}
		if mine != 0 {
			w.has[cell] = mine
		}
	}
	w.keepHas()
	return nil
}

// named lists every cell that a step may change, each once.
func named(st *core.Step) []core.Cell {
	seen := map[core.Cell]bool{}
	var list []core.Cell
	add := func(cell core.Cell) {
		if !seen[cell] {
			seen[cell] = true
			list = append(list, cell)
		}
	}
	for _, x := range st.Has {
		add(x.Cell)
	}
	for _, x := range st.Batch.Costs {
		add(x.Cell)
	}
	for _, ask := range st.Asks {
		for _, d := range ask {
			for _, p := range d.Path {
				add(p.Now.Cell)
				add(p.Next.Cell)
			}
		}
	}
	return list
}

func (w *work) save(ctx context.Context) error {
	if _, err := w.on(ctx, writeLedger).ExecContext(ctx, w.state.Run, w.state.Mark, w.state.Applied); err != nil {
		return err
	}
	if err := w.saveReplicas(ctx); err != nil {
		return err
	}
	if err := w.saveCells(ctx); err != nil {
		return err
	}
	return w.saveHas(ctx)
}

// saveReplicas writes them all: they are few, since one process owns the file
// and leaves a row behind only when it is killed.
func (w *work) saveReplicas(ctx context.Context) error {
	for name := range w.known {
		if w.state.Replicas[name] == nil {
			if _, err := w.on(ctx, dropReplica).ExecContext(ctx, name); err != nil {
				return err
			}
		}
	}
	for name, r := range w.state.Replicas {
		if _, err := w.on(ctx, writeReplica).ExecContext(ctx, name, r.Number, r.Booked, r.Boot, r.Run, r.Lease); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) saveCells(ctx context.Context) error {
	for cell, c := range w.state.Cells {
		if was, ok := w.cells[cell]; ok && was == *c {
			continue
		}
		if _, err := w.on(ctx, writeCounter).ExecContext(ctx, cell, c.Settled, c.Has, c.End); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) saveHas(ctx context.Context) error {
	mine := w.state.Has[w.replica]
	for cell := range w.has {
		if mine[cell] == 0 {
			if _, err := w.on(ctx, dropHas).ExecContext(ctx, w.replica, cell); err != nil {
				return err
			}
		}
	}
	for cell, nanos := range mine {
		if w.has[cell] == nanos {
			continue
		}
		if _, err := w.on(ctx, writeHas).ExecContext(ctx, w.replica, cell, nanos); err != nil {
			return err
		}
	}
	return nil
}
