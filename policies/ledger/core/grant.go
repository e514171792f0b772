package core

// grant gives the first draw that fits.
func (s *State) grant(now int64, replica string, ask Ask) Grant {
	g := Grant{Draw: Refused}
	for i, d := range ask {
		path, ok := s.pick(now, d.Path)
		if !ok {
			return Grant{Draw: Misdated}
		}
		nanos, fits := d.fit(path)
		if !fits {
			g.Tried = append(g.Tried, path)
			continue
		}
		for j := range path {
			w := d.Path[j].Window(path[j].Next)
			s.give(replica, w.Cell, nanos)
			s.counter(w.Cell).End = w.End
			path[j].Has += nanos
		}
		return Grant{Draw: i, Nanos: nanos, Tried: [][]Reading{path}}
	}
	return g
}

// pick reads the path in the windows in which now lies.
func (s *State) pick(now int64, places []Place) ([]Reading, bool) {
	path := make([]Reading, len(places))
	for i, p := range places {
		next := now >= p.Now.End
		w := p.Window(next)
		if now < w.Start || now >= w.End {
			return nil, false
		}
		path[i].Next = next
		if c := s.Cells[w.Cell]; c != nil {
			path[i].Settled, path[i].Has = c.Settled, c.Has
		}
	}
	return path, true
}

// Window is the one of the two that the store picked (Reading.Next).
func (p Place) Window(next bool) Window {
	if next {
		return p.Next
	}
	return p.Now
}

// fit says how much the draw gets of what is left on its path.
func (d Draw) fit(path []Reading) (nanos int64, fits bool) {
	left := int64(Forever)
	for i, r := range path {
		if limit := d.Path[i].Limit; limit != Unlimited {
			left = min(left, limit-r.Settled-r.Has)
		}
	}
	switch {
	case left >= d.Comfort:
		return d.Full, true
	case left >= d.Need:
		return min(left, d.Likely), true
	}
	return 0, false
}

// Read is what a store shows of some cells. Nothing is changed by it.
func (s *State) Read(clock int64, run string, cells []Cell) View {
	v := View{Now: max(clock, s.Mark), Recovering: s.Run != run, Applied: s.Applied, Cells: make([]Reading, len(cells))}
	for i, cell := range cells {
		if c := s.Cells[cell]; c != nil {
			v.Cells[i] = Reading{Settled: c.Settled, Has: c.Has}
		}
		for name, has := range s.Has {
			if r := s.Replicas[name]; r == nil || r.Lease < v.Now {
				v.Cells[i].Unconfirmed += has[cell]
			}
		}
	}
	return v
}
