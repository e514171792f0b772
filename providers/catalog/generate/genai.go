package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"sort"
	"strconv"
	"strings"

	"farthing/providers"
	"farthing/providers/catalog"
	"farthing/providers/catalog/price"
)

// genaiProviders are the providers of genai-prices that have a row here, under
// the name that they have here. The others keep their own names.
var genaiProviders = map[string]string{
	"google": "gemini", "x-ai": "xai", "moonshotai": "moonshot", "aws": "bedrock", "voyageai": "voyage",
}

type genaiProvider struct {
	ID     string       `json:"id"`
	Models []genaiModel `json:"models"`
}

type genaiModel struct {
	ID      string          `json:"id"`
	Match   catalog.Match   `json:"match"`
	Context int64           `json:"context_window"`
	Prices  json.RawMessage `json:"prices"`
}

type genaiPrices struct {
	Constraint *struct {
		StartDate string `json:"start_date"`
		StartTime string `json:"start_time"`
		EndTime   string `json:"end_time"`
	} `json:"constraint"`
	Prices map[string]json.RawMessage `json:"prices"`
}

type genaiTiers struct {
	Base  json.Number `json:"base"`
	Tiers []struct {
		Start int64       `json:"start"`
		Price json.Number `json:"price"`
	} `json:"tiers"`
}

// genaiClasses are the units of genai-prices that are token classes here.
var genaiClasses = map[string]price.Class{
	"input_mtok": price.Input, "cache_read_mtok": price.CacheRead, "cache_write_mtok": price.CacheWrite,
	"cache_write_5m_mtok": price.CacheWrite, "cache_write_1h_mtok": price.CacheWrite1h, "output_mtok": price.Output,
	"output_reasoning_mtok": price.Reasoning, "input_audio_mtok": price.AudioIn, "cache_audio_read_mtok": price.AudioCacheRead,
	"output_audio_mtok": price.AudioOut, "input_image_mtok": price.ImageIn, "cache_image_read_mtok": price.ImageCacheRead,
	"output_image_mtok": price.ImageOut, "input_video_mtok": price.VideoIn, "output_video_mtok": price.VideoOut,
	"output_citation_mtok": price.Citation,
}

// readGenai turns genai-prices' data into entries.
func (g *generator) readGenai(data []byte) ([]*catalog.Entry, error) {
	var ps []genaiProvider
	if err := json.Unmarshal(data, &ps); err != nil {
		return nil, err
	}
	var out []*catalog.Entry
	for _, p := range ps {
		name := p.ID
		if n, ok := genaiProviders[name]; ok {
			name = n
		}
		for _, m := range p.Models {
			e := &catalog.Entry{Provider: name, Model: m.ID}
			if m.Match.Equals != m.ID {
				e.Match = &m.Match
			}
			if m.Context > 0 {
				e.Can = &catalog.Can{Context: m.Context}
			}
			rows, err := g.genaiRows(name+"/"+m.ID, m.Prices)
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", name, m.ID, err)
			}
			if e.Rows = rows; len(rows) > 0 {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

func (g *generator) genaiRows(target string, raw json.RawMessage) ([]price.RowConfig, error) {
	var list []genaiPrices
	if bytes.HasPrefix(raw, []byte("[")) {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
	} else {
		list = make([]genaiPrices, 1)
		if err := json.Unmarshal(raw, &list[0].Prices); err != nil {
			return nil, err
		}
	}
	var rows []price.RowConfig
	for _, p := range list {
		row, err := g.genaiRow(target, p.Prices)
		if err != nil {
			return nil, err
		}
		c := p.Constraint
		switch {
		case c == nil && len(p.Prices) == 0:
			continue
		case c != nil && c.StartTime != "":
			// The unconstrained prices are the exception and these the rule.
			last := &rows[len(rows)-1]
			row.OffPeak = []price.OffPeakConfig{{Zone: "UTC", Hours: clock(c.EndTime) + "-" + clock(c.StartTime), Rates: last.Rates}}
			*last = row
			continue
		case c != nil:
			row.From = c.StartDate
			rows[len(rows)-1].To = c.StartDate
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// clock is HH:MM of HH:MM:SSZ.
func clock(s string) string { return s[:5] }

func (g *generator) genaiRow(target string, prices map[string]json.RawMessage) (price.RowConfig, error) {
	row := price.RowConfig{Source: g.genaiSource}
	for _, unit := range keys(prices) {
		raw := prices[unit]
		t := genaiTiers{}
		if bytes.HasPrefix(raw, []byte("{")) {
			if err := json.Unmarshal(raw, &t); err != nil {
				return row, err
			}
		} else {
			t.Base = json.Number(strings.Trim(string(raw), `"`))
		}
		class, ok := genaiClasses[unit]
		switch {
		case unit == "requests_kcount":
			m := perThousand(t.Base)
			row.PerRequest = &m
		case unit == "web_searches_kcount":
			row.PerSearch = map[string]providers.Money{"any": perThousand(t.Base)}
		case !ok:
			g.note("%s: the unit %s has no class and is left out", target, unit)
		default:
			set(&row.Rates, class, g.price(target, class, t.Base.String(), 0))
			for _, tier := range t.Tiers {
				setAbove(&row, tier.Start, class, g.price(target, class, tier.Price.String(), 0))
			}
		}
	}
	return row, nil
}

func setAbove(row *price.RowConfig, above int64, c price.Class, p providers.Price) {
	if row.Above == nil {
		row.Above = map[int64]price.Rates{}
	}
	r := row.Above[above]
	set(&r, c, p)
	row.Above[above] = r
}

// price reads a decimal times 10^shift as dollars per million tokens. A number
// of more than 15 digits is a decimal that went through binary floating point:
// its first 15 digits are what was meant. What then has more than six decimals
// is rounded up and listed.
func (g *generator) price(target string, c price.Class, s string, shift int) providers.Price {
	p, roundedUp, err := providers.ParsePrice(decimal(s, shift))
	if err != nil {
		g.fail("%s %s: %v", target, c, err)
	}
	if roundedUp {
		g.rounded = append(g.rounded, fmt.Sprintf("%s %s: %s → %s", target, c, decimal(s, shift), p))
	}
	return p
}

func decimal(s string, shift int) string {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'e', 14, 64))
	if !ok {
		return s
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil)))
	return strings.TrimRight(strings.TrimRight(r.FloatString(20), "0"), ".")
}

// perThousand is one call's money of a price per thousand calls.
func perThousand(n json.Number) providers.Money {
	m, err := providers.ParseMoney(n.String())
	if err != nil {
		return 0
	}
	return m / 1000
}

func set(r *price.Rates, c price.Class, p providers.Price) { *field(r, c) = &p }

// field is where a class stands in Rates.
func field(r *price.Rates, c price.Class) **providers.Price {
	return [...]**providers.Price{
		&r.Input, &r.CacheRead, &r.CacheWrite, &r.CacheWrite1h, &r.Output, &r.Reasoning,
		&r.AudioIn, &r.AudioCacheRead, &r.AudioOut, &r.ImageIn, &r.ImageCacheRead, &r.ImageOut, &r.VideoIn, &r.VideoOut, &r.Citation,
	}[c]
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
