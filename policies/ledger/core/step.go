package core

import "strings"

// Cell names a budget node in one window: "<node>|<window's label>". A label
// holds no "|".
type Cell string

// CellOf joins a node's name and a window's label.
func CellOf(node, label string) Cell { return Cell(node + "|" + label) }

// Split is the node's name and the window's label.
func (c Cell) Split() (node, label string) {
	i := strings.LastIndexByte(string(c), '|')
	if i < 0 {
		return string(c), ""
	}
	return string(c[:i]), string(c[i+1:])
}

// Times of the protocol, in milliseconds, and the bound of what one call names.
const (
	Lease    = 30_000  // a replica that has not called for so long is shown as unconfirmed
	Forever  = 1 << 53 // the end of a window that has none
	MaxCells = 100     // cells in a batch; longer ones would keep draws waiting behind them
)

// Kind is what a step does.
type Kind uint8

// The kinds of step.
const (
	Begin   Kind = iota // make oneself known, learn what the store knows
	Declare             // after Begin: say all one has, in parts
	Call                // the usual step: heartbeat, give back, settle, draw
	SignOff             // leave for good; nothing may be held any more
)

// Step is one call to the store. All amounts are nano-dollars, all times
// milliseconds since 1970.
type Step struct {
	Kind    Kind
	Replica string // who calls
	Boot    string // a random word of the process, so that an old copy of a disk is found out
	Number  int64  // greater with every call; one that is not above the store's last is refused

	Answered   int64 // Call: the last number that was answered; if the store knows only older ones it lost writes
	Waited     bool  // Call: a whole lease has passed here since this run of the store was first heard of
	Found      int64 // Begin: the last number in the journal as the process found it; 0 without a journal
	Recovering bool  // Declare: what Begin answered
	Done       bool  // Declare: this is the last part

	Has   []Amount // what the replica has of these cells, replacing what the store knew
	Batch Batch    // Call: settlements to book, or none
	Asks  []Ask    // Call: money to draw
}

// Amount is so much of a cell.
type Amount struct {
	Cell  Cell
	Nanos int64
}

// Batch is a numbered list of settlements, booked in order and once. Number 0
// is no batch.
type Batch struct {
	Number int64
	Costs  []Amount
}

// Ask is a list of draws in order of preference: the first that fits is granted,
// the others are not looked at.
type Ask []Draw

// Draw asks for money on a whole path of cells, all or nothing. What is left is
// the least over the path. Full is granted while Comfort is left, else what is
// left up to Likely, and nothing where less than Need is left.
// Need ≤ Likely ≤ Full ≤ Comfort.
type Draw struct {
	Full, Comfort, Likely, Need int64
	Path                        []Place
}

// Unlimited as a Place's limit charges the cell and never refuses.
const Unlimited = -1

// Place is one limit on a draw's path: the window in which the caller believes
// to be and the one after it. The store's clock picks. No two places of a path
// name the same cell.
type Place struct {
	Limit     int64
	Now, Next Window
}

// Window is a cell with its bounds: Start ≤ t < End.
type Window struct {
	Cell       Cell
	Start, End int64
}

// Status is what became of a step.
type Status uint8

// The statuses. Only OK changed what the store keeps, but for Behind on a lost
// write, which opens a recovery.
const (
	OK     Status = iota
	Stale         // the number is not above the last one: a late or repeated call
	New           // the store does not know the replica in this run: it must begin
	Behind        // the batch is not the next one, or the store has lost writes
	Old           // Begin from an old copy of a journal: take another replica name
)

// Answer is what the store says.
type Answer struct {
	Status     Status
	Now        int64  // the store's time
	Run        string // which run of the store answered
	Booked     int64  // number of the last batch booked for this replica
	Recovering bool   // nothing is granted until the replicas have declared what they have
	Renewed    bool   // the lease had lapsed: nothing was granted, and the next ask must wait until this is durable

	Has    []Amount // Begin: what the store believes the replica to have
	Grants []Grant  // Call: one for each ask; none while Recovering or Renewed
}

// Outcomes of an ask other than the index of the draw that was granted.
const (
	Refused  = -1 // no draw fits
	Misdated = -2 // the store's time is in neither window of a place: ask again with the store's Now
)

// Grant is the answer to an ask.
type Grant struct {
	Draw  int         // index of the draw granted, or Refused, or Misdated
	Nanos int64       // what was granted on every cell of the path
	Tried [][]Reading // for a grant: one path, as it is afterwards; for a refusal: every draw's path
}

// Reading is a cell's counters.
type Reading struct {
	Next        bool  // which of the place's two windows the store picked
	Settled     int64 // booked
	Has         int64 // Σ of what all replicas have
	Unconfirmed int64 // the part of Has whose replica's lease has lapsed; only from a read, not in a Grant
}

// View is the answer to a read.
type View struct {
	Now        int64
	Recovering bool
	Applied    int64 // Σ of all batches booked; equal to Σ Settled of all cells
	Cells      []Reading
}
