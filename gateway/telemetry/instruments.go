package telemetry

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// instruments are the metrics' handles. Names ending in _usd are dollars.
type instruments struct {
	duration   metric.Float64Histogram
	firstToken metric.Float64Histogram
	tokens     metric.Int64Histogram
	requests   metric.Int64Counter
	attempts   metric.Int64Counter
	spend      metric.Float64Counter
	overhead   metric.Float64Histogram
	refusals   metric.Int64Counter
	inFlight   metric.Int64UpDownCounter
	sets       sync.Map // key → metric.MeasurementOption: label sets are made once
	kept       atomic.Int64
}

var (
	secondsBuckets  = []float64{.01, .02, .04, .08, .16, .32, .64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBuckets    = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576}
	overheadBuckets = []float64{5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, .25, 1}
)

func (i *instruments) create(m metric.Meter) (err error) {
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	var e error
	i.duration, e = m.Float64Histogram("gen_ai.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of one attempt at a target"), metric.WithExplicitBucketBoundaries(secondsBuckets...))
	keep(e)
	i.firstToken, e = m.Float64Histogram("gen_ai.server.time_to_first_token", metric.WithUnit("s"),
		metric.WithDescription("Time to the first byte of an attempt's answer"), metric.WithExplicitBucketBoundaries(secondsBuckets...))
	keep(e)
	i.tokens, e = m.Int64Histogram("gen_ai.client.token.usage", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens of one attempt, by type"), metric.WithExplicitBucketBoundaries(tokenBuckets...))
	keep(e)
	i.requests, e = m.Int64Counter("farthing.requests", metric.WithDescription("Requests answered, by model entry and outcome"))
	keep(e)
	i.attempts, e = m.Int64Counter("farthing.attempts", metric.WithDescription("Attempts at targets, by outcome and usage source"))
	keep(e)
	i.spend, e = m.Float64Counter("farthing.spend_usd", metric.WithDescription("Dollars settled by this process, by target (the store's counters are the truth)"))
	keep(e)
	i.overhead, e = m.Float64Histogram("farthing.overhead", metric.WithUnit("s"),
		metric.WithDescription("Time from the request's arrival to its first attempt being sent"), metric.WithExplicitBucketBoundaries(overheadBuckets...))
	keep(e)
	i.refusals, e = m.Int64Counter("farthing.refusals", metric.WithDescription("Requests refused before anything was sent, by kind"))
	keep(e)
	i.inFlight, e = m.Int64UpDownCounter("farthing.in_flight", metric.WithDescription("Requests being served now"))
	keep(e)
	return err
}

// Attempt is what one attempt at a target came to.
type Attempt struct {
	Target, Provider, Model string
	Outcome, Source         string        // Outcome is ok or the kind of the error
	Duration, FirstByte     time.Duration // FirstByte 0: none came
	Input, Output           int64
	USD                     float64 // for display only; money is counted in the store
}

// succeeded is the outcome without an error.
const succeeded = "ok"

// Attempted records one finished attempt.
func (t *Telemetry) Attempted(ctx context.Context, a Attempt) {
	failed := a.Outcome
	if failed == succeeded {
		failed = ""
	}
	t.duration.Record(ctx, a.Duration.Seconds(), t.labels(labelKey{"model", a.Provider, a.Model, failed}))
	if a.FirstByte > 0 {
		t.firstToken.Record(ctx, a.FirstByte.Seconds(), t.labels(labelKey{"model", a.Provider, a.Model, ""}))
	}
	if a.Input > 0 {
		t.tokens.Record(ctx, a.Input, t.labels(labelKey{"tokens", a.Provider, a.Model, "input"}))
	}
	if a.Output > 0 {
		t.tokens.Record(ctx, a.Output, t.labels(labelKey{"tokens", a.Provider, a.Model, "output"}))
	}
	t.attempts.Add(ctx, 1, t.labels(labelKey{"attempt", a.Target, a.Outcome, a.Source}))
	if a.USD > 0 {
		t.spend.Add(ctx, a.USD, t.labels(labelKey{"target", a.Target, "", ""}))
	}
}

// Answered records a finished request: the entry of `models` that served it
// (never the client's own word) and how it ended.
func (t *Telemetry) Answered(ctx context.Context, entry, outcome string) {
	t.requests.Add(ctx, 1, t.labels(labelKey{"request", entry, outcome, ""}))
}

// Refused records a request that was refused before anything was sent.
func (t *Telemetry) Refused(ctx context.Context, kind string) {
	t.refusals.Add(ctx, 1, t.labels(labelKey{"refusal", kind, "", ""}))
}

// Overhead records how long the gateway itself took before the first attempt.
func (t *Telemetry) Overhead(ctx context.Context, d time.Duration) {
	t.overhead.Record(ctx, d.Seconds())
}

// InFlight counts a request in (1) or out (-1).
func (t *Telemetry) InFlight(ctx context.Context, n int64) { t.inFlight.Add(ctx, n) }

// Gauge registers a value that is read when metrics are collected. name is in
// the Prometheus form, such as farthing_ledger_open_holds.
func (t *Telemetry) Gauge(name, help string, read func() int64) error {
	_, err := t.meter.Int64ObservableGauge(name, metric.WithDescription(help),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(read())
			return nil
		}))
	return err
}

// labelKey is a label set: a kind and up to three values.
type labelKey struct{ kind, a, b, c string }

func (t *Telemetry) labels(k labelKey) metric.MeasurementOption {
	if v, ok := t.sets.Load(k); ok {
		return v.(metric.MeasurementOption)
	}
	set := metric.WithAttributeSet(attribute.NewSet(k.attributes()...))
	if t.kept.Load() < maxSeries { // the series beyond are counted together anyway
		if _, had := t.sets.LoadOrStore(k, set); !had {
			t.kept.Add(1)
		}
	}
	return set
}

func (k labelKey) attributes() []attribute.KeyValue {
	switch k.kind {
	case "model", "tokens":
		kv := []attribute.KeyValue{
			attribute.String("gen_ai.operation.name", "chat"),
			attribute.String("gen_ai.provider.name", k.a),
			attribute.String("gen_ai.request.model", k.b),
		}
		switch {
		case k.kind == "tokens":
			kv = append(kv, attribute.String("gen_ai.token.type", k.c))
		case k.c != "":
			kv = append(kv, attribute.String("error.type", k.c))
		}
		return kv
	case "attempt":
		return []attribute.KeyValue{attribute.String("target", k.a), attribute.String("outcome", k.b), attribute.String("usage_source", k.c)}
	case "target":
		return []attribute.KeyValue{attribute.String("target", k.a)}
	case "request":
		return []attribute.KeyValue{attribute.String("model", k.a), attribute.String("outcome", k.b)}
	default:
		return []attribute.KeyValue{attribute.String("kind", k.a)}
	}
}
