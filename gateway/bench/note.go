package main

import "farthing/gateway/bench/table"

// noteRequests notes a round of plain requests.
func noteRequests(s *table.Sheet, round []seen) {
	direct := round[0].load
	for i := range round {
		o := &round[i]
		of := o.of(s)
		noteLoad(of, "requests", o.load)
		if o.way.part != nil && o.kind.count == 1 {
			of.Put("added p50", "ns", table.Quantile(o.load.took, 0.5)-table.Quantile(direct.took, 0.5))
			// A difference between two p99 is too noisy for a ratio.
			of.Alone().Put("added p99", "ns", table.Quantile(o.load.took, 0.99)-table.Quantile(direct.took, 0.99))
		}
		o.noteSpent(of, "request", len(o.load.took))
	}
}

// noteStreams notes a round of streams.
func noteStreams(s *table.Sheet, round []seen) {
	direct := &round[0]
	for i := range round {
		o := &round[i]
		of := o.of(s)
		of.Put("events", "1/s", float64(len(o.delays))/o.load.elapsed.Seconds())
		of.Put("first event p50", "ns", table.Quantile(o.firsts, 0.5))
		if o.kind.count > 1 { // one client has a stream or two in a round: no p99
			of.Put("first event p99", "ns", table.Quantile(o.firsts, 0.99))
		}
		of.Put("event delay p50", "ns", table.Quantile(o.delays, 0.5))
		of.Put("event delay p99", "ns", table.Quantile(o.delays, 0.99))
		if o.way.part != nil && o.kind.count == 1 {
			of.Put("added first event p50", "ns", table.Quantile(o.firsts, 0.5)-table.Quantile(direct.firsts, 0.5))
			of.Put("added event delay p50", "ns", table.Quantile(o.delays, 0.5)-table.Quantile(direct.delays, 0.5))
			of.Alone().Put("added event delay p99", "ns", table.Quantile(o.delays, 0.99)-table.Quantile(direct.delays, 0.99))
		}
		o.noteSpent(of, "event", len(o.delays))
	}
}

// of is the subject of the figures. Gateways are measured against the bare proxy.
func (o *seen) of(s *table.Sheet) table.Subject {
	than := whoProxy
	if o.way.who == whoProxy || o.way.who == whoDirect {
		than = ""
	}
	return s.Of(o.kind.name, o.way.who, than)
}

// noteSpent notes what the process in the way used for each of n things. What
// Redis used is not in it; what SQLite used is.
func (o *seen) noteSpent(of table.Subject, thing string, n int) {
	if o.way.part == nil {
		return
	}
	if o.spent.CPU > 0 {
		of.Put("CPU per "+thing, "ns", float64(o.spent.CPU)/float64(n))
	}
	of.Put("allocations per "+thing, "", float64(o.spent.Allocs)/float64(n))
}
