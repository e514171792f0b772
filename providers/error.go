package providers

import (
	"errors"
	"time"
)

// Kind says what went wrong in terms that the edge can turn into a status.
type Kind uint8

// The kinds of error. Only gateway/edge maps them to HTTP.
const (
	Internal Kind = iota
	Invalid
	Unauthenticated
	Forbidden
	NotFound
	TooLarge
	OverBudget
	RateLimited
	Upstream    // the provider failed or answered nonsense
	Unavailable // no target can serve now
	Timeout
	Canceled // the client left
)

var kindNames = [...]string{
	"internal", "invalid", "unauthenticated", "forbidden", "not_found", "too_large",
	"over_budget", "rate_limited", "upstream", "unavailable", "timeout", "canceled",
}

// String is the kind's name in metrics and receipts.
func (k Kind) String() string { return kindNames[k] }

// Error is an error with a kind. Message is written for the client; Cause is
// logged and never sent.
type Error struct {
	Kind       Kind
	Message    string
	Code       string        // machine-readable, e.g. "model_not_found"; "" for the kind's own
	Param      string        // the request's field, if one is to blame
	Type       string        // the error type of the client's format; "" for the kind's own
	RetryAfter time.Duration // 0: not said
	Status     int           // the upstream's HTTP status; 0 if there was none
	Body       []byte        // the upstream's body in its own format; nil if there was none
	Header     [][2]string   // headers for the client, e.g. x-upstream-request-id
	Cause      error
}

// Error is the message for the client, followed by the cause for the log.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// AsError finds the *Error in err; any other error becomes one of kind Internal
// whose message tells the client nothing.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Message: "internal error", Cause: err}
}
