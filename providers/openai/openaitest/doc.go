// Package openaitest says what a client should get of a chat completion that was
// recorded at a provider: the same bytes but for the repairs of the provider's
// row and the usage chunk that the client did not ask for. It is worked out by
// other means than package relay does it: whole events rewritten as JSON values,
// so that both can be compared.
package openaitest

import (
	"fmt"
	"strings"

	"farthing/providers"
	"farthing/providers/providertest"
)

// Answer is what the client should get.
type Answer struct {
	Events  []Event  // of a stream
	Body    Event    // of an answer that is not streamed
	Repairs []string // those that had to be made, in their order
	Failed  bool     // the provider's own error ends it
}

// Event is one event of a stream, its blank line included, or a whole body.
type Event struct {
	Text   string
	Mended bool // Text says what is meant; its bytes may be others
	Error  bool // an error in whatever words, in OpenAI's shape
}

// Same says how got differs from what it should be.
func (e Event) Same(got string) error {
	switch {
	case got == e.Text:
		return nil
	case e.Error:
		if m, ok := object(got); ok && text(m, "error", "message") != "" {
			return nil
		}
	case e.Mended:
		want, _ := dataOf(e.Text)
		if data, ok := dataOf(got); ok {
			return providertest.SameJSON([]byte(want), []byte(data))
		}
	}
	return fmt.Errorf("got %q, want %q", got, e.Text)
}

// SameStream says how a stream differs from what it should be, event by event.
func (a Answer) SameStream(stream string) error {
	got := Events(stream)
	for i, want := range a.Events {
		if i == len(got) {
			return fmt.Errorf("the stream ends after %d events of %d: %q is missing", i, len(a.Events), want.Text)
		}
		if err := want.Same(got[i]); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	if len(got) > len(a.Events) {
		return fmt.Errorf("%d events, %d more than there should be: %q", len(got), len(got)-len(a.Events), got[len(a.Events)])
	}
	return nil
}

// Events cuts a stream at its blank lines. Put together they are the stream.
func Events(stream string) (out []string) {
	event := ""
	for line := range strings.SplitAfterSeq(stream, "\n") {
		event += line
		if strings.TrimRight(line, "\r\n") == "" && event != "" {
			out = append(out, event)
			event = ""
		}
	}
	if event != "" {
		out = append(out, event)
	}
	return out
}

// commonFinish are the reasons of a provider's own with OpenAI's names for them.
var commonFinish = map[string]providers.Finish{
	"eos": providers.FinishStop, "eos_token": providers.FinishStop, "stop_sequence": providers.FinishStop, "end_turn": providers.FinishStop,
	"STOP": providers.FinishStop, "max_tokens": providers.FinishLength, "MAX_TOKENS": providers.FinishLength,
	"model_length": providers.FinishLength, "tool_use": providers.FinishToolCalls,
}
