package price

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// window is a part of the day in a zone, on some days of the week.
type window struct {
	zone       *time.Location
	days       [7]bool // by time.Weekday, the day on which the window starts
	start, end int     // minutes of the day; equal: the whole day
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func parseWindow(o OffPeakConfig) (w window, err error) {
	if w.zone, err = time.LoadLocation(o.Zone); err != nil {
		return w, fmt.Errorf("unknown zone %q: write an IANA name such as Asia/Shanghai", o.Zone)
	}
	for _, d := range o.Days {
		i := slices.Index(dayNames, strings.ToLower(d))
		if i < 0 {
			return w, fmt.Errorf("not a day: %q (write mon … sun)", d)
		}
		w.days[i] = true
	}
	if len(o.Days) == 0 {
		w.days = [7]bool{true, true, true, true, true, true, true}
	}
	from, to, ok := strings.Cut(o.Hours, "-")
	if w.start, err = minute(from); err == nil && ok {
		w.end, err = minute(to)
	}
	if err != nil || !ok {
		return w, fmt.Errorf("not hours: %q (write 16:30-00:30)", o.Hours)
	}
	return w, nil
}

func minute(s string) (int, error) {
	hh, mm, _ := strings.Cut(strings.TrimSpace(s), ":")
	h, err := strconv.Atoi(hh)
	m, err2 := strconv.Atoi(mm)
	if err != nil || err2 != nil || len(mm) != 2 || h < 0 || m < 0 || m > 59 || h*60+m > 24*60 {
		return 0, fmt.Errorf("not a time of day: %q", s)
	}
	return (h*60 + m) % (24 * 60), nil
}

// holds says whether t lies in the window: start inclusive, end exclusive.
func (w *window) holds(t time.Time) bool {
	local := t.In(w.zone)
	return w.covers(int(local.Weekday()), local.Hour()*60+local.Minute())
}

func (w *window) covers(day, m int) bool {
	switch {
	case w.start == w.end:
		return w.days[day]
	case w.start < w.end:
		return w.days[day] && m >= w.start && m < w.end
	}
	return w.days[day] && m >= w.start || w.days[(day+6)%7] && m < w.end
}

// overlap finds two windows that hold at the same time, in a winter or a
// summer week of their zones.
func overlap(ws []window) (i, j int, found bool) {
	for _, week := range []time.Time{time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), time.Date(2026, 7, 6, 0, 0, 0, 0, time.UTC)} {
		for m := range 7 * 24 * 60 {
			i = -1
			at := week.Add(time.Duration(m) * time.Minute)
			for k := range ws {
				if !ws[k].holds(at) {
					continue
				}
				if i >= 0 {
					return i, k, true
				}
				i = k
			}
		}
	}
	return 0, 0, false
}
