package wire

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
)

// Error is a refusal in the OpenAI error shape.
type Error struct {
	Status  int
	Kind    string // "type"
	Code    any    // a string, a number (health) or nil
	Param   any    // the field at fault, or nil
	Message string
	Retry   int // Retry-After in seconds; 0: none
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Body is the JSON of the refusal.
func (e *Error) Body() []byte {
	b, err := json.Marshal(map[string]any{"error": map[string]any{
		"message": e.Message, "type": e.Kind, "param": e.Param, "code": e.Code,
	}})
	if err != nil { // cannot be: only strings, numbers and nil
		slog.Error("error reply", "err", err)
	}
	return b
}

// Write sends the refusal as the whole reply.
func (e *Error) Write(w http.ResponseWriter) {
	if e.Retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.Retry))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	_, _ = w.Write(e.Body()) // the client has gone: nothing left to tell it
}

// Invalid is a request that is wrong in one field.
func Invalid(param, code, format string, args ...any) *Error {
	e := &Error{Status: http.StatusBadRequest, Kind: "invalid_request_error", Message: fmt.Sprintf(format, args...)}
	if param != "" {
		e.Param = param
	}
	if code != "" {
		e.Code = code
	}
	return e
}

func unsupported(param, what string) *Error {
	return Invalid(param, "unsupported_parameter", "The embedded engine does not support %s.", what)
}

// TooLong is a prompt, in tokens, that leaves no place for an answer.
func TooLong(prompt, context int) *Error {
	return Invalid("messages", "context_length_exceeded",
		"This model's maximum context length is %d tokens, and the prompt has %d. At least one place must be left for the answer.", context, prompt)
}

// Loading is the answer before the model is loaded. It has llama.cpp's words,
// which clients of such servers know.
func Loading() *Error {
	return &Error{Status: http.StatusServiceUnavailable, Kind: "unavailable_error", Code: http.StatusServiceUnavailable, Message: "Loading model", Retry: 1}
}

// QueueFull is a refusal because all places to wait are taken.
func QueueFull(places int) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Kind: "rate_limit_error", Code: "queue_full", Retry: 1,
		Message: fmt.Sprintf("The engine is busy and its queue of %d is full. Try again later.", places),
	}
}

// TooLarge is a body of more than limit bytes.
func TooLarge(limit int64) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Kind: "invalid_request_error", Code: "request_too_large",
		Message: fmt.Sprintf("The request body is larger than %d bytes.", limit),
	}
}

// Internal is a failure of the engine, with words that may be sent.
func Internal(message string) *Error {
	return &Error{Status: http.StatusInternalServerError, Kind: "server_error", Code: "engine_error", Message: message}
}
