package world

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"farthing/localengine/adapter"
	"farthing/providers/upstream"
)

// Live is what one provider or engine said when it was tried.
type Live struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Said string `json:"said"`
}

// TryAll asks every provider and engine for its models, with its key.
func (w *World) TryAll(ctx context.Context) []Live {
	var all []Live
	for _, name := range slices.Sorted(maps.Keys(w.providers)) {
		all = append(all, tryProvider(ctx, w.providers[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(w.engines)) {
		e := w.engines[name]
		if e.row.Name == embeddedType {
			continue
		}
		models, err := adapter.Models(ctx, e.row.Name, e.url, e.header...)
		l := Live{Name: name, OK: err == nil, Said: fmt.Sprintf("%d chat model(s)", len(models))}
		if err != nil {
			l.Said = err.Error()
		}
		all = append(all, l)
	}
	return all
}

func tryProvider(ctx context.Context, p *provider) Live {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	l := Live{Name: p.name}
	response, err := p.conn.Client.Do(ctx, upstream.Call{Method: "GET", Path: "/models"})
	if err != nil {
		l.Said = err.Error()
		return l
	}
	defer response.Body.Close()
	switch response.Status {
	case 200:
		l.OK, l.Said = true, "the key works"
	case 401, 403:
		l.Said = fmt.Sprintf("the key was refused (%d)", response.Status)
	default:
		l.OK, l.Said = true, fmt.Sprintf("answers (%d), which says nothing about the key", response.Status)
	}
	return l
}
