package plan

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"time"

	"farthing/gateway/flow"
	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/policies/estimate"
	"farthing/policies/key"
)

// Asker is who asks, for an explanation: a key by its name, and what to put in
// the place of its owner, team and tags.
type Asker struct {
	Key, User, Team string
	Tags            map[string]string // beside the key's own, which win
}

// Explainer decides requests under a plan without a store: it holds and sends
// nothing.
type Explainer struct{ flow *flow.Flow }

// NewExplainer makes one. A name that is no key's of the file stands for a key of
// the store, which is not looked at: it has what the file gives to every key.
func NewExplainer(ctx context.Context, p *Plan, as Asker, version string) (*Explainer, error) {
	silent := slog.New(slog.NewTextHandler(io.Discard, nil))
	t, err := telemetry.New(ctx, "", version)
	if err != nil {
		return nil, err
	}
	recorder, err := record.NewRecorder(nil, silent)
	if err != nil {
		return nil, err
	}
	state, keys := *p.State, p.Keys
	state.Open, keys.Local = true, p.asking(as)
	ring := key.NewRing(nil, keys, time.Now, silent)
	return &Explainer{flow.New(flow.Parts{Keys: ring, Estimator: estimate.New(), Recorder: recorder, Telemetry: t, Log: silent}, &state)}, nil
}

// asking is the key that an asker's requests are booked to.
func (p *Plan) asking(as Asker) *key.Key {
	k := key.Key{Name: as.Key, Owner: as.Key, Source: key.FromStore}
	for _, known := range append(p.Keys.Keys, p.Keys.Local) {
		if known.Name == as.Key {
			k = *known
		}
	}
	if as.User != "" {
		k.Owner = as.User
	}
	if as.Team != "" {
		k.Team = as.Team
	}
	tags := maps.Clone(as.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, k.Tags)
	k.Tags = tags
	return &k
}

// Explain gives the receipt of what would be decided for a request's body.
func (e *Explainer) Explain(ctx context.Context, in *flow.Inbound) *record.Receipt {
	in.Local, in.Received = true, time.Now()
	return e.flow.Explain(ctx, in)
}
