package ledger

import (
	"maps"

	"farthing/providers"
)

// maxWarned bounds the nodes counted by name in Stats.WouldRefuse.
const maxWarned = 10_000

// Stats are the ledger's figures since it was made, and how it stands now.
type Stats struct {
	Holds        int64 // made, free ones among them
	Refusals     int64 // over a budget
	StoreDown    int64 // refused because the store did not answer or was in a recovery
	Offline      int64 // made without the store
	Settled      int64
	SettledSum   providers.Money
	SettledTwice int64 // settlements of a hold that was settled before: a fault of ours
	Estimated    int64 // settlements whose bill is estimated or lost
	Overruns     int64 // bills above their hold
	OverrunSum   providers.Money
	WouldRefuse  map[string]int64 // grants past a budget of mode warn, by node; beyond 10,000 nodes by budget

	Calls      int64
	CallErrors int64

	Open        int64 // holds not settled
	OpenSum     providers.Money
	Unbooked    int64 // settlement batches made and not known to be booked
	Waiting     int64 // holds that wait for the store
	Down        bool  // the last call was not answered
	Recovering  bool  // the store grants nothing until every replica has declared what it has
	MayDraw     bool
	StoreBehind bool // the store lacks settlements that are no longer kept: closed for paid until a restart
}

// Stats is a copy of the figures.
func (l *Ledger) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.WouldRefuse = maps.Clone(s.WouldRefuse)
	s.Open, s.OpenSum = int64(l.open), l.openSum
	s.Unbooked = l.r.Unbooked()
	s.Waiting = int64(len(l.asks) + len(l.flying))
	s.Down, s.Recovering = l.down, l.r.Recovering()
	s.MayDraw, s.StoreBehind = l.r.MayDraw() && !l.down, l.r.Forgotten()
	return s
}
