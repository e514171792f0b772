package budget

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"farthing/providers"
)

func TestLimit(t *testing.T) {
	tests := []struct {
		text string
		want Limit
	}{
		{"$25 per day", Limit{25 * providers.Dollar, Day}},
		{"25 per day", Limit{25 * providers.Dollar, Day}},
		{"  $60000  per month ", Limit{60000 * providers.Dollar, Month}},
		{"$100", Limit{100 * providers.Dollar, Total}},
		{"0.000000001 per minute", Limit{1, Minute}},
		{"$0 per year", Limit{0, Year}},
		{"$9007199.254740991 per quarter", Limit{providers.MaxMoney, Quarter}},
		{"$1 per week", Limit{providers.Dollar, Week}},
		{"$1 per hour", Limit{providers.Dollar, Hour}},
	}
	for _, tt := range tests {
		var got Limit
		if err := got.UnmarshalText([]byte(tt.text)); err != nil || got != tt.want {
			t.Errorf("%q = %+v, %v", tt.text, got, err)
		}
	}
}

func TestLimitErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "not a limit",
		"$12.5k":                  "not an amount of money",
		"$12.5k per day":          "not an amount of money",
		"$5 per fortnight":        `no window "fortnight"; windows are minute hour day week month quarter year`,
		"$5 per total":            "no window",
		"$5 a day":                "not a limit",
		"$5 per":                  "not a limit",
		"$5/day":                  "not an amount",
		"-$5 per day":             "negative",
		"-5":                      "negative",
		"-0":                      "negative",
		"$0.0000000001 per day":   "nine decimals",
		"$9007199.254740992":      "at most $9007199.254740991",
		"$99999999999999 per day": "not an amount",
		"per day":                 "not a limit",
		"5 5 day":                 "not a limit",
		"NaN per day":             "not an amount",
	} {
		var l Limit
		if err := l.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want …%s…", text, err, want)
		}
	}
}

func TestLimitRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Limit{
			Amount: providers.Money(rapid.Int64Range(0, int64(providers.MaxMoney)).Draw(t, "amount")),
			Window: Window(rapid.IntRange(int(Total), int(Year)).Draw(t, "window")),
		}
		var got Limit
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Fatalf("%q = %+v, %v", want, got, err)
		}
	})
}

func FuzzLimit(f *testing.F) {
	for _, s := range []string{"$25 per day", "$100", "25 per day", "$12.5k", "1e3 per day", "-$1", "$1 per fortnight", "0x10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var l, again Limit
		if l.UnmarshalText([]byte(text)) != nil {
			return
		}
		if l.Amount < 0 || l.Amount > providers.MaxMoney || l.Window > Year {
			t.Fatalf("%q = %+v", text, l)
		}
		if err := again.UnmarshalText([]byte(l.String())); err != nil || again != l {
			t.Fatalf("%q → %q → %+v, %v", text, l, again, err)
		}
	})
}
