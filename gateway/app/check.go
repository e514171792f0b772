package app

import (
	"context"
	"errors"
	"fmt"

	"farthing/gateway/app/plan"
	"farthing/gateway/app/world"
	"farthing/gateway/config"
)

// Checked is a file that was looked at and not served.
type Checked struct {
	Found   []config.Diagnostic // every mistake and warning, in the file's order
	Targets []string            // what its models stand for
	Told    []string            // what was found on this machine, and why it is used
	Fails   []string            // what its choices mean when things fail; none where there are mistakes

	plan *plan.Plan
}

// Check validates a file, "" for the built-in defaults. It asks the model
// servers of this machine for their models and the store how durable it is, and
// nobody else.
func Check(ctx context.Context, path string) *Checked {
	loaded, found := config.Default(), []config.Diagnostic(nil)
	if path != "" {
		loaded, found = config.Load(path)
	}
	p, more := plan.Compile(ctx, loaded, nil, world.NotStarted)
	c := &Checked{Found: append(found, more...), Told: p.World.Told, plan: p}
	config.Sort(c.Found)
	if c.Err() != nil {
		return c
	}
	for _, t := range p.Targets() {
		c.Targets = append(c.Targets, t.Name)
	}
	c.Fails = config.Failures(loaded.File)
	if !loaded.File.Store.Redis.IsZero() {
		c.Fails = append(c.Fails, durability(ctx, &loaded.File))
	}
	return c
}

// Err joins the mistakes, nil if all that was found are warnings.
func (c *Checked) Err() error { return config.Err(c.Found) }

// durability asks a Redis what a crash of it costs.
func durability(ctx context.Context, file *config.File) string {
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
func (c *Checked) TryAll(ctx context.Context) []world.Live { return c.plan.World.TryAll(ctx) }

// NewExplainer makes an explainer of a file without mistakes.
func (c *Checked) NewExplainer(ctx context.Context, as plan.Asker) (*plan.Explainer, error) {
	return plan.NewExplainer(ctx, c.plan, as, Version)
}
