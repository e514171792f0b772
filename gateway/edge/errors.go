package edge

import (
	"errors"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"farthing/gateway/flow"
	"farthing/providers"
	"farthing/providers/openai"
)

// statuses is the one table from kinds of error to HTTP.
var statuses = [...]int{
	providers.Internal:        fiber.StatusInternalServerError,
	providers.Invalid:         fiber.StatusBadRequest,
	providers.Unauthenticated: fiber.StatusUnauthorized,
	providers.Forbidden:       fiber.StatusForbidden,
	providers.NotFound:        fiber.StatusNotFound,
	providers.TooLarge:        fiber.StatusRequestEntityTooLarge,
	providers.OverBudget:      fiber.StatusTooManyRequests,
	providers.RateLimited:     fiber.StatusTooManyRequests,
	providers.Upstream:        fiber.StatusBadGateway,
	providers.Unavailable:     fiber.StatusServiceUnavailable,
	providers.Timeout:         fiber.StatusGatewayTimeout,
	providers.Canceled:        499, // nginx's number for a client that has gone; nobody reads it
}

// Why a request's context ends before its answer: the cause of the ctx that a
// handler is given.
var (
	errLeft     = &providers.Error{Kind: providers.Canceled, Code: "client_closed_request", Message: "the client closed its side of the connection before the answer"}
	errShutdown = &providers.Error{Kind: providers.Unavailable, Code: "shutting_down", Message: "the gateway is shutting down"}
	errAnswered = errors.New("the request has been answered")
)

// fail writes err with the status of its kind.
func (s *Server) fail(c *fiber.Ctx, err error) {
	e := providers.AsError(err)
	if e.Kind == providers.Internal {
		s.o.Log.Error("request failed", "path", c.Path(), "error", err)
	}
	s.refuse(c, statuses[e.Kind], e)
}

// refuse writes e in the client's format with a status of its own.
func (s *Server) refuse(c *fiber.Ctx, status int, e *providers.Error) {
	c.Response().ResetBody()
	h := &c.Response().Header
	for _, kv := range e.Header {
		addHeader(c, kv[0], kv[1])
	}
	if len(h.Peek("X-Farthing-Id")) == 0 { // refused before the flow gave it one
		h.Set("X-Farthing-Id", flow.NewID(time.Now()))
	}
	if e.RetryAfter > 0 {
		h.Set(fiber.HeaderRetryAfter, strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	switch {
	case e.Kind == providers.OverBudget:
		h.Set("X-Should-Retry", "false") // the vendors' SDKs repeat every other 429 by themselves
	case e.Kind == providers.Unauthenticated:
		h.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	h.SetContentType(fiber.MIMEApplicationJSON)
	c.Status(status)
	c.Response().SetBodyRaw(openai.ErrorBody(e))
}
