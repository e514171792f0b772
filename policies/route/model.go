package route

import (
	"fmt"
	"math"
	"strings"
	"time"

	"farthing/providers"
)

// The defaults of a model.
const (
	DefaultWorth        = 20 * providers.Dollar / 1000    // of a good answer: $0.02
	DefaultWaitingCosts = 5 * providers.Dollar / 10_000   // of a second of waiting: $0.0005
	DefaultQueueWait    = 10 * time.Second                // for a place at an engine
	whole               = providers.Percent(100 * 10_000) // 100 %
	learningShare       = 0.02                            // explored under when_learned
)

// Pick is how a model ranks its candidates.
type Pick string

// The ways to pick.
const (
	BestValue   Pick = "best_value"   // worth of a good answer × its probability − what it costs
	Cheapest    Pick = "cheapest"     // the lowest expected bill
	BestQuality Pick = "best_quality" // the highest probability of a good answer
	InOrder     Pick = "in_order"     // as the file lists them
)

// Model is what a name stands for: its targets in the file's order and how one
// of them is picked. It is shared and never changed.
type Model struct {
	Name         string // as the application sent it
	Entry        string // the entry of `models` that matched; "" where the file has no such section
	Targets      []*providers.Target
	Pick         Pick
	Worth        providers.Money // of one good answer
	WaitingCosts providers.Money // of one second
	MaxQueueWait time.Duration
	MinQuality   float64
	Strict       bool              // refuse below MinQuality
	Baseline     string            // a target's name, "" if none
	Rollout      providers.Percent // the share of requests that pick decides; the rest goes to Baseline
	WhenLearned  bool              // Baseline until every target has its grades
	Explore      providers.Percent
	DropFields   bool // leave out fields that a target cannot express, and report them
}

// Model is the entry with its defaults, still without targets, for the name that
// the application sent. Mistakes are reported by Check.
func (c *ModelConfig) Model(name, entry string) Model {
	m := Model{
		Name: name, Entry: entry,
		Pick: BestValue, Worth: DefaultWorth, WaitingCosts: DefaultWaitingCosts, MaxQueueWait: DefaultQueueWait,
		MinQuality: c.MinQuality, Strict: c.Strict, Rollout: whole, Explore: c.Explore,
		DropFields: c.Unsupported == "drop_and_report",
	}
	if c.Listed {
		m.Pick = InOrder
	}
	if c.Pick != "" {
		m.Pick = Pick(c.Pick)
	}
	if c.GoodAnswerWorth != nil {
		m.Worth = *c.GoodAnswerWorth
	}
	if c.WaitingCosts != nil {
		m.WaitingCosts = providers.Money(*c.WaitingCosts)
	}
	if c.MaxQueueWait > 0 {
		m.MaxQueueWait = time.Duration(c.MaxQueueWait)
	}
	if share, learned, err := parseRollout(c.Rollout); err == nil {
		m.Rollout, m.WhenLearned = share, learned
	}
	return m
}

// parseRollout reads 100% (also ""), 5%, 0% or when_learned.
func parseRollout(s string) (share providers.Percent, whenLearned bool, err error) {
	switch s {
	case "":
		return whole, false, nil
	case "when_learned":
		return whole, true, nil
	}
	if err := share.UnmarshalText([]byte(s)); err != nil || share > whole {
		return 0, false, fmt.Errorf("not a rollout: %q (write a share from 0%% to 100%%, or when_learned)", s)
	}
	return share, false, nil
}

// Check reports everything that is wrong with the entry by itself, but for the
// names in it; path is the entry's.
func (c *ModelConfig) Check(path string) (all []providers.Problem) {
	report := func(field, format string, args ...any) {
		all = append(all, providers.Problemf(path+"."+field, format, args...))
	}
	switch Pick(c.Pick) {
	case "", BestValue, Cheapest, BestQuality, InOrder:
	default:
		report("pick", "unknown pick %q: best_value, cheapest, best_quality or in_order", c.Pick)
	}
	switch c.Unsupported {
	case "", "error", "drop_and_report":
	default:
		report("unsupported", "unknown choice %q: error or drop_and_report", c.Unsupported)
	}
	if math.IsNaN(c.MinQuality) || c.MinQuality < 0 || c.MinQuality > 1 {
		report("min_quality", "must be between 0 and 1, not %v", c.MinQuality)
	}
	if c.Strict && c.MinQuality == 0 {
		report("strict", "refuses below min_quality, and there is none")
	}
	if _, _, err := parseRollout(c.Rollout); err != nil {
		report("rollout", "%v", err)
	}
	if c.Rollout != "" && c.Rollout != "100%" && c.Baseline == "" {
		report("rollout", "needs a baseline, which serves outside the rollout")
	}
	if c.Explore < 0 || c.Explore > whole {
		report("explore", "must be between 0%% and 100%%, not %v", c.Explore)
	}
	if c.GoodAnswerWorth != nil && *c.GoodAnswerWorth < 0 {
		report("good_answer_worth", "must not be negative")
	}
	if c.WaitingCosts != nil && *c.WaitingCosts < 0 {
		report("waiting_costs", "must not be negative")
	}
	if len(c.From) == 0 {
		report("from", "lists no target: write provider/model, engine/* or another model's name")
	}
	return all
}

// UnmarshalText reads "$0.001 per second".
func (m *MoneyPerSecond) UnmarshalText(b []byte) error {
	amount, ok := strings.CutSuffix(string(b), "per second")
	v, err := providers.ParseMoney(strings.TrimSpace(amount))
	if !ok || err != nil {
		return fmt.Errorf("not a cost of waiting: %q (write $0.001 per second)", b)
	}
	*m = MoneyPerSecond(v)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (m MoneyPerSecond) MarshalText() ([]byte, error) {
	return []byte(providers.Money(m).USD() + " per second"), nil
}

// longestName bounds what is echoed of a name that a client sent.
const longestName = 80

// ShortName cuts a client's name to what an error may echo.
func ShortName(s string) string {
	if len(s) <= longestName {
		return s
	}
	return strings.ToValidUTF8(s[:longestName], "") + "…"
}
