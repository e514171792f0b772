package flow

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/policies/ledger"
	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/openai/relay"
	"farthing/providers/upstream"
)

// attempt is one send to one target.
type attempt struct {
	call *call
	choice
	conn    *Conn
	breaker *upstream.Breaker
	hold    *ledger.Hold // nil: nothing to hold, the target costs no budget
	held    providers.Money
	output  int64 // granted

	id      string
	started time.Time
	first   time.Duration // to the first byte
	ticket  upstream.Ticket
	gated   bool // has a place at the engine
	status  int
	relay   *relay.Relay
	cut     context.CancelCauseFunc // breaks the upstream call off
	release func()                  // frees what detach set up
	span    telemetry.Span
	upID    string

	draining, settled sync.Once
}

// errLeft cuts an attempt off because its client has gone.
var errLeft = errors.New("the client left")

// errShutdown cuts an attempt off because the gateway stops.
var errShutdown = errors.New("the gateway is stopping")

// send writes the request and reads the answer up to what the client may see.
// An error means that nothing has gone to the client; the attempt is then
// settled already.
func (a *attempt) send(ctx context.Context) (*Reply, error) {
	a.started = time.Now()
	a.relay = relay.New(a.conn.Quirks, a.call.brief.StreamUsage)
	if err := a.enter(ctx); err != nil {
		return nil, a.fail(notSent, err)
	}
	if len(a.call.receipt.Attempts) == 0 {
		a.call.flow.telemetry.Overhead(ctx, time.Since(a.call.in.Received))
	}
	up := a.detach(ctx)
	up, a.span = a.call.flow.telemetry.Attempt(up, a.Target.Provider, a.Target.Name, a.id)
	response, err := a.conn.Client.Do(up, upstream.Call{
		Method: "POST",
		Path:   a.conn.Path,
		Header: a.requestHeader(up),
		Body:   openai.Splice(a.call.in.Body, a.edits()),
		Stream: a.call.brief.Stream,
	})
	if err != nil {
		return nil, a.fail(unreached(up, err), a.blame(ctx, err))
	}
	a.first, a.status, a.upID = time.Since(a.started), response.Status, upstreamID(response.Header)
	switch {
	case response.Status >= 400:
		return nil, a.refusal(response)
	case a.call.brief.Stream && isEventStream(response.Header):
		return a.stream(ctx, response)
	default:
		return a.whole(ctx, response)
	}
}

// enter takes what a send needs first: the breaker's leave and a place at the
// engine.
func (a *attempt) enter(ctx context.Context) error {
	ticket, ok := a.breaker.Allow()
	if !ok {
		return &providers.Error{Kind: providers.Unavailable, Message: a.Target.Name + " has failed repeatedly and is left alone for a while", Code: "target_resting"}
	}
	a.ticket = ticket
	if a.conn.Gate == nil {
		return nil
	}
	if err := a.conn.Gate.Enter(ctx, a.call.model.MaxQueueWait); err != nil {
		a.breaker.Report(ticket, upstream.Neutral)
		a.ticket = 0
		return err
	}
	a.gated = true
	return nil
}

// detach makes the context of the upstream call. It outlives the client: gone
// says what happens then.
func (a *attempt) detach(ctx context.Context) context.Context {
	up, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	a.cut = cancel
	stopGone := context.AfterFunc(ctx, a.gone)
	stopDown := context.AfterFunc(a.call.flow.shutdown, func() { cancel(errShutdown) })
	a.release = func() {
		stopGone()
		stopDown()
		cancel(nil)
	}
	return up
}

// gone is called when the client has left: a target known to stop billing is
// cut off at once, any other is read to its end for at most drainLimit, so that
// what is billed is known.
func (a *attempt) gone() {
	if a.conn.CancelStopsBilling == providers.Yes {
		a.cut(errLeft)
		return
	}
	a.draining.Do(func() { time.AfterFunc(drainLimit, func() { a.cut(errLeft) }) })
}

// edits are the splices of this attempt: the only changes to the client's bytes.
func (a *attempt) edits() providers.Edits {
	b := a.call.brief
	e := providers.Edits{Model: a.Target.ID, OutputField: a.Target.Facts.OutputField, StreamUsage: b.Stream}
	if limit := a.limit(); limit != b.MaxOutput {
		e.MaxOutput = limit
	}
	return e
}

// limit is the output limit that the provider is given: what the hold granted,
// which bounds the bill. Where nothing is held the client's own stands.
func (a *attempt) limit() int64 {
	if a.held == 0 {
		return a.call.brief.MaxOutput
	}
	return a.output
}

// requestHeader is what the provider gets besides its credentials.
func (a *attempt) requestHeader(ctx context.Context) [][2]string {
	h := append([][2]string{{"Content-Type", "application/json"}, {"Via", Via}}, a.call.in.Header.Forward...)
	return append(h, a.call.flow.telemetry.Headers(ctx)...)
}

// Via is what requests of ours carry, so that a gateway that meets itself
// refuses the loop.
const Via = "1.1 farthing"

// refusal turns an answer with an error status into an error.
func (a *attempt) refusal(response *upstream.Response) error {
	body, err := upstream.ReadAll(response, 1<<20)
	if err != nil {
		return a.fail(refused, err)
	}
	_, _ = a.relay.Body(body) // for the meter: some providers bill what they refuse, and say so
	e := openai.ParseError(response.Status, response.Header.Get, body)
	e.Header = append(e.Header, upstreamHeader(response.Header)...)
	if e.Kind == providers.Unauthenticated || e.Kind == providers.Forbidden {
		// The client's key is good; ours is not. Its words could name our account.
		e.Kind, e.Cause, e.Body = providers.Upstream, errors.New(e.Message), nil
		e.Message, e.Code = a.Target.Provider+" refused the gateway's key", "provider_key_refused"
	}
	return a.fail(refused, e)
}

// unreached tells from a failed send whether the provider may have begun, and
// whether it was we who broke it off.
func unreached(up context.Context, err error) ending {
	var f *upstream.Failure
	switch {
	case errors.As(err, &f) && !f.Sent:
		return notSent
	case up.Err() != nil:
		return cut
	}
	return unanswered
}

// fail settles an attempt that brought no answer and returns why.
func (a *attempt) fail(e ending, err error) error {
	failure := providers.AsError(err)
	a.finish(e, failure.Kind.String(), err)
	return err
}

// finish settles and records the attempt, exactly once, on every path.
func (a *attempt) finish(e ending, outcome string, cause error) {
	a.settled.Do(func() {
		if a.release != nil {
			a.release()
		}
		took := time.Since(a.started)
		if a.gated {
			a.conn.Gate.Leave(took)
		}
		a.report(cause)
		b := settle(e, a.account())
		if a.hold != nil {
			a.call.flow.ledger.Settle(a.hold, ledger.Cost{Amount: b.cost, Source: b.source})
		}
		a.learn(e, b)
		a.record(b, outcome, cause, took)
	})
}

// report tells the breaker what the attempt showed about the target.
func (a *attempt) report(cause error) {
	if a.ticket == 0 {
		return
	}
	outcome := upstream.Success
	if cause != nil {
		switch e := providers.AsError(cause); e.Kind {
		case providers.Upstream, providers.Unavailable, providers.Timeout:
			outcome = upstream.Fault
		default:
			outcome = upstream.Neutral
		}
	}
	a.breaker.Report(a.ticket, outcome)
}

// record adds the attempt to the receipt and the metrics.
func (a *attempt) record(b bill, outcome string, cause error, took time.Duration) {
	m := a.relay.Meter()
	at := record.Attempt{
		ID: a.id, Target: a.Target.Name, Hold: a.held, MaxOutput: a.output, Clamped: a.clamped(), Status: a.status, Outcome: outcome,
		Usage: b.usage, UsageSource: b.source, Cost: b.cost, Model: m.Model, Tier: m.Tier, UpstreamID: a.upID, Repairs: m.Repairs,
		FirstByteMS: a.first.Milliseconds(), Millis: took.Milliseconds(),
	}
	if cause != nil {
		at.Error = providers.AsError(cause).Message
	}
	r := a.call.receipt
	r.Attempts = append(r.Attempts, at)
	r.Cost += b.cost
	r.Target, r.Usage, r.UsageSource = a.Target.Name, b.usage, b.source
	a.span.Answer(m.Model, string(m.Finish), b.usage.TotalInput(), b.usage.TotalOutput())
	kind := ""
	if outcome != outcomeOK {
		kind = outcome
	}
	a.span.End(kind)
	a.call.flow.telemetry.Attempted(context.Background(), telemetry.Attempt{
		Target: a.Target.Name, Provider: a.Target.Provider, Model: a.Target.Name, Outcome: outcome, Source: string(b.source),
		Duration: took, FirstByte: a.first, Input: b.usage.TotalInput(), Output: b.usage.TotalOutput(), USD: float64(b.cost) / float64(providers.Dollar),
	})
}

// clamped says that less output was granted than the client or the model would
// take.
func (a *attempt) clamped() bool { return a.hold != nil && a.hold.Clamped }

func isEventStream(h interface{ Get(string) string }) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "text/event-stream")
}
