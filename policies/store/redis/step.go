package redis

import (
	"context"
	_ "embed"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"farthing/policies/ledger/core"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed step.lua
var stepLua string

var stepScript = goredis.NewScript(stepLua)

// read is the script's kind for a read, after the kinds of core.
const read = int(core.SignOff) + 1

const (
	ledgerKey   = "{f}:l"
	replicasKey = "{f}:l:replicas"
	replicaKey  = "{f}:r:"
	hasKey      = "{f}:h:"
	cellKey     = "{f}:w:"
)

var errReply = errors.New("the ledger's script answered something else than expected")

// Step carries out one step of the ledger inside the server. After an error it
// is unknown whether it was carried out.
func (s *Store) Step(ctx context.Context, st core.Step) (core.Answer, error) {
	keys := []string{ledgerKey, replicasKey, replicaKey + st.Replica, hasKey + st.Replica}
	reply, err := stepScript.Run(ctx, s.client, keys, arguments(&st)...).Slice()
	if err != nil {
		return core.Answer{}, down(err)
	}
	r := reader{list: reply}
	a := r.answer()
	return a, r.failed()
}

// Read shows the counters of some cells, all at one moment.
func (s *Store) Read(ctx context.Context, cells []core.Cell) (core.View, error) {
	args := make([]any, 0, 2+len(cells))
	args = append(args, read, len(cells))
	for _, c := range cells {
		args = append(args, string(c))
	}
	keys := []string{ledgerKey, replicasKey, replicaKey, hasKey}
	reply, err := stepScript.Run(ctx, s.client, keys, args...).Slice()
	if err != nil {
		return core.View{}, down(err)
	}
	r := reader{list: reply}
	v := core.View{Now: r.int(), Recovering: r.int() == 1, Applied: r.decimal()}
	for cells := r.nested(); cells.more(); {
		c := cells.nested()
		v.Cells = append(v.Cells, core.Reading{Settled: c.int(), Has: c.int(), Unconfirmed: c.int()})
	}
	return v, r.failed()
}

// Cells lists the cells of a budget's nodes in one window. It walks over the
// server's keys a thousand at a time, which blocks nobody.
func (s *Store) Cells(ctx context.Context, budget, label string) ([]core.Cell, error) {
	found := map[core.Cell]bool{} // a walk may meet a key twice
	walk := s.client.Scan(ctx, 0, glob.Replace(cellKey+budget+"/")+"*"+glob.Replace("|"+label), 1000).Iterator()
	for walk.Next(ctx) {
		found[core.Cell(strings.TrimPrefix(walk.Val(), cellKey))] = true
	}
	if err := walk.Err(); err != nil {
		return nil, down(err)
	}
	return slices.Collect(maps.Keys(found)), nil
}

var glob = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// arguments writes a step as the flat list that the script reads.
func arguments(st *core.Step) []any {
	args := make([]any, 0, 16+2*len(st.Has)+2*len(st.Batch.Costs)+32*len(st.Asks))
	args = append(args, int(st.Kind), st.Replica, st.Boot, st.Number)
	switch st.Kind {
	case core.Begin:
		return append(args, st.Found)
	case core.Declare:
		args = append(args, bit(st.Recovering), bit(st.Done))
		return amounts(args, st.Has)
	case core.SignOff:
		return args
	}
	args = append(args, st.Answered, bit(st.Waited), st.Batch.Number)
	args = amounts(args, st.Has)
	args = amounts(args, st.Batch.Costs)
	args = append(args, len(st.Asks))
	for _, ask := range st.Asks {
		args = append(args, len(ask))
		for _, d := range ask {
			args = draw(args, d)
		}
	}
	return args
}

func draw(args []any, d core.Draw) []any {
	args = append(args, d.Full, d.Comfort, d.Likely, d.Need, len(d.Path))
	for _, p := range d.Path {
		args = append(args, p.Limit, string(p.Now.Cell), p.Now.Start, p.Now.End,
			string(p.Next.Cell), p.Next.Start, p.Next.End)
	}
	return args
}

func amounts(args []any, list []core.Amount) []any {
	args = append(args, len(list))
	for _, x := range list {
		args = append(args, string(x.Cell), x.Nanos)
	}
	return args
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// reader takes the script's reply apart, in order. It remembers the first thing
// that was not as expected.
type reader struct {
	list []any
	at   int
	bad  *bool
}

func (r *reader) next() any {
	if r.bad == nil {
		r.bad = new(bool)
	}
	if r.at >= len(r.list) {
		*r.bad = true
		return nil
	}
	r.at++
	return r.list[r.at-1]
}

func (r *reader) more() bool { return r.at < len(r.list) }

func (r *reader) int() int64 {
	n, ok := r.next().(int64)
	if !ok {
		*r.bad = true
	}
	return n
}

// decimal is a number that came as text, as Redis keeps it.
func (r *reader) decimal() int64 {
	n, err := strconv.ParseInt(r.text(), 10, 64)
	if err != nil {
		*r.bad = true
	}
	return n
}

func (r *reader) text() string {
	s, ok := r.next().(string)
	if !ok {
		*r.bad = true
	}
	return s
}

func (r *reader) nested() *reader {
	list, ok := r.next().([]any)
	if !ok {
		*r.bad = true
	}
	return &reader{list: list, bad: r.bad}
}

func (r *reader) failed() error {
	if r.bad != nil && *r.bad {
		return down(errReply)
	}
	return nil
}

func (r *reader) answer() core.Answer {
	a := core.Answer{
		Status: core.Status(r.int()), Now: r.int(), Run: r.text(), Booked: r.int(),
		Recovering: r.int() == 1, Renewed: r.int() == 1,
	}
	for has := r.nested(); has.more(); {
		cell := core.Cell(has.text())
		a.Has = append(a.Has, core.Amount{Cell: cell, Nanos: has.decimal()})
	}
	for grants := r.nested(); grants.more(); {
		a.Grants = append(a.Grants, grants.nested().grant())
	}
	return a
}

func (r *reader) grant() core.Grant {
	g := core.Grant{Draw: int(r.int()), Nanos: r.int()}
	for tried := r.nested(); tried.more(); {
		var path []core.Reading
		for places := tried.nested(); places.more(); {
			p := places.nested()
			path = append(path, core.Reading{Next: p.int() == 1, Settled: p.int(), Has: p.int()})
		}
		g.Tried = append(g.Tried, path)
	}
	return g
}
