package budget

import (
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"farthing/providers"
)

func load(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestWindowAt(t *testing.T) {
	tests := []struct {
		zone, at string
		window   Window
		label    string
		start    string
		length   time.Duration
	}{
		{"Europe/Berlin", "2026-11-23T13:05:30Z", Minute, "2026-11-23T14:05+01:00", "2026-11-23T13:05:00Z", time.Minute},
		{"Europe/Berlin", "2026-11-23T13:05:30Z", Hour, "2026-11-23T14+01:00", "2026-11-23T13:00:00Z", time.Hour},
		{"Europe/Berlin", "2026-11-23T13:05:30Z", Day, "2026-11-23", "2026-11-22T23:00:00Z", 24 * time.Hour},
		{"Europe/Berlin", "2026-11-23T13:05:30Z", Week, "2026-W48", "2026-11-22T23:00:00Z", 168 * time.Hour},
		{"Europe/Berlin", "2026-11-23T13:05:30Z", Month, "2026-11", "2026-10-31T23:00:00Z", 720 * time.Hour},
		{"Europe/Berlin", "2026-11-23T13:05:30Z", Quarter, "2026-Q4", "2026-09-30T22:00:00Z", (31+30+31)*24*time.Hour + time.Hour},
		{"Europe/Berlin", "2026-11-23T13:05:30Z", Year, "2026", "2025-12-31T23:00:00Z", 365 * 24 * time.Hour},
		// ISO weeks at the turn of the year belong to the year of their Thursday.
		{"UTC", "2027-01-01T00:00:00Z", Week, "2026-W53", "2026-12-28T00:00:00Z", 168 * time.Hour},
		{"UTC", "2024-12-30T00:00:00Z", Week, "2025-W01", "2024-12-30T00:00:00Z", 168 * time.Hour},
		// Clocks forward and back.
		{"Europe/Berlin", "2026-03-29T12:00:00Z", Day, "2026-03-29", "2026-03-28T23:00:00Z", 23 * time.Hour},
		{"Europe/Berlin", "2026-10-25T12:00:00Z", Day, "2026-10-25", "2026-10-24T22:00:00Z", 25 * time.Hour},
		{"Europe/Berlin", "2026-10-25T00:30:00Z", Hour, "2026-10-25T02+02:00", "2026-10-25T00:00:00Z", time.Hour},
		{"Europe/Berlin", "2026-10-25T01:30:00Z", Hour, "2026-10-25T02+01:00", "2026-10-25T01:00:00Z", time.Hour},
		// Lord Howe shifts by half an hour: an hour of thirty minutes.
		{"Australia/Lord_Howe", "2026-04-04T15:10:00Z", Hour, "2026-04-05T01+10:30", "2026-04-04T15:00:00Z", 30 * time.Minute},
		{"Asia/Kolkata", "2026-11-23T13:05:30Z", Hour, "2026-11-23T18+05:30", "2026-11-23T12:30:00Z", time.Hour},
		// No midnight on the day when São Paulo's clocks went forward.
		{"America/Sao_Paulo", "2018-11-04T12:00:00Z", Day, "2018-11-04", "2018-11-04T03:00:00Z", 23 * time.Hour},
		// Havana has two midnights, the first of which begins the day.
		{"America/Havana", "2026-11-01T12:00:00Z", Day, "2026-11-01", "2026-11-01T04:00:00Z", 25 * time.Hour},
		// St. John's put its clocks back from 00:01 to 23:01: the new day goes on.
		{"America/St_Johns", "2010-11-07T03:00:00Z", Day, "2010-11-07", "2010-11-07T02:30:00Z", 25 * time.Hour},
		// Samoa skipped 2011-12-30.
		{"Pacific/Apia", "2011-12-30T09:00:00Z", Day, "2011-12-29", "2011-12-29T10:00:00Z", 24 * time.Hour},
		{"Pacific/Apia", "2011-12-30T10:00:00Z", Day, "2011-12-31", "2011-12-30T10:00:00Z", 24 * time.Hour},
	}
	for _, tt := range tests {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		got := tt.window.At(at, load(t, tt.zone))
		if got.Label != tt.label || got.Start.Format(time.RFC3339) != tt.start || got.End.Sub(got.Start) != tt.length {
			t.Errorf("%s %v at %s = %q from %s for %v, want %q from %s for %v", tt.zone, tt.window, tt.at,
				got.Label, got.Start.Format(time.RFC3339), got.End.Sub(got.Start), tt.label, tt.start, tt.length)
		}
	}
}

func TestTotal(t *testing.T) {
	s := Total.At(time.Now(), time.UTC)
	if s.Label != "total" || !s.Start.IsZero() || !s.End.IsZero() || Total.Next(s, time.UTC) != s {
		t.Errorf("Total = %+v", s)
	}
}

var zones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "America/New_York", "America/St_Johns", "America/Havana",
	"America/Sao_Paulo", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati",
	"Pacific/Kwajalein", "Africa/Casablanca", "Antarctica/Troll", "Asia/Tehran", "Asia/Gaza", "America/Asuncion",
	"Asia/Pyongyang", "America/Caracas", "Europe/Volgograd", "Africa/Monrovia", "America/Juneau",
}

// drawTime draws an instant, half of the time close to a change of the clocks.
func drawTime(t *rapid.T, zone *time.Location) time.Time {
	at := time.Unix(rapid.Int64Range(-3_000_000_000, 4_000_000_000).Draw(t, "at"), 0).In(zone)
	if _, change := at.ZoneBounds(); !change.IsZero() && rapid.Bool().Draw(t, "near a change") {
		at = change.Add(time.Duration(rapid.Int64Range(-100_000, 100_000).Draw(t, "seconds from it")) * time.Second)
	}
	return at.Add(time.Duration(rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")))
}

// Spans tile time: an instant lies in its span, all instants of a span have
// this same span, and the next one begins where it ends and is called otherwise.
func TestSpansTile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		window := rapid.SampledFrom([]Window{Minute, Hour, Day, Week, Month, Quarter, Year}).Draw(t, "window")
		at := drawTime(t, zone)
		span := window.At(at, zone)
		if at.Before(span.Start) || !at.Before(span.End) {
			t.Fatalf("%v is outside of %+v", at, span)
		}
		length := span.End.Sub(span.Start)
		inside := span.Start.Add(time.Duration(rapid.Int64Range(0, int64(length)-1).Draw(t, "inside")))
		for _, other := range []time.Time{span.Start, inside, span.End.Add(-1)} {
			if got := window.At(other, zone); got != span {
				t.Fatalf("at %v %+v, at %v %+v", at, span, other, got)
			}
		}
		if before := window.At(span.Start.Add(-1), zone); !before.End.Equal(span.Start) || before.Label == span.Label {
			t.Fatalf("before %+v comes %+v", span, before)
		}
		if next := window.Next(span, zone); !next.Start.Equal(span.End) || next.Label == span.Label {
			t.Fatalf("after %+v comes %+v", span, next)
		}
	})
}

// On the last day of a leap year beyond a zone's table the time package gives an
// offset's end that lies before it: nothing may wait for that.
func TestLastDayOfALeapYear(t *testing.T) {
	noon := time.Date(2040, 12, 31, 12, 0, 0, 0, time.UTC)
	for _, name := range zones {
		zone := load(t, name)
		for _, window := range []Window{Minute, Hour, Day, Week, Month, Quarter, Year} {
			for _, at := range []time.Time{noon.Add(-12 * time.Hour), noon, noon.Add(12*time.Hour - 1), noon.Add(12 * time.Hour)} {
				span := window.At(at, zone)
				if at.Before(span.Start) || !at.Before(span.End) {
					t.Errorf("%s %v: %v is outside of %+v", name, window, at, span)
				}
				if next := window.Next(span, zone); !next.Start.Equal(span.End) || next.Label == span.Label {
					t.Errorf("%s %v: after %+v comes %+v", name, window, span, next)
				}
			}
		}
	}
}

// Over thirty years of every zone no label comes back, and none goes backwards
// among windows of whole days.
func TestLabelsAreUnique(t *testing.T) {
	from, until := time.Date(1996, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range zones {
		zone := load(t, name)
		for _, window := range []Window{Hour, Day, Week, Month, Quarter, Year} {
			end := until
			if window == Hour {
				end = from.AddDate(3, 0, 0)
			}
			seen, last := map[string]bool{}, ""
			for s := window.At(from, zone); s.Start.Before(end); s = window.Next(s, zone) {
				if seen[s.Label] {
					t.Fatalf("%s %v: %q comes twice", name, window, s.Label)
				}
				if window != Hour && s.Label <= last {
					t.Fatalf("%s: %q after %q", name, s.Label, last)
				}
				seen[s.Label], last = true, s.Label
			}
		}
	}
}

func TestPace(t *testing.T) {
	span := Day.At(time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC), load(t, "Europe/Berlin"))
	limit := 23 * providers.Dollar
	for hours, want := range map[int]providers.Money{-1: 0, 0: 0, 1: providers.Dollar, 22: 22 * providers.Dollar, 23: limit, 30: limit} {
		if got := Pace(span, span.Start.Add(time.Duration(hours)*time.Hour), limit); got != want {
			t.Errorf("after %d h: %v, want %v", hours, got, want)
		}
	}
	if got := Pace(Span{Label: "total"}, time.Now(), limit); got != limit {
		t.Errorf("total: %v", got)
	}
	year := Year.At(span.Start, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		limit := providers.Money(rapid.Int64Range(0, int64(providers.MaxMoney)).Draw(t, "limit"))
		at := rapid.Int64Range(0, int64(year.End.Sub(year.Start)))
		a, b := at.Draw(t, "a"), at.Draw(t, "b")
		pa, pb := Pace(year, year.Start.Add(time.Duration(a)), limit), Pace(year, year.Start.Add(time.Duration(b)), limit)
		if pa < 0 || pa > limit || (a <= b) != (pa <= pb) && pa != pb {
			t.Fatalf("pace %d → %v, %d → %v of %v", a, pa, b, pb, limit)
		}
	})
}

func BenchmarkWindowAt(b *testing.B) {
	zone, at := load(b, "Europe/Berlin"), time.Date(2026, 11, 23, 13, 5, 0, 0, time.UTC)
	for _, window := range []Window{Minute, Day, Month} {
		b.Run(window.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				window.At(at, zone)
			}
		})
	}
}
