// Package telemetry sets up OpenTelemetry and holds Farthing's instruments:
// spans and metrics by the GenAI semantic conventions, plus the gateway's own.
// Metrics are always served for Prometheus; an OTLP/HTTP collector gets traces
// and metrics where one is configured. Everything else records through the
// typed methods here and knows nothing of OpenTelemetry.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// Telemetry is the running set-up.
type Telemetry struct {
	registry  *prometheus.Registry
	meters    *sdkmetric.MeterProvider
	traces    *sdktrace.TracerProvider // nil: no collector, spans cost nothing
	tracer    trace.Tracer
	meter     metric.Meter
	propagate propagation.TraceContext
	instruments
}

// New starts telemetry. endpoint is an OTLP/HTTP base URL, "" for none; the error
// is that it is no URL. Whether a collector answers there is not tried.
func New(ctx context.Context, endpoint, version string) (*Telemetry, error) {
	res, err := resource.Merge(resource.Default(), resource.NewSchemaless(
		semconv.ServiceName("farthing"), semconv.ServiceVersion(version)))
	if err != nil {
		return nil, fmt.Errorf("telemetry resource: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn("telemetry could not be delivered", "error", err) }))
	t := &Telemetry{registry: prometheus.NewRegistry()}
	prom, err := otelprom.New(otelprom.WithRegisterer(t.registry), otelprom.WithoutScopeInfo(), otelprom.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("prometheus exporter: %w", err)
	}
	options := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithReader(prom), sdkmetric.WithCardinalityLimit(maxSeries)}
	if endpoint != "" {
		reader, err := t.startOTLP(ctx, endpoint, res)
		if err != nil {
			return nil, err
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	t.meters = sdkmetric.NewMeterProvider(options...)
	t.meter = t.meters.Meter("farthing")
	if t.traces != nil {
		t.tracer = t.traces.Tracer("farthing")
	}
	return t, t.instruments.create(t.meter)
}

// CheckEndpoint says what is wrong with the base URL of a collector.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("otlp: %q is no http or https URL, such as http://127.0.0.1:4318", endpoint)
	}
	return nil
}

// maxSeries bounds the label sets of one instrument, and those remembered for
// all: labels are names from the file and from the catalog, never from clients,
// but an operator may write many. What goes beyond is counted as one.
const maxSeries = 10_000

func (t *Telemetry) startOTLP(ctx context.Context, endpoint string, res *resource.Resource) (sdkmetric.Reader, error) {
	// The exporters take anything, and go to their default where it is no URL.
	if err := CheckEndpoint(endpoint); err != nil {
		return nil, err
	}
	endpoint = strings.TrimRight(endpoint, "/")
	spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("otlp traces to %s: %w", endpoint, err)
	}
	metrics, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(endpoint+"/v1/metrics"))
	if err != nil {
		return nil, fmt.Errorf("otlp metrics to %s: %w", endpoint, err)
	}
	t.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(res))
	return sdkmetric.NewPeriodicReader(metrics, sdkmetric.WithInterval(15*time.Second)), nil
}

// Handler serves the metrics to Prometheus.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Close flushes what a collector has not had yet.
func (t *Telemetry) Close(ctx context.Context) error {
	var traces error
	if t.traces != nil {
		traces = t.traces.Shutdown(ctx)
	}
	return errors.Join(traces, t.meters.Shutdown(ctx))
}
