package providertest

import (
	"io"

	"farthing/providers"
	"farthing/providers/sse"
)

// Decoder is a format's step from an answer to events.
type Decoder interface {
	Decode(sse.Frame) ([]providers.Event, error)
	End() ([]providers.Event, error)
}

// Decode sends every frame of src through d.
func Decode(d Decoder, src *sse.Reader) (out []providers.Event, err error) {
	for {
		f, err := src.Next()
		if err == io.EOF {
			last, err := d.End()
			return append(out, last...), err
		}
		if err != nil {
			return out, err
		}
		events, err := d.Decode(f)
		out = append(out, events...)
		if err != nil {
			return out, err
		}
	}
}

// Answer is what a run of events says, however it was cut into deltas.
type Answer struct {
	ID, Model string
	Created   int64
	Choices   map[int]*Choice
	Usage     providers.Usage
}

// Choice is one of the answers.
type Choice struct {
	Text, Reasoning, Refusal string
	Calls                    map[int]providers.ToolDelta
	Finish                   providers.Finish
}

// Gather adds events up.
func Gather(events []providers.Event) Answer {
	a := Answer{Choices: map[int]*Choice{}}
	for _, e := range events {
		switch e.Kind {
		case providers.EventStart:
			a.ID, a.Model, a.Created = e.ID, e.Model, e.Created
			continue
		case providers.EventUsage:
			a.Usage = e.Usage
			continue
		}
		c := a.Choices[e.Choice]
		if c == nil {
			c = &Choice{Calls: map[int]providers.ToolDelta{}}
			a.Choices[e.Choice] = c
		}
		c.add(e)
	}
	return a
}

func (c *Choice) add(e providers.Event) {
	switch e.Kind {
	case providers.EventText:
		c.Text += e.Text
	case providers.EventReasoning:
		c.Reasoning += e.Text
	case providers.EventRefusal:
		c.Refusal += e.Text
	case providers.EventFinish:
		c.Finish = e.Finish
	case providers.EventToolCall:
		call := c.Calls[e.Call.Index]
		call.Index = e.Call.Index
		call.ID += e.Call.ID
		call.Name += e.Call.Name
		call.Args += e.Call.Args
		c.Calls[e.Call.Index] = call
	}
}
