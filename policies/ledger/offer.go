package ledger

import (
	"sync/atomic"
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger/core"
	"farthing/providers"
)

// Offer is a way to serve a request: a target, what it may cost, and the budgets
// that pay for it.
type Offer struct {
	Target    string
	Nodes     []*budget.Node  // every node it charges, ancestors included, each once; empty: free of budgets
	Fixed     providers.Pico  // bound of the input and of fees
	PerOutput providers.Price // per output token, times the number of answers asked for

	MaxOutput   int64 // greatest output in tokens: the client's limit or the model's
	Likely      int64 // learned 99th percentile of the output, held when the limit is near; 0: not known
	MinOutput   int64 // least acceptable output
	ClientLimit bool  // MaxOutput is the client's own and is lowered only when little is left
}

// How many of its full holds must be left in a budget for an offer to be held in
// full. Nearer to the limit Likely is held (DESIGN §7, how much is held).
const (
	comfort       = 20
	comfortClient = 2 // when the client set the limit itself
)

// Hold is money set aside for one attempt. It must be settled exactly once, on
// every path.
type Hold struct {
	ID      string          // unique over all replicas
	Offer   int             // index of the offer taken
	Output  int64           // output tokens granted: the limit to send
	Clamped bool            // Output is less than the offer's MaxOutput
	Amount  providers.Money // what is held on every node
	At      time.Time       // the store's time; settlements go to the windows of this time
	Left    providers.Money // what the tightest node has left beside this hold, where LeftNode is not nil
	// LeftNode is that node; nil for an offer free of budgets.
	LeftNode *budget.Node

	nodes   []*budget.Node // for a bill above a hold of nothing
	cells   []core.Cell
	outage  int // the outage of the store in whose allowance it was made; 0: it was granted
	settled atomic.Bool
}

// Cost is what an attempt was billed.
type Cost struct {
	Amount providers.Money
	Source providers.UsageSource
}

// cost is the bound for so much output.
func (o *Offer) cost(output int64) providers.Money {
	return o.Fixed.Add(o.PerOutput.Times(output)).Money()
}

// draw turns the offer into what is asked of the store, without its path.
func (o *Offer) draw() core.Draw {
	least := min(max(o.MinOutput, 1), o.MaxOutput)
	likely := o.MaxOutput
	if o.Likely > 0 {
		likely = min(max(o.Likely, least), o.MaxOutput)
	}
	full, times := o.cost(o.MaxOutput), int64(comfort)
	if o.ClientLimit {
		times = comfortClient
	}
	return core.Draw{
		Full:    int64(full),
		Comfort: min(int64(full)*times, core.Forever),
		Likely:  int64(o.cost(likely)),
		Need:    int64(o.cost(least)),
	}
}

// output is what so much money pays for.
func (o *Offer) output(granted providers.Money) int64 {
	if o.PerOutput <= 0 {
		return o.MaxOutput
	}
	return min(int64(granted.Pico()-o.Fixed)/int64(o.PerOutput), o.MaxOutput)
}
