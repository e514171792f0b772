package app

import (
	"context"
	"encoding/json"
	"time"

	"farthing/policies/estimate"
)

const (
	learnedDocument = "estimate"      // the store's document with what the estimator has learned
	learnedEvery    = 5 * time.Minute // how often it is written
)

// documents is the store's shelf of small named documents.
type documents interface {
	Document(ctx context.Context, name string) (body []byte, found bool, err error)
	PutDocument(ctx context.Context, name string, body []byte) error
}

// recall gives the estimator what was learned of answers' lengths before the
// last stop. Without it a restart would hold as much as on the first day.
func (a *App) recall(ctx context.Context) error {
	body, found, err := a.store.Document(ctx, learnedDocument)
	if err != nil || !found {
		return err
	}
	var s estimate.Snapshot
	if err := json.Unmarshal(body, &s); err != nil {
		return err
	}
	return a.estimator.Restore(s)
}

// remember writes it from time to time until ctx ends, and once more then. Of
// several replicas the last one's word stands: each sees a share of the same
// traffic.
func (a *App) remember(ctx context.Context) {
	tick := time.NewTicker(learnedEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWithin)
		body, err := json.Marshal(a.estimator.Snapshot())
		if err == nil {
			err = a.store.PutDocument(limited, learnedDocument, body)
		}
		if err != nil {
			a.log.Warn("what was learned of answers' lengths was not kept", "error", err)
		}
		cancel()
	}
}
