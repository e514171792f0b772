package wire

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"farthing/localengine/embedded/tokens"
)

// writeTimeout is how long a client may take to accept one piece of a stream.
// The engine waits for it meanwhile.
const writeTimeout = 15 * time.Second

// Delta is newly certain text of an answer.
type Delta struct {
	Role      string  `json:"role,omitempty"`
	Content   *string `json:"content,omitempty"`
	Reasoning string  `json:"reasoning_content,omitempty"`
}

// Answer turns tokens into deltas and hands them to Send.
type Answer struct {
	Split           *tokens.Splitter
	Text, Thoughts  tokens.Text
	ReasoningTokens int
	Send            func(Delta) error
}

// Token takes a token of the model; enough is true once a stop text is
// complete.
func (a *Answer) Token(id int32, piece string) (enough bool, err error) {
	d := Delta{}
	switch a.Split.Next(id, piece) {
	case tokens.Content:
		if s := a.Text.Write(piece); s != "" {
			d.Content = &s
		}
	case tokens.Reasoning:
		a.ReasoningTokens++
		d.Reasoning = a.Thoughts.Write(piece)
	}
	return a.Text.Stopped, a.sendIfAny(d)
}

// Finish sends what was held back.
func (a *Answer) Finish() error {
	d := Delta{Reasoning: a.Thoughts.Flush()}
	if s := a.Text.Flush(); s != "" {
		d.Content = &s
	}
	return a.sendIfAny(d)
}

func (a *Answer) sendIfAny(d Delta) error {
	if d.Content == nil && d.Reasoning == "" {
		return nil
	}
	return a.Send(d)
}

// Usage counts tokens as the engine computed them, never from what was sent.
type Usage struct {
	Prompt     int           `json:"prompt_tokens"`
	Completion int           `json:"completion_tokens"`
	Total      int           `json:"total_tokens"`
	Details    *usageDetails `json:"completion_tokens_details,omitempty"`
}

type usageDetails struct {
	Reasoning int `json:"reasoning_tokens"`
}

// NewUsage counts a run; reasoningTokens is the part of completion that was not
// the answer.
func NewUsage(prompt, completion, reasoningTokens int) *Usage {
	u := &Usage{Prompt: prompt, Completion: completion, Total: prompt + completion}
	if reasoningTokens > 0 {
		u.Details = &usageDetails{reasoningTokens}
	}
	return u
}

type choice struct {
	Index        int     `json:"index"`
	Message      *Delta  `json:"message,omitempty"`
	Delta        *Delta  `json:"delta,omitempty"`
	FinishReason *string `json:"finish_reason"`
}

// Completion is a whole reply or one chunk of a stream.
type Completion struct {
	ID          string   `json:"id"`
	Object      string   `json:"object"`
	Created     int64    `json:"created"`
	Model       string   `json:"model"`
	Fingerprint string   `json:"system_fingerprint"`
	Choices     []choice `json:"choices"`
	Usage       *Usage   `json:"usage,omitempty"`
}

// NewCompletion begins a reply of the OpenAI object of that name.
func NewCompletion(object, model, owner string, now time.Time) Completion {
	return Completion{ID: "chatcmpl-" + rand.Text(), Object: object, Created: now.Unix(), Model: model, Fingerprint: owner}
}

// Whole collects an answer that is sent in one piece.
type Whole struct {
	Completion
	text, thoughts strings.Builder
}

// Add takes new text; it cannot fail.
func (o *Whole) Add(d Delta) error {
	if d.Content != nil {
		o.text.WriteString(*d.Content)
	}
	o.thoughts.WriteString(d.Reasoning)
	return nil
}

// Write sends the reply.
func (o *Whole) Write(w http.ResponseWriter, finish string, u *Usage) {
	text := o.text.String()
	o.Choices = []choice{{Message: &Delta{Role: "assistant", Content: &text, Reasoning: o.thoughts.String()}, FinishReason: &finish}}
	o.Usage = u
	WriteJSON(w, o)
}

// WriteJSON sends v as the whole reply, with status 200.
func WriteJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // an error means that the client has gone
}

// Stream sends an answer as server-sent events while it is written.
type Stream struct {
	Completion
	w            http.ResponseWriter
	ctl          *http.ResponseController
	includeUsage bool
	Begun        bool // the headers are sent
}

// NewStream prepares a stream; nothing is sent yet.
func NewStream(w http.ResponseWriter, c Completion, includeUsage bool) *Stream {
	return &Stream{Completion: c, w: w, ctl: http.NewResponseController(w), includeUsage: includeUsage}
}

// Begin sends the headers and the delta that names the role.
func (s *Stream) Begin() error {
	s.Begun = true
	s.w.Header().Set("Content-Type", "text/event-stream")
	s.w.Header().Set("Cache-Control", "no-cache")
	empty := ""
	return s.chunk([]choice{{Delta: &Delta{Role: "assistant", Content: &empty}}}, nil)
}

// Add sends new text.
func (s *Stream) Add(d Delta) error { return s.chunk([]choice{{Delta: &d}}, nil) }

// End sends the reason, the usage if it was asked for, and the closing mark.
func (s *Stream) End(finish string, u *Usage) error {
	err := s.chunk([]choice{{Delta: &Delta{}, FinishReason: &finish}}, nil)
	if s.includeUsage {
		err = errors.Join(err, s.chunk([]choice{}, u))
	}
	return errors.Join(err, s.Event([]byte("[DONE]")))
}

// chunk sends one event. Where usage was asked for, the other chunks carry
// null in its place, as OpenAI's do.
func (s *Stream) chunk(c []choice, u *Usage) error {
	s.Choices = c
	v := any(s.Completion)
	if s.includeUsage {
		v = struct {
			Completion
			Usage *Usage `json:"usage"`
		}{s.Completion, u}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.Event(b)
}

// Event sends one server-sent event.
func (s *Stream) Event(data []byte) error {
	if err := s.ctl.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(s.w, "data: %s\n\n", data); err != nil {
		return err
	}
	if err := s.ctl.Flush(); err != nil {
		return err
	}
	// The deadline would else outlive this reply on a connection that is kept.
	return s.ctl.SetWriteDeadline(time.Time{})
}
