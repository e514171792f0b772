package send

import (
	"context"
	"errors"
	"sync"
	"time"

	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/policies/estimate"
	"farthing/policies/ledger"
	"farthing/providers"
	"farthing/providers/catalog/price"
	"farthing/providers/openai"
	"farthing/providers/openai/relay"
	"farthing/providers/upstream"
)

const (
	// drainLimit bounds how long the answer of a client that has left is read
	// to its end, where breaking it off would not stop its billing.
	drainLimit = 30 * time.Second
	maxAnswer  = 64 << 20 // bytes of an answer that is not streamed
	maxRefusal = 1 << 20  // bytes of an answer with an error status
)

// Hop names us in the Via header of every request sent on, so that a gateway that
// meets itself refuses the loop.
const Hop = "farthing"

// Parts are what every attempt uses.
type Parts struct {
	Ledger    *ledger.Ledger
	Estimator *estimate.Estimator
	Telemetry *telemetry.Telemetry
	Shutdown  context.Context // its end breaks attempts off
}

// Order is one attempt to be made.
type Order struct {
	ID       string
	Conn     *Conn
	Target   *providers.Target
	Row      *price.Row // what the target costs; nil for a self-hosted one
	Estimate estimate.Estimate
	Hold     *ledger.Hold // nil: nothing is held, the target costs no budget
	Output   int64        // tokens of output granted
	Brief    *providers.Brief
	Body     []byte        // the client's bytes
	Forward  [][2]string   // the client's headers that pass
	Received time.Time     // when the client's request came
	MaxWait  time.Duration // for a place at an engine

	// Settled is called once, when the attempt's bill is known.
	Settled func(record.Attempt)
	// Ended is called when a streamed answer has ended. What it returns are the
	// last bytes of the stream.
	Ended func(err error) []byte
}

// Attempt is one send to one target.
type Attempt struct {
	Order
	parts *Parts

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

// New opens an attempt. Send must follow.
func New(p *Parts, o Order) *Attempt {
	return &Attempt{Order: o, parts: p, relay: relay.New(o.Conn.Quirks, o.Brief.StreamUsage)}
}

// Clamped says that less output was granted than the client or the model would
// take.
func (a *Attempt) Clamped() bool { return a.Hold != nil && a.Hold.Clamped }

// held is the money set aside.
func (a *Attempt) held() providers.Money {
	if a.Hold == nil {
		return 0
	}
	return a.Hold.Amount
}

// Why an attempt is cut off.
var (
	errLeft     = errors.New("the client left")
	errShutdown = errors.New("the gateway is stopping")
	errEnded    = errors.New("the provider kept its stream open after the answer")
	errPanicked = errors.New("a panic ended the attempt")
)

// Send writes the request and reads the answer up to what the client may see.
// An error is a *providers.Error and means that nothing has gone to the client;
// the attempt is then settled already.
func (a *Attempt) Send(ctx context.Context) (answer *Answer, err error) {
	a.started = time.Now()
	defer func() {
		if answer == nil && err == nil { // a panic passes, which the edge answers: the money and the place at the engine must not stay taken
			a.finish(a.reached(), errPanicked)
		}
	}()
	if err := a.enter(ctx); err != nil {
		return nil, a.fail(notSent, err)
	}
	up := a.detach(ctx)
	up, a.span = a.parts.Telemetry.Attempt(up, a.Target.Provider, a.Target.ID, a.ID)
	response, err := a.Conn.Client.Do(up, upstream.Call{
		Method: "POST",
		Path:   a.Conn.Path,
		Header: a.requestHeader(up),
		Body:   openai.Splice(a.Body, a.edits()),
		Stream: a.Brief.Stream,
	})
	if err != nil {
		return nil, a.fail(unreached(up, err), a.blame(ctx, err))
	}
	a.first, a.status, a.upID = time.Since(a.started), response.Status, upstreamID(response.Header)
	switch {
	case response.Status >= 400:
		return nil, a.refusal(response)
	case a.Brief.Stream && isEventStream(response.Header):
		return a.stream(ctx, response)
	default:
		return a.whole(ctx, response)
	}
}

// enter takes what a send needs first: the breaker's leave and a place at the
// engine.
func (a *Attempt) enter(ctx context.Context) error {
	ticket, ok := a.Conn.Breaker(a.Target.Name).Allow()
	if !ok {
		return &providers.Error{Kind: providers.Unavailable, Message: a.Target.Name + " has failed repeatedly and is left alone for a while", Code: "target_resting"}
	}
	a.ticket = ticket
	if a.Conn.Gate == nil {
		return nil
	}
	if err := a.Conn.Gate.Enter(ctx, a.MaxWait); err != nil {
		return a.blame(ctx, err)
	}
	a.gated = true
	return nil
}

// reached is how an attempt ended that nothing is known of: not sent before there
// was a call, else unanswered.
func (a *Attempt) reached() ending {
	if a.release == nil {
		return notSent
	}
	return unanswered
}

// detach makes the context of the upstream call. It outlives the client: gone
// says what happens then.
func (a *Attempt) detach(ctx context.Context) context.Context {
	up, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	a.cut = cancel
	stopGone := context.AfterFunc(ctx, func() { a.gone(ctx) })
	stopDown := context.AfterFunc(a.parts.Shutdown, func() { cancel(errShutdown) })
	a.release = func() {
		stopGone()
		stopDown()
		cancel(nil)
	}
	return up
}

// gone is called when the client has left: a target known to stop billing is
// cut off at once, any other is read to its end for at most drainLimit, so that
// what is billed is known. Where it is the gateway that goes there is no time for
// that.
func (a *Attempt) gone(ctx context.Context) {
	why := whyEnded(ctx)
	if a.Conn.CancelStopsBilling == providers.Yes || why.Kind != providers.Canceled {
		a.cut(why)
		return
	}
	a.draining.Do(func() { time.AfterFunc(drainLimit, func() { a.cut(errLeft) }) })
}

// edits are the splices of this attempt: the only changes to the client's bytes.
func (a *Attempt) edits() providers.Edits {
	e := providers.Edits{Model: a.Target.ID, OutputField: a.Target.Facts.OutputField, StreamUsage: a.Brief.Stream}
	// The limit bounds the bill. Where nothing is held or lowered the client's own
	// stands.
	if a.Output != a.Brief.MaxOutput && (a.held() > 0 || a.Output < a.Estimate.OutputMost) {
		e.MaxOutput = a.Output
	}
	return e
}

// requestHeader is what the provider gets besides its credentials.
func (a *Attempt) requestHeader(ctx context.Context) [][2]string {
	h := append([][2]string{{"Content-Type", "application/json"}, {"Via", "1.1 " + Hop}}, a.Forward...)
	return append(h, a.parts.Telemetry.Headers(ctx)...)
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

// blame turns the error of a wait or a call that we broke off ourselves into its
// reason.
func (a *Attempt) blame(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		why := *whyEnded(ctx)
		why.Cause = err
		return &why
	case a.parts.Shutdown.Err() != nil:
		return &providers.Error{Kind: providers.Unavailable, Message: errShutdown.Error(), Cause: err}
	}
	return err
}

// whyEnded says why a request's context has ended: by the edge's own word, such as
// that the gateway is shutting down, else because the client left.
func whyEnded(ctx context.Context) *providers.Error {
	var why *providers.Error
	if errors.As(context.Cause(ctx), &why) {
		return why
	}
	return &providers.Error{Kind: providers.Canceled, Message: errLeft.Error()}
}
