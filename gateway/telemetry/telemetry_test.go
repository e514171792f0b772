package telemetry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	collectmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collecttraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

func start(t *testing.T, endpoint string) *Telemetry {
	t.Helper()
	tel, err := New(t.Context(), endpoint, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

// scrape is what Prometheus gets: series with their labels in order, without
// the buckets.
func scrape(t *testing.T, tel *Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	text := w.Body.String()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	if _, err := parser.TextToMetricFamilies(strings.NewReader(text)); err != nil {
		t.Fatalf("Prometheus could not read it: %v", err)
	}
	return text
}

var attempt = Attempt{
	Target: "openai/o1", Provider: "openai", Model: "o1", Outcome: "ok", Source: "provider",
	Duration: 3 * time.Second, FirstByte: 250 * time.Millisecond, Input: 100, Output: 20, USD: 0.0027,
}

// TestPrometheus records one of everything and looks for each series.
func TestPrometheus(t *testing.T) {
	tel, ctx := start(t, ""), t.Context()
	tel.Attempted(ctx, attempt)
	failed := attempt
	failed.Outcome, failed.Source, failed.FirstByte, failed.Input, failed.Output, failed.USD = "upstream", "none", 0, 0, 0, 0
	tel.Attempted(ctx, failed)
	tel.Answered(ctx, "auto", "ok")
	tel.Answered(ctx, "auto", "ok")
	tel.Refused(ctx, "invalid")
	tel.Overhead(ctx, 120*time.Microsecond)
	tel.InFlight(ctx, 1)
	tel.InFlight(ctx, 1)
	tel.InFlight(ctx, -1)
	read := int64(7)
	if err := tel.Gauge("farthing_store_imbalance_nano_usd", "Always 0", func() int64 { return read }); err != nil {
		t.Fatal(err)
	}
	read = -8 // a gauge is read when it is asked for
	text := scrape(t, tel)
	const o1 = `gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="o1"`
	for _, want := range []string{
		`gen_ai_client_operation_duration_seconds_sum{` + o1 + `} 3`,
		`gen_ai_client_operation_duration_seconds_count{error_type="upstream",` + o1 + `} 1`,
		`gen_ai_client_operation_duration_seconds_bucket{` + o1 + `,le="2.56"} 0`,
		`gen_ai_client_operation_duration_seconds_bucket{` + o1 + `,le="5.12"} 1`,
		`gen_ai_server_time_to_first_token_seconds_sum{` + o1 + `} 0.25`,
		`gen_ai_server_time_to_first_token_seconds_count{` + o1 + `} 1`,
		`gen_ai_client_token_usage_sum{` + o1 + `,gen_ai_token_type="input"} 100`,
		`gen_ai_client_token_usage_sum{` + o1 + `,gen_ai_token_type="output"} 20`,
		`gen_ai_client_token_usage_count{` + o1 + `,gen_ai_token_type="output"} 1`,
		`farthing_attempts_total{outcome="ok",target="openai/o1",usage_source="provider"} 1`,
		`farthing_attempts_total{outcome="upstream",target="openai/o1",usage_source="none"} 1`,
		`farthing_spend_usd_total{target="openai/o1"} 0.0027`,
		`farthing_requests_total{model="auto",outcome="ok"} 2`,
		`farthing_refusals_total{kind="invalid"} 1`,
		`farthing_overhead_seconds_sum 0.00012`,
		`farthing_overhead_seconds_bucket{le="0.0001"} 0`,
		`farthing_overhead_seconds_bucket{le="0.0002"} 1`,
		`farthing_in_flight 1`,
		`farthing_store_imbalance_nano_usd -8`,
		`# TYPE gen_ai_client_operation_duration_seconds histogram`,
		`# TYPE farthing_spend_usd_total counter`,
		`# TYPE farthing_in_flight gauge`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	if strings.Contains(text, "otel_scope") || strings.Contains(text, "target_info") {
		t.Error("every series carries labels that say nothing")
	}
}

// TestBounded tries more targets than anyone has: the series and what is
// remembered stay bounded, and every attempt is counted.
func TestBounded(t *testing.T) {
	tel := start(t, "")
	const many = maxSeries + 500
	for i := range many {
		tel.Refused(t.Context(), fmt.Sprint("kind", i))
	}
	series, total := 0, 0
	for line := range strings.Lines(scrape(t, tel)) {
		if strings.HasPrefix(line, "farthing_refusals_total{") {
			var n int
			if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &n); err != nil {
				t.Fatal(err)
			}
			series, total = series+1, total+n
		}
	}
	if series > maxSeries || total != many {
		t.Errorf("%d series with %d of %d", series, total, many)
	}
	remembered := 0
	tel.sets.Range(func(any, any) bool {
		remembered++
		return true
	})
	if remembered > maxSeries {
		t.Errorf("%d label sets are remembered", remembered)
	}
}

// TestNoCollector costs nothing and says nothing upstream.
func TestNoCollector(t *testing.T) {
	tel := start(t, "")
	ctx, span := tel.Request(t.Context(), traceparent, "")
	_, inner := tel.Attempt(ctx, "openai", "o1", "a1")
	inner.Answer("o1", "stop", 1, 2)
	inner.Receipt("id", "openai/o1", "best_value")
	inner.End("timeout")
	span.End("")
	if h := tel.Headers(ctx); len(h) > 0 {
		t.Errorf("%v", h)
	}
	if err := tel.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

const (
	traceID     = "0af7651916cd43dd8448eb211c80319c"
	traceparent = "00-" + traceID + "-b7ad6b7169203331-01"
)

// collector is an OTLP/HTTP collector that keeps what it gets.
type collector struct {
	*httptest.Server
	mu      sync.Mutex
	paths   []string
	spans   map[string]*traces.Span // by name
	service []*common.KeyValue
	metrics []string
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{spans: map[string]*traces.Span{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%v, %v", err, r.Header)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.paths = append(c.paths, r.URL.Path)
		if err := c.take(r.URL.Path, body); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) take(path string, body []byte) error {
	switch path {
	case "/v1/traces":
		var got collecttraces.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &got); err != nil {
			return err
		}
		for _, r := range got.ResourceSpans {
			c.service = r.Resource.Attributes
			for _, s := range r.ScopeSpans {
				for _, span := range s.Spans {
					c.spans[span.Name] = span
				}
			}
		}
	case "/v1/metrics":
		var got collectmetrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(body, &got); err != nil {
			return err
		}
		for _, r := range got.ResourceMetrics {
			for _, s := range r.ScopeMetrics {
				for _, m := range s.Metrics {
					c.metrics = append(c.metrics, m.Name)
				}
			}
		}
	default:
		return fmt.Errorf("posted to %s", path)
	}
	return nil
}

// attributes writes a span's attributes as name=value.
func attributes(list []*common.KeyValue) []string {
	var all []string
	for _, kv := range list {
		value := kv.Value.GetStringValue()
		switch v := kv.Value.Value.(type) {
		case *common.AnyValue_IntValue:
			value = fmt.Sprint(v.IntValue)
		case *common.AnyValue_ArrayValue:
			value = fmt.Sprint(v.ArrayValue.Values[0].GetStringValue())
		}
		all = append(all, kv.Key+"="+value)
	}
	slices.Sort(all)
	return all
}

// TestCollector sends a request's spans and the metrics to a collector at the
// latest when telemetry is closed, whether its address ends in a slash or not.
func TestCollector(t *testing.T) {
	for _, slash := range []string{"", "/"} {
		c := newCollector(t)
		tel := start(t, c.URL+slash)
		ctx, request := tel.Request(t.Context(), traceparent, "vendor=x")
		up, sent := tel.Attempt(ctx, "openai", "o1", "a1")
		headers := tel.Headers(up)
		sent.Answer("o1-2024-12-17", "stop", 100, 20)
		sent.End("")
		_, lost := tel.Attempt(ctx, "h200", "r1", "a2")
		lost.Answer("", "", 0, 0)
		lost.End("timeout")
		request.Receipt("f1", "openai/o1", "best_value")
		request.End("")
		tel.Attempted(t.Context(), attempt)
		if err := tel.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.checkSpans(t, headers)
		for _, name := range []string{"gen_ai.client.operation.duration", "gen_ai.client.token.usage", "gen_ai.server.time_to_first_token", "farthing.attempts", "farthing.spend_usd"} {
			if !slices.Contains(c.metrics, name) {
				t.Errorf("the collector has no %s", name)
			}
		}
		if want := []string{"service.name=farthing", "service.version=1.2.3"}; !containsAll(attributes(c.service), want) {
			t.Errorf("%v", attributes(c.service))
		}
	}
}

// checkSpans looks at the spans of TestCollector and at the headers that the
// upstream got.
func (c *collector) checkSpans(t *testing.T, headers [][2]string) {
	t.Helper()
	request, sent, lost := c.spans["chat"], c.spans["chat o1"], c.spans["chat r1"]
	if request == nil || sent == nil || lost == nil {
		t.Fatalf("%v", c.spans)
	}
	for _, s := range c.spans {
		if got := fmt.Sprintf("%x", s.TraceId); got != traceID {
			t.Errorf("%s: trace %s, want the client's", s.Name, got)
		}
	}
	if fmt.Sprintf("%x", request.ParentSpanId) != "b7ad6b7169203331" || !slices.Equal(sent.ParentSpanId, request.SpanId) || !slices.Equal(lost.ParentSpanId, request.SpanId) {
		t.Error("the spans do not hang together")
	}
	if request.Kind != traces.Span_SPAN_KIND_SERVER || sent.Kind != traces.Span_SPAN_KIND_CLIENT {
		t.Errorf("%v, %v", request.Kind, sent.Kind)
	}
	slices.SortFunc(headers, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	if want := [][2]string{{"traceparent", fmt.Sprintf("00-%s-%x-01", traceID, sent.SpanId)}, {"tracestate", "vendor=x"}}; !slices.Equal(headers, want) {
		t.Errorf("the upstream got %v, want %v", headers, want)
	}
	for _, x := range []struct {
		span *traces.Span
		want []string
	}{
		{request, []string{"farthing.id=f1", "farthing.reason=best_value", "farthing.target=openai/o1"}},
		{sent, []string{
			"farthing.attempt.id=a1", "gen_ai.operation.name=chat", "gen_ai.provider.name=openai", "gen_ai.request.model=o1", "gen_ai.response.finish_reasons=stop",
			"gen_ai.response.model=o1-2024-12-17", "gen_ai.usage.input_tokens=100", "gen_ai.usage.output_tokens=20",
		}},
		{lost, []string{
			"error.type=timeout", "farthing.attempt.id=a2", "gen_ai.operation.name=chat", "gen_ai.provider.name=h200", "gen_ai.request.model=r1",
			"gen_ai.usage.input_tokens=0", "gen_ai.usage.output_tokens=0",
		}},
	} {
		if got := attributes(x.span.Attributes); !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", x.span.Name, got, x.want)
		}
	}
	if sent.Status.GetCode() != traces.Status_STATUS_CODE_UNSET || lost.Status.GetCode() != traces.Status_STATUS_CODE_ERROR {
		t.Errorf("%v, %v", sent.Status, lost.Status)
	}
}

func containsAll(all, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(w string) bool { return !slices.Contains(all, w) })
}

// TestTraceparent begins a trace of its own where the client's header is none,
// and records nothing where the client does not want to be traced.
func TestTraceparent(t *testing.T) {
	c := newCollector(t)
	tel := start(t, c.URL)
	for _, wrong := range []string{"", "nonsense", "00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01"} {
		ctx, span := tel.Request(t.Context(), wrong, "")
		span.End("")
		headers := tel.Headers(ctx)
		if len(headers) != 1 || headers[0][0] != "traceparent" || strings.Contains(headers[0][1], strings.Repeat("0", 32)) {
			t.Errorf("%q: %v", wrong, headers)
		}
	}
	unsampled := strings.TrimSuffix(traceparent, "01") + "00"
	ctx, span := tel.Request(t.Context(), unsampled, "")
	_, up := tel.Attempt(ctx, "openai", "unsampled", "a1")
	up.End("")
	span.End("")
	if h := tel.Headers(ctx); len(h) != 1 || !strings.HasPrefix(h[0][1], "00-"+traceID) || !strings.HasSuffix(h[0][1], "-00") {
		t.Errorf("%v", h)
	}
	if err := tel.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.spans["chat unsampled"] != nil || c.spans["chat"] == nil {
		t.Errorf("%v", c.spans)
	}
}

// TestCollectorAway serves and closes without a collector that answers.
func TestCollectorAway(t *testing.T) {
	away := httptest.NewServer(nil)
	away.Close()
	tel := start(t, away.URL)
	_, span := tel.Request(t.Context(), "", "")
	span.End("")
	tel.Attempted(t.Context(), attempt)
	if !strings.Contains(scrape(t, tel), "farthing_attempts_total{") {
		t.Error("Prometheus gets nothing")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := tel.Close(ctx); err == nil {
		t.Error("closing says nothing of what was lost")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("closed after %v", took)
	}
}

// TestWrongEndpoint refuses what is no URL.
func TestWrongEndpoint(t *testing.T) {
	for _, wrong := range []string{"collector:4318", "://", "ftp://collector", "http://", "/v1"} {
		if _, err := New(t.Context(), wrong, ""); err == nil {
			t.Errorf("%s was taken", wrong)
		}
	}
}
