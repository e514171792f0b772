package place

import (
	"fmt"
	"testing"
	"time"

	"farthing/policies/budget"
	"farthing/policies/ledger/core"
)

func TestPlacesOfANode(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	w := New(berlin)
	n := &budget.Node{
		Name: "people/ada", Config: &budget.Config{},
		Limits: budget.Limits{{Amount: 30, Window: budget.Day}, {Amount: 100}, {Amount: 20, Window: budget.Day}},
	}
	at := time.Date(2026, 11, 23, 22, 30, 0, 0, time.UTC)
	places := w.Of(n, at)
	if len(places) != 2 || places[0].Limit.Amount != 20 || places[1].Limit.Window != budget.Total {
		t.Fatalf("of two limits a day the lower is all there is: %+v", places)
	}
	day, label := places[0].Present()
	tomorrow := places[0].Wire().Next
	if label != "2026-11-23" || day.Cell != "people/ada|2026-11-23" || tomorrow.Cell != "people/ada|2026-11-24" || tomorrow.Start != day.End {
		t.Errorf("%+v, then %+v", day, tomorrow)
	}
	all, _ := places[1].Present()
	if all.Start != 0 || all.End != core.Forever || !EndOf(all).IsZero() || EndOf(day).UnixMilli() != day.End {
		t.Errorf("%+v", all)
	}
	if places[0].Saw(tomorrow.Cell, core.Reading{Settled: 1}); places[0].Known {
		t.Error("what the store says of tomorrow is kept for today")
	}
	if places[0].Saw(day.Cell, core.Reading{Settled: 1}); places[0].Reading.Settled != 1 {
		t.Error("what the store says of today is not kept")
	}
	if again := w.Of(n, at.Add(29*time.Minute)); again[0] != places[0] || !again[0].Known {
		t.Error("within the window the place is kept")
	}
	if later := w.Of(n, at.Add(30*time.Minute)); later[0].Known {
		t.Error("what the store said is of yesterday")
	} else if day, _ := later[0].Present(); day != tomorrow {
		t.Errorf("%+v", day)
	}
}

func TestUnusedNodesAreForgotten(t *testing.T) {
	w := New(time.UTC)
	at := time.Unix(1_790_000_000, 0)
	for i := range 3 * keepNodes {
		w.Of(&budget.Node{Name: fmt.Sprint(i), Config: &budget.Config{}}, at)
		at = at.Add(time.Second)
	}
	if n := len(w.nodes); n > keepNodes+601 {
		t.Errorf("%d nodes kept", n)
	}
}
