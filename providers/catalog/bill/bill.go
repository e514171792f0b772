// Package bill is the core of `farthing bill`: one request's usage or raw
// response in, its cost with a line per class out. Start with One. It prints
// dollars exactly, to the pico-dollar; nothing here reads a file or a clock.
package bill

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"farthing/providers"
	"farthing/providers/catalog"
	"farthing/providers/catalog/price"
)

// Input is one request to bill: its usage in the classes of
// providers.Usage, or a provider's raw response body.
type Input struct {
	ID          json.RawMessage  `json:"id,omitempty"`
	Provider    string           `json:"provider"`
	Model       string           `json:"model"`                  // "": the model that the response names
	Format      providers.Format `json:"format,omitempty"`       // of the response; "": the provider row's
	Time        string           `json:"time,omitempty"`         // RFC 3339 or a date; "": now
	ServiceTier string           `json:"service_tier,omitempty"` // where the response names none
	DataIn      string           `json:"data_in,omitempty"`      // region for which a residency factor may hold
	Usage       json.RawMessage  `json:"usage,omitempty"`
	Response    json.RawMessage  `json:"response,omitempty"`
	Prices      json.RawMessage  `json:"prices,omitempty"` // a row that stands in for the book
}

// Output is the bill. Dollars are decimal strings, exact to the
// pico-dollar.
type Output struct {
	ID       json.RawMessage `json:"id,omitempty"`
	Provider string          `json:"provider"`
	Model    string          `json:"model"`
	Usage    providers.Usage `json:"usage"`
	CostUSD  string          `json:"cost_usd"`
	Source   string          `json:"source"` // provider: its own cost field; book: a row of the book; given: the input's prices
	Lines    []Line          `json:"lines"`
	Row      *Row            `json:"row,omitempty"` // the row that priced the lines
	Tier     string          `json:"service_tier,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
}

// Line is one class: count × price = cost. Price is dollars per million
// tokens; for a fee per call Each is dollars per call instead.
type Line struct {
	Class   string `json:"class"`
	Count   int64  `json:"count"`
	Price   string `json:"price_per_million_usd,omitempty"`
	Each    string `json:"each_usd,omitempty"`
	CostUSD string `json:"cost_usd"`
}

// Row says where the prices are from.
type Row struct {
	From    string `json:"from,omitempty"` // the date from which they hold
	Above   int64  `json:"above,omitempty"`
	OffPeak bool   `json:"off_peak,omitempty"`
	Source  string `json:"source"`
}

// Decode reads a raw response body; the packages of the wire formats have it.
type Decode func(format providers.Format, provider string, body []byte) (providers.Meter, error)

// ErrNoPrice says that a model has no price: it is unpriced, which is not free.
var ErrNoPrice = errors.New("no price is known")

// maxCount is the most tokens or calls of one class that are believed.
const maxCount = 1_000_000_000_000

// One bills one request. now stands in where the input has no time. The
// provider's own cost field in a response goes before the book. Counts that
// cannot be, unknown classes and models without a price are errors.
func One(b *catalog.Book, in Input, now time.Time, decode Decode) (out Output, err error) {
	m, err := in.meter(decode)
	if err != nil {
		return out, err
	}
	out = Output{ID: in.ID, Provider: in.Provider, Model: in.Model, Usage: m.Usage, Lines: []Line{}}
	if out.Model == "" {
		out.Model = m.Model
	}
	terms := price.Terms{Tier: in.ServiceTier, Region: in.DataIn, At: now}
	if m.Tier != "" {
		terms.Tier = m.Tier
	}
	if in.Time != "" {
		if terms.At, err = moment(in.Time); err != nil {
			return out, err
		}
	}
	row, err := rowOf(b, in, out.Model, terms.At)
	if err != nil && m.Cost == nil {
		return out, err
	}
	out.Source = "book"
	if len(in.Prices) > 0 {
		out.Source = "given"
	}
	if row != nil {
		out.price(row.Cost(m.Usage, terms))
	}
	if m.Cost != nil {
		out.own(*m.Cost)
	}
	return out, nil
}

// own takes the provider's cost for the bill's and says where the book differs.
func (o *Output) own(cost providers.Money) {
	if o.CostUSD != "" && o.CostUSD != cost.String() {
		o.Warnings = append(o.Warnings, "by its price row it would be $"+o.CostUSD)
	}
	o.Source, o.CostUSD = "provider", cost.String()
}

func (o *Output) price(b price.Bill) {
	o.CostUSD, o.Tier, o.Warnings = b.Total.String(), b.Tier, b.Warnings
	o.Row = &Row{From: b.From, Above: b.Above, OffPeak: b.OffPeak, Source: b.Source}
	for _, l := range b.Lines {
		line := Line{Class: l.Class, Count: l.Count, CostUSD: l.Cost.String()}
		if l.Each > 0 {
			line.Each = l.Each.String()
		} else {
			line.Price = l.Price.String()
		}
		o.Lines = append(o.Lines, line)
	}
}

func rowOf(b *catalog.Book, in Input, model string, at time.Time) (*price.Row, error) {
	if len(in.Prices) > 0 {
		c, err := price.ParseRow(in.Prices)
		if err != nil {
			return nil, fmt.Errorf("prices: %w", err)
		}
		row, problems := price.Compile("prices", c)
		if row == nil {
			return nil, fmt.Errorf("%s: %s", problems[0].Path, problems[0].Message)
		}
		return row, nil
	}
	row, ok := b.Row(in.Provider, model, at)
	if !ok {
		return nil, fmt.Errorf("%w for %s/%s: give it a row under prices.rows", ErrNoPrice, in.Provider, model)
	}
	return row, nil
}

func (in Input) meter(decode Decode) (m providers.Meter, err error) {
	switch {
	case len(in.Usage) > 0 && len(in.Response) > 0:
		return m, errors.New("usage and response: give one of them")
	case len(in.Usage) > 0:
		d := json.NewDecoder(bytes.NewReader(in.Usage))
		d.DisallowUnknownFields()
		if err := d.Decode(&m.Usage); err != nil {
			return m, fmt.Errorf("usage: %s", strings.TrimPrefix(err.Error(), "json: "))
		}
	case len(in.Response) > 0:
		format := in.Format
		if format == "" {
			if row, ok := catalog.ProviderRow(in.Provider); ok {
				format = row.Format
			}
		}
		if m, err = decode(format, in.Provider, in.Response); err != nil {
			return m, fmt.Errorf("response: %w", err)
		}
		if !m.HasUsage && m.Cost == nil {
			return m, errors.New("the response reports no usage: give usage instead")
		}
	default:
		return m, errors.New("neither usage nor response is given")
	}
	return m, CheckUsage(m.Usage)
}

// CheckUsage refuses counts that cannot be: negative ones, more than 10^12 of
// a class, a search size that does not exist.
func CheckUsage(u providers.Usage) error {
	raw, err := json.Marshal(u)
	if err != nil {
		return err
	}
	var counts map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&counts); err != nil {
		return err
	}
	for class, v := range counts {
		n, isNumber := v.(json.Number)
		if !isNumber {
			continue
		}
		if i, err := n.Int64(); err != nil || i < 0 || i > maxCount {
			return fmt.Errorf("usage.%s: %s cannot be a count (0 to 10^12)", class, n)
		}
	}
	switch u.SearchSize {
	case "", "low", "medium", "high":
		return nil
	}
	return fmt.Errorf("usage.search_size: %q is not low, medium or high", u.SearchSize)
}

func moment(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time: %q is neither RFC 3339 (2026-11-24T12:00:00Z) nor a date", s)
}
