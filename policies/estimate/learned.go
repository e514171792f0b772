package estimate

import (
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"farthing/providers"
)

// Estimator keeps what was learned of each target. It is safe for concurrent
// use; reading takes no lock.
type Estimator struct {
	targets sync.Map // target name → *target
	known   atomic.Int64
}

// New returns an Estimator that has learned nothing.
func New() *Estimator { return &Estimator{} }

// maxTargets bounds the targets that are learned: patterns let clients name
// models, and names cost memory.
const maxTargets = 4096

// Trusted is how many settled answers a target needs before its lengths are
// taken from them.
const Trusted = 200

// Priors for a target without Trusted answers.
const (
	usualPrior          = 8192
	usualPriorReasoning = 32768
	likelyPrior         = 350
)

// target is what one target's settled answers have shown.
type target struct {
	mu      sync.Mutex
	lengths histogram
	reports int64 // prompts whose reported size corrected the factor

	// What the hot path reads.
	answers     atomic.Int64
	median, p99 atomic.Int64
	logFactor   atomic.Uint64 // float64 bits; valid once factored
	factored    atomic.Bool
	excess      atomic.Int64 // the most that was billed above a bound
}

func (e *Estimator) get(name string) *target {
	if t, ok := e.targets.Load(name); ok {
		return t.(*target)
	}
	return nil
}

// make is the target's record, nil where there are too many.
func (e *Estimator) make(name string) *target {
	if t := e.get(name); t != nil {
		return t
	}
	if e.known.Load() >= maxTargets {
		return nil
	}
	t, loaded := e.targets.LoadOrStore(strings.Clone(name), new(target))
	if !loaded {
		e.known.Add(1)
	}
	return t.(*target)
}

// Outcome is what a settled, complete answer used.
type Outcome struct {
	Usage   providers.Usage // as the provider reported it, or as it was counted
	Cut     bool            // it ended at an output limit
	Clamped bool            // that limit was ours, lower than what the client allowed
}

// Observe learns from a settled, complete answer of a target; est is what For
// gave before it was sent. An answer that was cut by the client's own limit says
// nothing of how long it would have been and is left out; one that was cut by ours
// was at least that long and counts as twice its length, so that a limit that is
// too low grows.
func (e *Estimator) Observe(t *providers.Target, est Estimate, got Outcome) {
	rec := e.make(t.Name)
	if rec == nil {
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if out := got.Usage.TotalOutput(); out > 0 && (!got.Cut || got.Clamped) {
		n := ceilDiv(out, max(est.Answers, 1))
		if got.Cut {
			n *= 2
		}
		rec.lengths.add(n)
		rec.publish()
	}
	if est.plain {
		rec.correct(t, est, got.Usage.TotalInput())
		if over := got.Usage.TotalInput() - est.InputBound; over > 0 {
			rec.excess.Store(min(max(rec.excess.Load(), est.excess+over), maxExcess))
		}
	}
}

// publish makes the quantiles readable without the lock.
func (t *target) publish() {
	t.median.Store(t.lengths.quantile(0.5))
	t.p99.Store(t.lengths.quantile(0.99))
	t.answers.Store(t.lengths.Seen)
}

// lengths returns the usual greatest (99th percentile), the least acceptable
// and the likely output of a target.
func (e *Estimator) lengths(t *providers.Target, effort string) (usual, least, likely int64, learned bool) {
	if rec := e.get(t.Name); rec != nil && rec.answers.Load() >= Trusted {
		median := rec.median.Load()
		return max(rec.p99.Load(), median), median, median, true
	}
	usual = usualPrior
	if t.Facts.Reasoning {
		usual = usualPriorReasoning
	}
	if m := t.Facts.MaxOutput; m > 0 {
		usual = min(usual, m)
	}
	least = ceilDiv(usual, 4)
	return usual, least, min(thinking(t, effort), usual), false
}

// thinking is the prior of an answer's length: plain models answer in a few
// paragraphs, reasoning models think first, by the effort that was asked for.
func thinking(t *providers.Target, effort string) int64 {
	if !t.Facts.Reasoning {
		return likelyPrior
	}
	switch effort {
	case "none", "minimal":
		return likelyPrior
	case "low":
		return 800
	case "high", "xhigh", "max":
		return 5000
	}
	return 2000
}

// Corrections of a target are kept between these; before ten reports the
// family's default holds the balance.
const (
	minFactor, maxFactor = 0.25, 8.0
	factorWeight         = 10  // the default counts as this many reports
	factorMemory         = 200 // later reports weigh as in a mean of this many
	minCorrecting        = 32  // shorter prompts are all template
)

// correct moves the factor between o200k_base and the vendor's count towards
// one report: the running mean of the logarithm, each step limited to a factor
// of 1.5, so that a few odd prompts (pictures, documents) cannot spoil it.
func (t *target) correct(of *providers.Target, est Estimate, input int64) {
	reported := input - est.frame
	if est.raw < minCorrecting || reported <= 0 {
		return
	}
	current := math.Log(defaultFactor(of))
	if t.factored.Load() {
		current = math.Float64frombits(t.logFactor.Load())
	}
	seen := math.Log(min(max(float64(reported)/float64(est.raw), minFactor), maxFactor))
	step := min(max(seen-current, -math.Log(1.5)), math.Log(1.5))
	weight := float64(min(t.reports, factorMemory) + factorWeight)
	t.reports++
	t.logFactor.Store(math.Float64bits(current + step/weight))
	t.factored.Store(true)
}

// maxExcess bounds what one strange report may add to every later hold.
const maxExcess = 1 << 15

func (e *Estimator) excess(t *providers.Target) int64 {
	if rec := e.get(t.Name); rec != nil {
		return rec.excess.Load()
	}
	return 0
}

// factor is the correction from o200k_base to a target's own tokens.
func (e *Estimator) factor(t *providers.Target) float64 {
	if rec := e.get(t.Name); rec != nil && rec.factored.Load() {
		return math.Exp(math.Float64frombits(rec.logFactor.Load()))
	}
	return defaultFactor(t)
}

// defaultFactor is a family's usual count over o200k_base before anything was
// learned, on the high side: it makes the likely figure, never the bound.
func defaultFactor(t *providers.Target) float64 {
	name := modelName(t)
	for _, f := range families {
		if strings.Contains(name, f.name) {
			return f.factor
		}
	}
	return 1.15
}

// families: vocabularies of 128k and more come near o200k_base; Anthropic's
// documentation puts its newer models up to 1.35 above its older ones.
var families = []struct {
	name   string
	factor float64
}{
	{"claude", 1.25},
	{"gemini", 1.1},
	{"gemma", 1.1},
	{"deepseek", 1.1},
	{"qwen", 1.1},
	{"llama", 1.1},
	{"mixtral", 1.3},
	{"mistral", 1.2},
	{"grok", 1.1},
	{"command", 1.15},
	{"gpt-oss", 1.0},
	{"glm", 1.1},
	{"kimi", 1.05},
}

// Snapshot is what an Estimator has learned, by target, for keeping between
// runs.
type Snapshot map[string]Learned

// Learned is the part of a Snapshot that concerns one target.
type Learned struct {
	Lengths Lengths `json:"lengths"`
	Factor  float64 `json:"factor,omitempty"` // correction from o200k_base; 0: none
	Reports int64   `json:"reports,omitempty"`
	Excess  int64   `json:"excess,omitempty"` // tokens billed above the input's bound
}

// Snapshot copies what was learned.
func (e *Estimator) Snapshot() Snapshot {
	all := Snapshot{}
	e.targets.Range(func(name, value any) bool {
		t := value.(*target)
		t.mu.Lock()
		defer t.mu.Unlock()
		l := Learned{Lengths: t.lengths.sparse(), Reports: t.reports, Excess: t.excess.Load()}
		if t.factored.Load() {
			l.Factor = math.Exp(math.Float64frombits(t.logFactor.Load()))
		}
		all[name.(string)] = l
		return true
	})
	return all
}

var errSnapshot = errors.New("estimate: the snapshot is damaged")

// Restore puts a snapshot in the place of what was learned of its targets. A
// damaged snapshot changes nothing and is an error.
func (e *Estimator) Restore(s Snapshot) error {
	for _, l := range s {
		if !l.Lengths.valid() || l.Reports < 0 || l.Excess < 0 || l.Excess > maxExcess || l.Factor != 0 && !(l.Factor >= minFactor && l.Factor <= maxFactor) {
			return errSnapshot
		}
	}
	for name, l := range s {
		t := e.make(name)
		if t == nil {
			return nil
		}
		t.mu.Lock()
		t.lengths = l.Lengths.histogram()
		t.reports = l.Reports
		t.excess.Store(l.Excess)
		if l.Factor != 0 {
			t.logFactor.Store(math.Float64bits(math.Log(l.Factor)))
			t.factored.Store(true)
		}
		t.publish()
		t.mu.Unlock()
	}
	return nil
}
