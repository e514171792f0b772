package openai

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

// maxRetryAfter bounds what a provider may ask us to wait.
const maxRetryAfter = 24 * time.Hour

// ErrorBody writes e as OpenAI's error object. A provider's own body passes
// unchanged where it already has that shape and blames the request; where it
// blames our credentials it would show them.
func ErrorBody(e *providers.Error) []byte {
	if passes(e) {
		return e.Body
	}
	typ, code := errorType(e)
	out, err := json.Marshal(map[string]any{"error": map[string]any{
		"message": e.Message, "type": typ, "code": orNull(code), "param": orNull(e.Param),
	}})
	if err != nil {
		return []byte(`{"error":{"message":"internal error","type":"server_error","code":null,"param":null}}`)
	}
	return out
}

// ErrorEvent writes e as the event by which a client learns of it in the middle
// of a stream.
func ErrorEvent(e *providers.Error) []byte {
	body := ErrorBody(&providers.Error{Kind: e.Kind, Message: e.Message, Code: e.Code, Type: e.Type})
	return slices.Concat([]byte("data: "), body, []byte("\n\n"))
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func passes(e *providers.Error) bool {
	switch e.Kind {
	case providers.Invalid, providers.NotFound, providers.TooLarge, providers.RateLimited:
		return isErrorObject(e.Body)
	}
	return false
}

// isErrorObject says whether OpenAI's clients can read body as an error, and may:
// OpenRouter names the account beside it, which is the gateway's.
func isErrorObject(body []byte) bool {
	return WellFormed(body) && gjson.GetBytes(body, "error.message").Type == gjson.String &&
		!gjson.GetBytes(body, "type").Exists() && !gjson.GetBytes(body, "user_id").Exists()
}

// errorType is the type and code that OpenAI's clients know for the kind.
func errorType(e *providers.Error) (typ, code string) {
	switch e.Kind {
	case providers.Invalid:
		typ = "invalid_request_error"
	case providers.Unauthenticated:
		typ, code = "authentication_error", "invalid_api_key"
	case providers.Forbidden:
		typ = "permission_error"
	case providers.NotFound:
		typ = "invalid_request_error"
	case providers.TooLarge:
		typ, code = "invalid_request_error", "request_too_large"
	case providers.OverBudget:
		typ, code = "insufficient_quota", "insufficient_quota"
	case providers.RateLimited:
		typ, code = "rate_limit_error", "rate_limit_exceeded"
	case providers.Timeout:
		typ, code = "timeout_error", "timeout"
	case providers.Unavailable:
		typ, code = "service_unavailable_error", "service_unavailable"
	case providers.Upstream:
		typ, code = "upstream_error", "upstream_error"
	default:
		typ = "server_error"
	}
	if e.Type != "" {
		typ = e.Type
	}
	if e.Code != "" {
		code = e.Code
	}
	return typ, code
}

// ParseError reads an upstream's answer of status ≥ 400 in whatever envelope it
// has. header gives a response header by name, as http.Header.Get does. The
// result keeps status and body.
func ParseError(status int, header func(name string) string, body []byte) *providers.Error {
	e := &providers.Error{Kind: kindOf(status), Status: status, Body: body, RetryAfter: retryAfter(header)}
	if WellFormed(body) {
		describe(e, gjson.ParseBytes(body))
	}
	if e.Code == "rate_limit_exceeded" || e.Code == "RESOURCE_EXHAUSTED" {
		e.Kind = providers.RateLimited
	}
	if e.Code == "overloaded_error" {
		e.Kind = providers.Unavailable
	}
	finishError(e)
	return e
}

// finishError hides what the client must not see and fills in a missing message.
func finishError(e *providers.Error) {
	switch {
	case e.Kind == providers.Upstream && e.Status >= 401 && e.Status <= 407:
		e.Cause = fmt.Errorf("HTTP %d: %s", e.Status, e.Message)
		e.Message, e.Code, e.Type, e.Param = "the provider refused the gateway's credentials", "", "", ""
	case e.Message == "" && e.Status > 0:
		e.Message = "the provider answered HTTP " + strconv.Itoa(e.Status)
	case e.Message == "":
		e.Message = "the provider reported an error"
	}
}

func kindOf(status int) providers.Kind {
	switch status {
	case 401, 402, 403, 407:
		return providers.Upstream // our credentials or account, not the client's
	case 404:
		return providers.NotFound
	case 408, 504:
		return providers.Timeout
	case 413:
		return providers.TooLarge
	case 429:
		return providers.RateLimited
	case 503, 529:
		return providers.Unavailable
	}
	if status >= 400 && status < 500 {
		return providers.Invalid
	}
	return providers.Upstream
}

// describe takes message, code, type and param from any known envelope:
// {error:{…}}, [{error:{…}}] (Gemini), {type:error,error:{…}} (Anthropic),
// {error:"…",code} (xAI, Ollama), {detail:…} (Mistral), {message,…} (Cohere).
func describe(e *providers.Error, v gjson.Result) {
	if v.IsArray() {
		v = v.Get("0")
	}
	inner := v.Get("error")
	switch {
	case inner.IsObject():
		v = inner
	case inner.Type == gjson.String:
		e.Message = inner.String()
	}
	for _, path := range []string{"message", "detail", "detail.0.msg", "errors.0.message", "errors.0"} {
		if m := v.Get(path); e.Message == "" && m.Type == gjson.String {
			e.Message = m.String()
		}
	}
	for _, path := range []string{"code", "status", "type"} {
		if c := v.Get(path); e.Code == "" && c.Type == gjson.String {
			e.Code = c.String()
		}
	}
	e.Type, e.Param = v.Get("type").String(), v.Get("param").String()
	if d := v.Get(`details.#.retryDelay`); e.RetryAfter == 0 && d.IsArray() {
		e.RetryAfter = wait(d.Get("0").String())
	}
}

// StreamError reads an error object that came inside an answer of status 200.
func StreamError(data []byte) *providers.Error {
	v := gjson.ParseBytes(data)
	status := v.Get("error.code")
	if status.Type != gjson.Number {
		status = v.Get("error.status_code")
	}
	e := &providers.Error{Kind: providers.Upstream, Body: append([]byte(nil), data...)}
	describe(e, v)
	switch e.Code {
	case "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED":
		e.Kind = providers.RateLimited
	case "overloaded_error", "UNAVAILABLE", "service_unavailable", "over_capacity":
		e.Kind = providers.Unavailable
	}
	switch k := kindOf(int(status.Int())); k {
	case providers.RateLimited, providers.Unavailable, providers.Timeout:
		e.Kind = k
	}
	finishError(e)
	return e
}

// retryAfter reads how long to wait, from the most exact header to the least.
func retryAfter(header func(string) string) time.Duration {
	// Azure sends a retry-after-ms of 0 beside a retry-after of 1.
	if ms, err := strconv.ParseFloat(header("retry-after-ms"), 64); err == nil && ms > 0 {
		return bounded(ms * float64(time.Millisecond))
	}
	if s := header("retry-after"); s != "" {
		if at, err := time.Parse(time.RFC1123, s); err == nil {
			return bounded(float64(time.Until(at)))
		}
		return wait(s)
	}
	var longest time.Duration
	for _, what := range []string{"requests", "tokens"} {
		if strings.TrimSpace(header("x-ratelimit-remaining-"+what)) == "0" {
			longest = max(longest, wait(header("x-ratelimit-reset-"+what)))
		}
	}
	if longest > 0 {
		return longest
	}
	for _, name := range []string{"x-ratelimit-reset", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"} {
		if d := wait(header(name)); d > 0 {
			return d
		}
	}
	return 0
}

// wait reads "6ms", "1m2s", plain seconds, or a moment in Unix seconds or
// milliseconds. What it cannot read is 0.
func wait(s string) time.Duration {
	s = strings.TrimSpace(s)
	if d, err := time.ParseDuration(s); err == nil {
		return bounded(float64(d))
	}
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil:
		return 0
	case n > 1e12:
		return bounded(float64(time.Until(time.UnixMilli(int64(min(n, 1e15))))))
	case n > 1e9:
		return bounded(float64(time.Until(time.Unix(int64(n), 0))))
	}
	return bounded(n * float64(time.Second))
}

func bounded(d float64) time.Duration {
	if !(d > 0) { // also not a number
		return 0
	}
	return time.Duration(min(d, float64(maxRetryAfter)))
}
