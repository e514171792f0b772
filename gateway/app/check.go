package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"farthing/gateway/app/world"
	"farthing/gateway/config"
	"farthing/gateway/flow"
	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/policies/estimate"
	"farthing/policies/key"
)

// Checked is a file that was looked at and not served.
type Checked struct {
	Found   []config.Diagnostic // every mistake and warning, in the file's order
	Targets []string            // what its models stand for
	Told    []string            // what was found on this machine, and why it is used
	Fails   []string            // what its choices mean when things fail; none where there are mistakes

	serving *serving
}

// Check validates a file, "" for the built-in defaults. It asks the model
// servers of this machine for their models and the store how durable it is, and
// nobody else.
func Check(ctx context.Context, path string) *Checked {
	loaded, found := config.Default(), []config.Diagnostic(nil)
	if path != "" {
		loaded, found = config.Load(path)
	}
	s, more := compile(ctx, loaded, nil, world.NotStarted)
	c := &Checked{Found: append(found, more...), Told: s.world.Told, serving: s}
	config.Sort(c.Found)
	if c.Err() != nil {
		return c
	}
	for _, t := range s.targets() {
		c.Targets = append(c.Targets, t.Name)
	}
	c.Fails = append(config.Failures(loaded.File), durability(ctx, &loaded.File))
	return c
}

// Err joins the mistakes, nil if all that was found are warnings.
func (c *Checked) Err() error { return config.Err(c.Found) }

// durability asks a Redis what a crash of it costs.
func durability(ctx context.Context, file *config.File) string {
	if file.Store.Redis.IsZero() {
		return fmt.Sprintf("store: %s must outlive the process: on a throw-away disk a crash loses spend, keys and receipts.", file.Data)
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	s, down, err := openStore(ctx, file)
	if err != nil || down != nil {
		return fmt.Sprintf("store: it does not answer now: %v", errors.Join(err, down))
	}
	defer s.Close()
	level, _, err := describe(ctx, s)
	if err != nil {
		return fmt.Sprintf("store: serve would refuse it: %v", err)
	}
	return "store: " + level
}

// TryAll asks every provider and engine of a checked file for its models, with
// its key.
func (c *Checked) TryAll(ctx context.Context) []world.Live { return c.serving.world.TryAll(ctx) }

// Explainer decides requests under a file without a store: it holds and sends
// nothing.
type Explainer struct{ flow *flow.Flow }

// NewExplainer makes one of a file without mistakes. Requests are booked to as.
func (c *Checked) NewExplainer(ctx context.Context, as key.Key) (*Explainer, error) {
	silent := slog.New(slog.NewTextHandler(io.Discard, nil))
	t, err := telemetry.New(ctx, "", Version)
	if err != nil {
		return nil, err
	}
	recorder, err := record.NewRecorder(nil, silent)
	if err != nil {
		return nil, err
	}
	state := *c.serving.state
	state.Open = true
	keys := c.serving.keys
	keys.Local = &as
	ring := key.NewRing(nil, keys, time.Now, silent)
	return &Explainer{flow.New(flow.Parts{Keys: ring, Estimator: estimate.New(), Recorder: recorder, Telemetry: t, Log: silent}, &state)}, nil
}

// Explain gives the receipt of what would be decided for a request's body.
func (e *Explainer) Explain(ctx context.Context, in *flow.Inbound) *record.Receipt {
	in.Local, in.Received = true, time.Now()
	return e.flow.Explain(ctx, in)
}
