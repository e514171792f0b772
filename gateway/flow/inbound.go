package flow

import (
	"context"
	"io"
	"time"

	"farthing/gateway/flow/send"
	"farthing/providers"
)

// Hop is our name in the Via header of what was sent on by us.
const Hop = send.Hop

// Inbound is a client's request as the edge copied it in. Nothing in it refers
// to a buffer of the server.
type Inbound struct {
	Endpoint string // chat.completions, models, receipts, …
	Format   providers.Format
	Body     []byte
	Header   Header
	Remote   string // the client's address
	Local    bool   // came from this machine in a way that open_on_localhost may honour
	ID       string // last segment of the path, where the endpoint has one (a receipt's id)
	Received time.Time
}

// Header holds the request headers that mean something to us, and those that
// pass to a provider of the same format.
type Header struct {
	Key             string // bearer key, x-api-key or x-goog-api-key; "" if none was sent
	Tags            string // x-farthing-tags
	Session         string // x-farthing-session
	User            string // x-farthing-user
	MaxCost         string // x-farthing-max-cost-usd
	GoodAnswerWorth string // x-farthing-good-answer-worth-usd
	Explain         bool   // x-farthing-explain: 1
	Forward         [][2]string
	Traceparent     string
	Tracestate      string
}

// Reply is what the edge sends back: a whole body, or a stream that it pulls
// and closes. Closing before the end means that the client has gone.
type Reply struct {
	Status      int
	ContentType string
	Header      [][2]string
	Body        []byte
	Stream      io.ReadCloser // nil: Body is everything
}

// Handler answers one request. ctx ends when the client leaves. The error is,
// or wraps, a *providers.Error, which the edge writes in the client's format.
type Handler func(ctx context.Context, in *Inbound) (*Reply, error)
