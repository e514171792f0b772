package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"farthing/providers"
)

// Failure is a call that brought no answer, or broke in the middle of one.
type Failure struct {
	Sent bool             // at least one byte of the request may have been written
	Err  *providers.Error // Timeout, Upstream, Unavailable, Canceled
}

// Error is the underlying error's text.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap is the *providers.Error.
func (f *Failure) Unwrap() error { return f.Err }

// expiry is the cause with which a call's own timeouts end its context.
type expiry struct{ what string }

func (e *expiry) Error() string { return e.what }

var (
	errTotal    = &expiry{"the answer took longer than allowed in all"}
	errFirst    = &expiry{"no answer came in time"}
	errSilence  = &expiry{"the answer stopped coming"}
	errFinished = errors.New("the call is over")
)

// failure turns what went wrong into kind and words. ctx is the call's own.
func (c *Client) failure(ctx context.Context, err error, sent bool) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	host := c.base.Host
	e := &providers.Error{Kind: providers.Upstream, Cause: err}
	var late *expiry
	cause := context.Cause(ctx)
	switch {
	case errors.As(cause, &late):
		e.Kind, e.Message = providers.Timeout, fmt.Sprintf("%s: %s", host, late.what)
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(cause, context.DeadlineExceeded):
		e.Kind, e.Message = providers.Timeout, host+": the time allowed for this request is over"
	case ctx.Err() != nil:
		e.Kind, e.Message, e.Cause = providers.Canceled, "the request was cancelled", cause
	case !sent && isTimeout(err):
		e.Kind, e.Message = providers.Timeout, host+" could not be reached in time"
	case !sent:
		e.Kind, e.Message = providers.Unavailable, unreachable(host, err)
	case isTimeout(err):
		e.Kind, e.Message = providers.Timeout, host+" did not answer in time"
	default:
		e.Message = host + " broke the connection off"
	}
	return &Failure{Sent: sent, Err: e}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}

// unreachable says why no connection came about.
func unreachable(host string, err error) string {
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns):
		return "the name " + dns.Name + " cannot be resolved"
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &cert):
		return host + " shows a certificate that cannot be trusted"
	case errors.As(err, &record):
		return host + " does not speak TLS"
	}
	return host + " cannot be reached"
}
