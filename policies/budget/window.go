package budget

import (
	"fmt"
	"math/bits"
	"time"

	"farthing/providers"
)

// Span is one window on the time line: [Start, End) in UTC. Label is unique
// among the spans of its kind of window and zone. The span of Total has neither
// start nor end: both are zero.
type Span struct {
	Label      string
	Start, End time.Time
}

// At is the span of the window that t falls in, by the clocks of zone. The
// spans of one window and zone follow each other without gap or overlap.
//
//	Minute 2026-11-23T14:05+01:00   Week    2026-W48 (ISO 8601)
//	Hour   2026-11-23T14+01:00      Month   2026-11
//	Day    2026-11-23               Quarter 2026-Q4
//	Total  total                    Year    2026
//
// Minutes and hours bear their offset from UTC, for where clocks go back the
// same hour comes twice. A day has 23 to 25 hours there; a date that a zone
// skipped has no span.
func (w Window) At(t time.Time, zone *time.Location) Span {
	switch w {
	case Total:
		return Span{Label: "total"}
	case Minute:
		return clockSpan(t.In(zone), time.Minute, "2006-01-02T15:04")
	case Hour:
		return clockSpan(t.In(zone), time.Hour, "2006-01-02T15")
	}
	return w.calendarSpan(t.In(zone))
}

// Next is the span after s, which At gave for the same zone. Total is followed
// by itself.
func (w Window) Next(s Span, zone *time.Location) Span { return w.At(s.End, zone) }

// clockSpan cuts local time at multiples of length. A change of the offset ends
// the span too: what comes after has another label.
func clockSpan(t time.Time, length time.Duration, layout string) Span {
	_, offset := t.Zone()
	shift := time.Duration(offset) * time.Second
	start := t.UTC().Add(shift).Truncate(length)
	label := start.Format(layout) + offsetText(offset)
	start = start.Add(-shift)
	end := start.Add(length)
	for at := t; ; {
		from, _ := bounds(at)
		if from.IsZero() || !from.After(start) {
			break
		}
		at = from.Add(-1)
		if _, before := at.Zone(); before != offset {
			start = from.UTC()
			break
		}
	}
	for at := t; ; {
		_, until := bounds(at)
		if until.IsZero() || !until.Before(end) {
			break
		}
		at = until
		if _, after := at.Zone(); after != offset {
			end = until.UTC()
			break
		}
	}
	return Span{Label: label, Start: start, End: end}
}

// bounds are the instants between which the zone's offset is that of at. Where
// rules go on beyond a zone's table, the time package ends every year after 365
// days, and so tells the last day of a leap year that its offset ended before it.
func bounds(at time.Time) (from, until time.Time) {
	from, until = at.ZoneBounds()
	if !until.IsZero() && !until.After(at) {
		until = at.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).In(at.Location())
	}
	return from, until
}

// offsetText writes an offset in seconds as +01:00; seconds only where there
// are any, as in local mean times of the nineteenth century.
func offsetText(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	text := fmt.Sprintf("%c%02d:%02d", sign, seconds/3600, seconds/60%60)
	if s := seconds % 60; s != 0 {
		text += fmt.Sprintf(":%02d", s)
	}
	return text
}

// calendarSpan finds the last period of whole days that has begun by t. That is
// nearly always the one of t's date. It is a later one where clocks were put
// back across midnight: there the new day goes on.
func (w Window) calendarSpan(t time.Time) Span {
	first := w.firstDay(t.Date())
	start, next := midnight(first, t.Location()), w.following(first)
	for {
		end := midnight(next, t.Location())
		if end.After(t) {
			return Span{Label: w.label(first), Start: start, End: end}
		}
		first, start, next = next, end, w.following(next)
	}
}

// firstDay is the first date of the period that holds a date. A date is kept as its
// midnight in UTC, whatever the zone.
func (w Window) firstDay(year int, month time.Month, day int) time.Time {
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	switch w {
	case Week:
		return date.AddDate(0, 0, -(int(date.Weekday())+6)%7)
	case Month:
		return date.AddDate(0, 0, 1-day)
	case Quarter:
		return time.Date(year, month-(month-1)%3, 1, 0, 0, 0, 0, time.UTC)
	case Year:
		return time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	return date
}

// following is the first date of the period after the one that begins at first.
func (w Window) following(first time.Time) time.Time {
	switch w {
	case Week:
		return first.AddDate(0, 0, 7)
	case Month:
		return first.AddDate(0, 1, 0)
	case Quarter:
		return first.AddDate(0, 3, 0)
	case Year:
		return first.AddDate(1, 0, 0)
	}
	return first.AddDate(0, 0, 1)
}

func (w Window) label(first time.Time) string {
	switch w {
	case Week:
		year, week := first.ISOWeek()
		return fmt.Sprintf("%04d-W%02d", year, week)
	case Month:
		return first.Format("2006-01")
	case Quarter:
		return fmt.Sprintf("%04d-Q%d", first.Year(), (first.Month()+2)/3)
	case Year:
		return first.Format("2006")
	}
	return first.Format("2006-01-02")
}

// midnight is the first instant at which the clocks of zone show the date or a
// later one. It is found period by period of the zone's offset: time.Date would
// pick one of two instants where midnight comes twice, and one beside it where
// midnight is skipped.
func midnight(date time.Time, zone *time.Location) time.Time {
	for at := date.Add(-26 * time.Hour).In(zone); ; {
		from, until := bounds(at)
		_, offset := at.Zone()
		begins := date.Add(-time.Duration(offset) * time.Second)
		if begins.Before(from) {
			begins = from.UTC()
		}
		if until.IsZero() || begins.Before(until) {
			return begins
		}
		at = until
	}
}

// Pace is how much of limit would be spent by now if spending were even over
// the span: limit × elapsed ÷ length, rounded down. Before the span it is 0;
// after it, and for Total, which has no length, it is the whole limit.
func Pace(span Span, now time.Time, limit providers.Money) providers.Money {
	if span.End.IsZero() || !now.Before(span.End) {
		return limit
	}
	elapsed := now.Sub(span.Start)
	if elapsed <= 0 || limit <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(limit), uint64(elapsed))
	share, _ := bits.Div64(high, low, uint64(span.End.Sub(span.Start)))
	return providers.Money(share)
}
