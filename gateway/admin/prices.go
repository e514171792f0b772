package admin

import (
	"context"
	"sort"
	"strings"
	"time"

	"farthing/providers"
	"farthing/providers/catalog"
	"farthing/providers/catalog/price"
)

// PriceView is what a target costs today, in dollars per million tokens.
type PriceView struct {
	Target     string           `json:"target"`
	Input      *providers.Price `json:"input"`
	CacheRead  *providers.Price `json:"cache_read"`
	CacheWrite *providers.Price `json:"cache_write"`
	Output     *providers.Price `json:"output"`
	From       string           `json:"from,omitempty"` // the date from which this holds
	Source     string           `json:"source,omitempty"`
	Own        bool             `json:"own,omitempty"` // a row of the file
}

// Prices lists the present prices of the targets whose name contains match, the
// file's own rows first.
func (s *Service) Prices(_ context.Context, match string) ([]PriceView, error) {
	book, now := s.Book(), s.Now()
	own := []PriceView{}
	var views []PriceView
	for _, c := range book.Own() {
		if row, problems := price.Compile("", c); len(problems) == 0 && holds(row, now) && strings.Contains(c.Target, match) {
			own = append(own, viewOf(c.Target, row, true))
		}
	}
	for _, e := range book.Entries() {
		target := e.Provider + "/" + e.Model
		if !strings.Contains(target, match) {
			continue
		}
		if row, ok := book.Row(e.Provider, e.Model, now); ok && row.Priced() {
			views = append(views, viewOf(target, row, false))
		}
	}
	sort.SliceStable(views, func(i, j int) bool { return views[i].Target < views[j].Target })
	return append(own, views...), nil
}

func holds(row *price.Row, now time.Time) bool {
	return !now.Before(row.From) && (row.To.IsZero() || now.Before(row.To))
}

func viewOf(target string, row *price.Row, own bool) PriceView {
	c := row.Config
	return PriceView{
		Target: target, Input: c.Input, CacheRead: c.CacheRead, CacheWrite: c.CacheWrite, Output: c.Output,
		From: c.From, Source: c.Source, Own: own,
	}
}

// PriceHistory is everything known of a target's prices, oldest row first.
type PriceHistory struct {
	Target string            `json:"target"`
	Own    []price.RowConfig `json:"own,omitempty"` // rows of the file, which win
	Rows   []price.RowConfig `json:"rows"`          // of the book
	Book   string            `json:"book"`          // its version
}

// PriceOf is the history of one target. The error is of kind NotFound where
// nobody knows a price.
func (s *Service) PriceOf(_ context.Context, target string) (PriceHistory, error) {
	book := s.Book()
	h := PriceHistory{Target: target, Book: book.Version()}
	for _, c := range book.Own() {
		if c.Target == target {
			h.Own = append(h.Own, c)
		}
	}
	if provider, model, ok := providers.SplitTarget(target); ok {
		var e catalog.Entry
		if e, ok = book.Entry(provider, model); ok {
			h.Rows = e.Rows
		}
	}
	if len(h.Own)+len(h.Rows) == 0 {
		return h, &providers.Error{Kind: providers.NotFound, Message: "no price is known for " + target + " (write provider/model; farthing prices list --match finds names)"}
	}
	return h, nil
}
