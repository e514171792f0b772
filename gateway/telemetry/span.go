package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Span is a span of one request or attempt. The zero Span records nothing.
type Span struct{ span trace.Span }

// Request starts the server span of a request, as a child of the client's
// traceparent where one was sent.
func (t *Telemetry) Request(ctx context.Context, traceparent, tracestate string) (context.Context, Span) {
	if t.tracer == nil {
		return ctx, Span{}
	}
	carrier := propagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate}
	ctx, s := t.tracer.Start(t.propagate.Extract(ctx, carrier), "chat", trace.WithSpanKind(trace.SpanKindServer))
	return ctx, Span{s}
}

// Attempt starts the client span of one attempt, named by the conventions
// "chat {model}".
func (t *Telemetry) Attempt(ctx context.Context, provider, model, id string) (context.Context, Span) {
	if t.tracer == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, "chat "+model, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("gen_ai.operation.name", "chat"),
		attribute.String("gen_ai.provider.name", provider),
		attribute.String("gen_ai.request.model", model),
		attribute.String("farthing.attempt.id", id)))
	return ctx, Span{s}
}

// Headers are the trace headers that the upstream gets.
func (t *Telemetry) Headers(ctx context.Context) [][2]string {
	if t.tracer == nil {
		return nil
	}
	carrier := propagation.MapCarrier{}
	t.propagate.Inject(ctx, carrier)
	var out [][2]string
	for k, v := range carrier {
		out = append(out, [2]string{k, v})
	}
	return out
}

// Answer notes what came back: the model as the provider names it, why the
// answer ended and its tokens. What is empty was not said.
func (s Span) Answer(model, finish string, input, output int64) {
	if s.span == nil {
		return
	}
	s.span.SetAttributes(
		attribute.Int64("gen_ai.usage.input_tokens", input),
		attribute.Int64("gen_ai.usage.output_tokens", output))
	if model != "" {
		s.span.SetAttributes(attribute.String("gen_ai.response.model", model))
	}
	if finish != "" {
		s.span.SetAttributes(attribute.StringSlice("gen_ai.response.finish_reasons", []string{finish}))
	}
}

// Receipt notes the request's id, the target that served it and the reason.
func (s Span) Receipt(id, target, reason string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String("farthing.id", id), attribute.String("farthing.target", target), attribute.String("farthing.reason", reason))
	}
}

// End closes the span; a non-empty kind marks it as failed.
func (s Span) End(errorKind string) {
	if s.span == nil {
		return
	}
	if errorKind != "" {
		s.span.SetAttributes(attribute.String("error.type", errorKind))
		s.span.SetStatus(codes.Error, errorKind)
	}
	s.span.End()
}
