//go:build data

package price

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"farthing/providers"
	"farthing/providers/providertest"
)

// priceCase is one line of price_cases.jsonl.
type priceCase struct {
	ID, Kind, Model string
	Timestamp       *time.Time
	ServiceTier     string `json:"service_tier"`
	Usage           map[string]int64
	Prices          map[string]json.RawMessage
	Expected        struct {
		Input  *string `json:"input_usd"`
		Output *string `json:"output_usd"`
		Total  *string `json:"total_usd"`
	}
}

var units = map[string]Class{
	"input_mtok": Input, "cache_read_mtok": CacheRead, "cache_write_mtok": CacheWrite, "cache_write_1h_mtok": CacheWrite1h,
	"output_mtok": Output, "output_reasoning_mtok": Reasoning, "input_audio_mtok": AudioIn, "cache_audio_read_mtok": AudioCacheRead, "output_audio_mtok": AudioOut,
	"input_image_mtok": ImageIn, "cache_image_read_mtok": ImageCacheRead, "output_image_mtok": ImageOut, "input_video_mtok": VideoIn, "output_video_mtok": VideoOut,
	"output_citation_mtok": Citation,
}

// TestDataPriceCases bills every case from its stated usage and prices
// and wants its dollars to the last digit.
func TestDataPriceCases(t *testing.T) {
	f, err := os.Open(providertest.DataFile(t, "price_cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := providertest.NewTable(t)
	for lines := json.NewDecoder(f); lines.More(); {
		var c priceCase
		if err := lines.Decode(&c); err != nil {
			t.Fatal(err)
		}
		// A wire case states its usage too; that it is read right from the wire
		// is tested where wire formats are.
		if len(c.Prices) > 0 {
			table.Check("price/"+c.Kind, c.ID, c.check())
		}
	}
}

// check bills the case.
func (c priceCase) check() error {
	row, err := c.row()
	if err != nil {
		return err
	}
	r, problems := Compile(c.ID, row)
	if r == nil {
		return fmt.Errorf("%v", problems)
	}
	terms := Terms{Tier: c.ServiceTier}
	if c.Timestamp != nil {
		terms.At = *c.Timestamp
	}
	var in, out, total providers.Pico
	b := r.Cost(c.usage(), terms)
	for _, l := range b.Lines {
		total += l.Cost
		for class := range classes {
			switch {
			case l.Class != class.String():
			case class.isOutput() || class == Citation:
				out += l.Cost
			default:
				in += l.Cost
			}
		}
	}
	if total != b.Total {
		return fmt.Errorf("lines %s, total %s", total, b.Total)
	}
	return errors.Join(same("input", in, c.Expected.Input), same("output", out, c.Expected.Output), same("total", b.Total, c.Expected.Total))
}

// same compares an amount with what the case wants; nil wants nothing.
func same(what string, got providers.Pico, want *string) error {
	if want == nil {
		return nil
	}
	dollars, ok := new(big.Rat).SetString(*want)
	if !ok {
		return fmt.Errorf("%s is not a number: %q", what, *want)
	}
	if big.NewRat(int64(got), 1_000_000_000_000).Cmp(dollars) != 0 {
		return fmt.Errorf("%s: got %s, want %s", what, got, *want)
	}
	return nil
}

// usage makes the classes disjoint; what exceeds its parent is clamped to it.
func (c priceCase) usage() (u providers.Usage) {
	n := c.Usage
	in, hasIn := n["input_tokens"]
	take := func(want int64, of *int64) int64 {
		want = max(min(want, *of), 0)
		*of -= want
		return want
	}
	if !hasIn {
		in = 1 << 50
	}
	u.AudioCacheRead = take(n["cache_audio_read_tokens"], &in)
	u.AudioIn = take(n["input_audio_tokens"]-u.AudioCacheRead, &in)
	u.ImageCacheRead = take(n["cache_image_read_tokens"], &in)
	u.ImageIn = take(n["input_image_tokens"]-u.ImageCacheRead, &in)
	u.VideoIn = take(n["input_video_tokens"], &in)
	u.CacheRead = take(n["cache_read_tokens"]-u.AudioCacheRead-u.ImageCacheRead, &in)
	u.CacheWrite1h = take(n["cache_write_1h_tokens"], &in)
	u.CacheWrite5m = take(n["cache_write_tokens"]-u.CacheWrite1h, &in)
	if hasIn {
		u.Input = in
	}
	out := n["output_tokens"]
	u.AudioOut = take(n["output_audio_tokens"], &out)
	u.ImageOut = take(n["output_image_tokens"], &out)
	u.VideoOut = take(n["output_video_tokens"], &out)
	u.Citations = take(n["output_citation_tokens"], &out)
	u.Output, u.Reasoning = out, n["output_reasoning_tokens"]
	u.WebSearches, u.Requests = n["web_searches"], n["requests"]
	return u
}

func (c priceCase) row() (row RowConfig, err error) {
	row.Rates, row.Above, err = rates(c.Prices)
	if err != nil {
		return row, err
	}
	for unit, raw := range c.Prices {
		s := strings.Trim(string(raw), `"`)
		switch unit {
		case "web_searches_kcount":
			m, _ := providers.ParseMoney(s)
			row.PerSearch = map[string]providers.Money{"any": m / 1000}
		case "requests_kcount":
			m, _ := providers.ParseMoney(s)
			m /= 1000
			row.PerRequest = &m
		case "service_tiers":
			var tiers map[string]map[string]json.RawMessage
			if err := json.Unmarshal(raw, &tiers); err != nil {
				return row, err
			}
			row.Tiers = map[string]TierConfig{}
			for name, prices := range tiers {
				var t TierConfig
				if t.Rates, t.Above, err = rates(prices); err != nil {
					return row, err
				}
				row.Tiers[name] = t
			}
		case "off_peak":
			if row.OffPeak, err = offPeak(raw); err != nil {
				return row, err
			}
		}
	}
	return row, nil
}

func rates(prices map[string]json.RawMessage) (r Rates, above map[int64]Rates, err error) {
	fields := func(r *Rates) [classes]**providers.Price {
		return [...]**providers.Price{
			&r.Input, &r.CacheRead, &r.CacheWrite, &r.CacheWrite1h, &r.Output, &r.Reasoning, &r.AudioIn, &r.AudioCacheRead,
			&r.AudioOut, &r.ImageIn, &r.ImageCacheRead, &r.ImageOut, &r.VideoIn, &r.VideoOut, &r.Citation,
		}
	}
	for unit, raw := range prices {
		class, ok := units[unit]
		if !ok {
			continue
		}
		var tiered struct {
			Base  *providers.Price
			Tiers []struct {
				Start int64
				Price *providers.Price
			}
		}
		if raw[0] == '{' {
			err = json.Unmarshal(raw, &tiered)
		} else {
			err = json.Unmarshal(raw, &tiered.Base)
		}
		if err != nil {
			return r, above, fmt.Errorf("%s: %w", unit, err)
		}
		*fields(&r)[class] = tiered.Base
		for _, t := range tiered.Tiers {
			if above == nil {
				above = map[int64]Rates{}
			}
			step := above[t.Start]
			*fields(&step)[class] = t.Price
			above[t.Start] = step
		}
	}
	return r, above, nil
}

func offPeak(raw json.RawMessage) (out []OffPeakConfig, err error) {
	type hours struct {
		Hours    json.RawMessage `json:"hours_utc"`
		Weekdays []int
	}
	var o struct {
		hours
		Windows []hours
	}
	var prices map[string]json.RawMessage
	if err = json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	if err = json.Unmarshal(raw, &prices); err != nil {
		return nil, err
	}
	r, _, err := rates(prices)
	if o.Hours != nil {
		o.Windows = append(o.Windows, o.hours)
	}
	for _, w := range o.Windows {
		var list []string
		if w.Hours[0] == '[' {
			err = json.Unmarshal(w.Hours, &list)
		} else {
			list = []string{strings.Trim(string(w.Hours), `"`)}
		}
		for _, h := range list {
			c := OffPeakConfig{Zone: "UTC", Hours: h, Rates: r}
			for _, d := range w.Weekdays { // ISO: 1 is Monday, 7 Sunday
				c.Days = append(c.Days, dayNames[d%7])
			}
			out = append(out, c)
		}
	}
	return out, err
}
