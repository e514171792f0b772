package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"farthing/localengine/embedded/tokens"
)

// Bounds of a request's fields.
const (
	maxStops     = 16
	maxStopBytes = 1024
)

// chatBody is the request as it is sent. Fields that are not here change
// nothing about an answer and are ignored.
type chatBody struct {
	Model               string          `json:"model"`
	Messages            []chatMessage   `json:"messages"`
	Stream              bool            `json:"stream"`
	StreamOptions       *streamOptions  `json:"stream_options"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Temperature         *float64        `json:"temperature"`
	TopP                *float64        `json:"top_p"`
	TopK                *int            `json:"top_k"`
	MinP                *float64        `json:"min_p"`
	Seed                *int64          `json:"seed"`
	FrequencyPenalty    *float64        `json:"frequency_penalty"`
	PresencePenalty     *float64        `json:"presence_penalty"`
	Stop                json.RawMessage `json:"stop"`
	ReasoningEffort     string          `json:"reasoning_effort"`
	unsupportedFields
}

// unsupportedFields would change what a right answer is, so they are refused
// where they ask for something.
type unsupportedFields struct {
	N              *int               `json:"n"`
	Tools          []json.RawMessage  `json:"tools"`
	Functions      []json.RawMessage  `json:"functions"`
	Logprobs       bool               `json:"logprobs"`
	LogitBias      map[string]float64 `json:"logit_bias"`
	Modalities     []string           `json:"modalities"`
	ResponseFormat *struct {
		Type string `json:"type"`
	} `json:"response_format"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatMessage struct {
	Role      string            `json:"role"`
	Content   json.RawMessage   `json:"content"`
	ToolCalls []json.RawMessage `json:"tool_calls"`
}

// Chat is a request that was checked.
type Chat struct {
	Messages     []tokens.Message
	Effort       string // low, medium, high or empty
	Stream       bool
	IncludeUsage bool
	MaxTokens    int // 0: as many as the context holds
	Stops        []string
	Sampling     tokens.Sampling
}

// ParseChat checks a request for the model of that name. Where the request
// names no temperature, defaultTemperature holds.
func ParseChat(body []byte, model string, defaultTemperature float64) (*Chat, *Error) {
	b := chatBody{}
	if e := DecodeJSON(body, &b); e != nil {
		return nil, e
	}
	if b.Model != "" && b.Model != model {
		return nil, &Error{
			Status: 404, Kind: "invalid_request_error", Param: "model", Code: "model_not_found",
			Message: "The model `" + Clip(b.Model) + "` does not exist here. This engine serves `" + model + "`.",
		}
	}
	if e := b.refuse(); e != nil {
		return nil, e
	}
	c := &Chat{Stream: b.Stream, Effort: b.ReasoningEffort, IncludeUsage: b.StreamOptions != nil && b.StreamOptions.IncludeUsage}
	for _, step := range []func() *Error{
		func() (e *Error) { c.Messages, e = parseMessages(b.Messages); return e },
		func() (e *Error) { c.MaxTokens, e = b.limit(); return e },
		func() (e *Error) { c.Stops, e = parseStops(b.Stop); return e },
		func() (e *Error) { c.Sampling, e = b.sampling(defaultTemperature); return e },
	} {
		if e := step(); e != nil {
			return nil, e
		}
	}
	return c, nil
}

// DecodeJSON reads exactly one JSON value of valid UTF-8.
func DecodeJSON(body []byte, into any) *Error {
	if !utf8.Valid(body) {
		return Invalid("", "invalid_utf8", "The request body is not valid UTF-8.")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(into); err != nil {
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field != "" {
			return Invalid(wrong.Field, "invalid_type", "Field %s cannot be a JSON %s.", wrong.Field, Clip(wrong.Value))
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return Invalid("", "invalid_json", "The request body ends before its JSON does.")
		}
		return Invalid("", "invalid_json", "The request body is not a JSON object as expected: %s.", Clip(err.Error()))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Invalid("", "invalid_json", "Something follows the JSON object in the request body.")
	}
	return nil
}

// Clip keeps a client's own words in an error short.
func Clip(s string) string {
	if len(s) <= 100 {
		return s
	}
	return strings.ToValidUTF8(s[:100], "") + "..."
}

func (b *chatBody) refuse() *Error {
	switch f := b.unsupportedFields; {
	case f.N != nil && *f.N != 1:
		return unsupported("n", "any n but 1")
	case len(f.Tools) > 0:
		return unsupported("tools", "tools")
	case len(f.Functions) > 0:
		return unsupported("functions", "functions")
	case f.Logprobs:
		return unsupported("logprobs", "log probabilities")
	case len(f.LogitBias) > 0:
		return unsupported("logit_bias", "logit_bias")
	case len(f.Modalities) > 1 || len(f.Modalities) == 1 && f.Modalities[0] != "text":
		return unsupported("modalities", "any modality but text")
	case f.ResponseFormat != nil && f.ResponseFormat.Type != "text":
		return unsupported("response_format", "any response format but text")
	}
	switch b.ReasoningEffort {
	case "", "low", "medium", "high":
		return nil
	}
	return Invalid("reasoning_effort", "invalid_value", "reasoning_effort must be low, medium or high.")
}

func parseMessages(in []chatMessage) ([]tokens.Message, *Error) {
	if len(in) == 0 {
		return nil, Invalid("messages", "missing_required_parameter", "messages must hold at least one message.")
	}
	out := make([]tokens.Message, 0, len(in))
	for _, m := range in {
		role := m.Role
		switch role {
		case "system", "user", "assistant":
		case "developer":
			role = "system"
		case "tool", "function":
			return nil, unsupported("messages", "tool results")
		default:
			return nil, Invalid("messages", "invalid_value", "Unknown role %q: use system, developer, user or assistant.", Clip(role))
		}
		if len(m.ToolCalls) > 0 {
			return nil, unsupported("messages", "tool calls")
		}
		text, e := contentText(m.Content, role)
		if e != nil {
			return nil, e
		}
		out = append(out, tokens.Message{Role: role, Text: text})
	}
	return out, nil
}

// contentText takes a string or a list of text parts.
func contentText(raw json.RawMessage, role string) (string, *Error) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		if role == "assistant" {
			return "", nil
		}
		return "", Invalid("messages", "missing_required_parameter", "A %s message needs content.", role)
	case raw[0] == '"':
		s := ""
		e := decodeInto(raw, &s)
		return s, e
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if e := decodeInto(raw, &parts); e != nil {
		return "", e
	}
	text := strings.Builder{}
	for _, p := range parts {
		if p.Type != "text" {
			return "", unsupported("messages", "content parts of type "+Clip(p.Type)+", only text")
		}
		text.WriteString(p.Text)
	}
	return text.String(), nil
}

func decodeInto(raw json.RawMessage, into any) *Error {
	if err := json.Unmarshal(raw, into); err != nil {
		return Invalid("messages", "invalid_type", "A message's content must be a string or a list of parts.")
	}
	return nil
}

func (b *chatBody) limit() (int, *Error) {
	limit, name := b.MaxCompletionTokens, "max_completion_tokens"
	if limit == nil {
		limit, name = b.MaxTokens, "max_tokens"
	}
	if limit == nil {
		return 0, nil
	}
	if *limit < 1 {
		return 0, Invalid(name, "invalid_value", "%s must be at least 1.", name)
	}
	return *limit, nil
}

func parseStops(raw json.RawMessage) ([]string, *Error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var stops []string
	one := ""
	if json.Unmarshal(raw, &one) == nil {
		stops = []string{one}
	} else if json.Unmarshal(raw, &stops) != nil {
		return nil, Invalid("stop", "invalid_type", "stop must be a string or a list of strings.")
	}
	if len(stops) > maxStops {
		return nil, Invalid("stop", "invalid_value", "stop may hold at most %d texts.", maxStops)
	}
	for _, s := range stops {
		if s == "" || len(s) > maxStopBytes {
			return nil, Invalid("stop", "invalid_value", "Each stop text must have 1 to %d bytes.", maxStopBytes)
		}
	}
	return stops, nil
}

func (b *chatBody) sampling(defaultTemperature float64) (tokens.Sampling, *Error) {
	s := tokens.Sampling{Temperature: defaultTemperature, TopP: 1, Seed: rand.Uint64()}
	for _, f := range []struct {
		name     string
		from     *float64
		to       *float64
		min, max float64
	}{
		{"temperature", b.Temperature, &s.Temperature, 0, 2},
		{"top_p", b.TopP, &s.TopP, 0, 1},
		{"min_p", b.MinP, &s.MinP, 0, 1},
		{"frequency_penalty", b.FrequencyPenalty, &s.Frequency, -2, 2},
		{"presence_penalty", b.PresencePenalty, &s.Presence, -2, 2},
	} {
		if f.from == nil {
			continue
		}
		if *f.from < f.min || *f.from > f.max {
			return s, Invalid(f.name, "invalid_value", "%s must be from %g to %g.", f.name, f.min, f.max)
		}
		*f.to = *f.from
	}
	if b.TopK != nil {
		// -1 is how vLLM's clients say "off".
		if *b.TopK < -1 {
			return s, Invalid("top_k", "invalid_value", "top_k must be at least -1.")
		}
		s.TopK = max(0, *b.TopK)
	}
	if b.Seed != nil {
		s.Seed = uint64(*b.Seed)
	}
	return s, nil
}
