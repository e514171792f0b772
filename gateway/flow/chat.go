package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"farthing/gateway/flow/send"
	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/policies/budget"
	"farthing/policies/estimate"
	"farthing/policies/key"
	"farthing/policies/match"
	"farthing/policies/route"
	"farthing/providers"
	"farthing/providers/openai"
)

// call is one request on its way.
type call struct {
	flow    *Flow
	state   *State
	in      *Inbound
	span    telemetry.Span
	key     *key.Key
	brief   *providers.Brief
	vars    match.Vars
	model   *route.Model
	request *estimate.Request
	ranked  []choice
	reason  string // why the first of them is first
	receipt *record.Receipt
	charges []*budget.Node // by the last attempt, or those that refused it
	moved   bool           // decided anew as another model by a spent budget's when_spent
	closed  bool
}

// Chat serves one chat completion. The error is, or wraps, a *providers.Error.
func (f *Flow) Chat(ctx context.Context, in *Inbound) (reply *Reply, err error) {
	c, ctx := f.begin(ctx, in)
	defer func() {
		if reply == nil && err == nil { // a panic passes, which the edge answers: the call must not stay open
			_ = c.failed(ctx, errors.New("a panic ended the request"))
		}
	}()
	if reply, err = c.serve(ctx); err != nil {
		return nil, c.failed(ctx, err)
	}
	return reply, nil
}

// serve is the whole direction. An answer's stream settles and records itself
// when it ends; until then the call is open.
func (c *call) serve(ctx context.Context) (*Reply, error) {
	if err := c.identify(ctx); err != nil {
		return nil, err
	}
	if err := c.parse(); err != nil {
		return nil, err
	}
	if err := c.mayUse(c.brief.Model); err != nil {
		return nil, err
	}
	if err := c.decide(c.brief.Model); err != nil {
		return nil, err
	}
	if c.in.Header.Explain {
		return c.explain()
	}
	return c.attempts(ctx)
}

// begin opens the call and its receipt.
func (f *Flow) begin(ctx context.Context, in *Inbound) (*call, context.Context) {
	f.running.Add(1)
	f.telemetry.InFlight(ctx, 1)
	c := &call{flow: f, state: f.state.Load(), in: in}
	ctx, c.span = f.telemetry.Request(ctx, in.Header.Traceparent, in.Header.Tracestate)
	c.receipt = &record.Receipt{
		ID: NewID(in.Received), Time: in.Received, Format: in.Format, Endpoint: in.Endpoint,
		PriceBook: c.state.Book.Version(), UsageSource: providers.UsageNone,
	}
	return c, ctx
}

// parse reads what routing must know from the client's bytes.
func (c *call) parse() (err error) {
	if c.brief, err = openai.Parse(c.in.Body); err != nil {
		return err
	}
	c.receipt.Asked, c.receipt.Stream = c.brief.Model, c.brief.Stream
	now := c.in.Received.In(c.state.Zone)
	c.vars.Model = c.brief.Model
	c.vars.HasTools, c.vars.HasImages = c.brief.Tools > 0, len(c.brief.Images) > 0
	c.vars.Hour, c.vars.Weekday = now.Hour(), weekdays[now.Weekday()]
	return nil
}

var weekdays = [...]string{
	time.Sunday: "sun", time.Monday: "mon", time.Tuesday: "tue", time.Wednesday: "wed",
	time.Thursday: "thu", time.Friday: "fri", time.Saturday: "sat",
}

// attempts holds, sends, and falls back while nothing has gone to the client.
// Every attempt is held anew, against the target that will bill.
func (c *call) attempts(ctx context.Context) (*Reply, error) {
	rest := c.ranked
	var last error
	for {
		a, behind, err := c.hold(ctx, rest)
		if err != nil {
			if last != nil { // what failed first is what the client should hear
				c.note("no fallback: " + providers.AsError(err).Message)
				return nil, last
			}
			return nil, err
		}
		rest = behind
		if last == nil {
			c.flow.telemetry.Overhead(ctx, time.Since(c.in.Received))
		}
		answer, err := a.Send(ctx)
		if err == nil {
			return c.reply(a, answer), nil
		}
		last = err
		if len(rest) == 0 || !mayFallBack(err) || ctx.Err() != nil {
			return nil, last
		}
		c.vars.FallbackFrom = a.Target.Name
	}
}

// reply is a provider's answer with our headers. A whole answer ends the call; a
// stream ends it when it has been read to its end.
func (c *call) reply(a *send.Attempt, answer *send.Answer) *Reply {
	c.receipt.Target = a.Target.Name
	r := &Reply{Status: answer.Status, ContentType: "text/event-stream", Header: append(c.attemptHeaders(a), answer.Header...), Stream: answer.Stream}
	if answer.Stream == nil {
		c.charged()
		c.close(nil)
		r.ContentType, r.Body = "application/json", answer.Body
		r.Header = append(r.Header, [2]string{"x-farthing-cost-usd", c.receipt.Cost.String()})
	}
	return r
}

// settled adds an attempt to the receipt, and how far off its estimate was.
func (c *call) settled(e *estimate.Estimate, at record.Attempt) {
	r := c.receipt
	r.Attempts = append(r.Attempts, at)
	r.Cost += at.Cost
	r.Target, r.Usage, r.UsageSource = at.Target, at.Usage, at.UsageSource
	if at.Outcome == send.OutcomeOK && at.UsageSource == providers.UsageProvider {
		r.Estimate.InputError = at.Usage.TotalInput() - e.Input
		r.Estimate.OutputError = at.Usage.TotalOutput() - e.OutputLikely*max(e.Answers, 1)
	}
}

// ended ends the call of a stream and gives its closing comment.
func (c *call) ended(err error) []byte {
	c.charged()
	c.close(err)
	r := c.receipt
	return fmt.Appendf(nil, ": farthing {\"id\":%q,\"target\":%q,\"cost_usd\":%q}\n\n", r.ID, r.Target, r.Cost.String())
}

// mayFallBack says whether another target may do better: not where the request
// itself is at fault or the client has gone.
func mayFallBack(err error) bool {
	switch providers.AsError(err).Kind {
	case providers.Invalid, providers.TooLarge, providers.Canceled:
		return false
	}
	return true
}

// note adds a sentence to the receipt.
func (c *call) note(s string) { c.receipt.Notes = append(c.receipt.Notes, s) }

// failed ends a call that brought the client no answer of a provider.
func (c *call) failed(ctx context.Context, err error) error {
	e := *providers.AsError(err)
	if len(c.receipt.Attempts) == 0 {
		c.flow.telemetry.Refused(ctx, e.Kind.String())
	}
	h := c.headers()
	if len(c.receipt.Attempts) > 0 {
		h = append(h, [2]string{"x-farthing-cost-usd", c.receipt.Cost.String()})
	}
	c.charged()
	e.Header = append(h, e.Header...)
	c.close(&e)
	return &e
}

// close ends the call, once: its receipt is complete and kept, and its span ends.
func (c *call) close(err error) {
	if c.closed {
		return
	}
	c.closed = true
	r, failed := c.receipt, ""
	if r.Outcome == "" {
		r.Outcome = send.Outcome(err)
	}
	if err != nil {
		e := providers.AsError(err)
		failed, r.Error = r.Outcome, e.Message
		if e.Kind == providers.Internal || e.Cause != nil && e.Kind != providers.Canceled { // that clients leave is no news
			c.flow.log.Warn("request failed", "id", r.ID, "kind", e.Kind.String(), "error", e)
		}
	}
	r.Millis = time.Since(c.in.Received).Milliseconds()
	c.span.Receipt(r.ID, r.Target, r.Reason)
	c.span.End(failed)
	ctx := context.Background()
	c.flow.telemetry.Answered(ctx, r.Entry, r.Outcome)
	c.flow.telemetry.InFlight(ctx, -1)
	c.flow.recorder.Keep(r)
	c.flow.running.Done()
}
