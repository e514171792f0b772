package budget

import (
	"fmt"
	"slices"
	"strings"

	"farthing/providers"
)

var windowNames = [...]string{"total", "minute", "hour", "day", "week", "month", "quarter", "year"}

// String is the window's word in the file; Total is "total".
func (w Window) String() string { return windowNames[w] }

// UnmarshalText reads "$25 per day" or, for a limit that never starts anew,
// "$100". The dollar sign may be left out. The amount has at most nine decimals
// and is at most providers.MaxMoney.
func (l *Limit) UnmarshalText(b []byte) error {
	words := strings.Fields(string(b))
	if len(words) != 1 && (len(words) != 3 || words[1] != "per") {
		return fmt.Errorf("not a limit: %q (write $25 per day, or $100 for a total)", b)
	}
	window := Total
	if len(words) == 3 {
		i := slices.Index(windowNames[:], words[2])
		if i <= int(Total) {
			return fmt.Errorf("%q: there is no window %q; windows are %s",
				b, words[2], strings.Join(windowNames[Minute:], " "))
		}
		window = Window(i)
	}
	amount, err := providers.ParseMoney(words[0])
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(words[0], "-"):
		return fmt.Errorf("%q: a limit cannot be negative", b)
	case amount > providers.MaxMoney:
		return fmt.Errorf("%q: a limit is at most %s", b, providers.MaxMoney.USD())
	}
	*l = Limit{Amount: amount, Window: window}
	return nil
}

// String writes what UnmarshalText reads: "$25.00 per day", "$100.00".
func (l Limit) String() string {
	if l.Window == Total {
		return l.Amount.USD()
	}
	return l.Amount.USD() + " per " + l.Window.String()
}

// MarshalText writes String.
func (l Limit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }
