//go:build cgo

package embedded

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ollama/ollama/kvcache"
	"github.com/ollama/ollama/model"
	"github.com/ollama/ollama/model/input"
	"github.com/ollama/ollama/tokenizer"

	"farthing/localengine/embedded/tokens"
	"farthing/localengine/embedded/wire"
)

// batchSize is how many prompt tokens one step reads at most. A request can
// be cancelled between steps.
const batchSize = 512

// engine is a loaded model. encode may be called at any time; run by one
// goroutine at a time only.
type engine struct {
	name, owner        string
	defaultTemperature float64
	context            int
	family             tokens.Family
	marks              tokens.Marks
	model              model.Model
	cache              kvcache.Cache
	tok                tokenizer.Tokenizer
	longestToken       int // bytes
	encoding           chan struct{}
	meter              *meter
}

// outcome is how a run ended and what it took. completion counts every token
// that the model computed, the closing one too.
type outcome struct {
	prompt, completion int
	finish             string // "stop" or "length"
}

func newEngine(m model.Model, tok tokenizer.Tokenizer, h header, context int) *engine {
	e := &engine{family: h.family, model: m, cache: m.Config().Cache, tok: tok, context: context, encoding: make(chan struct{}, 1), meter: &meter{}}
	vocab := tok.Vocabulary()
	for _, v := range vocab.Values {
		e.longestToken = max(e.longestToken, len(v))
	}
	// Templates are Jinja text, where a line break is written \n.
	thinks := strings.Contains(h.chatTemplate, `<|im_start|>assistant\n<think>\n`)
	e.marks = tokens.FindMarks(h.family, thinks, vocab.Encode)
	return e
}

// prompt renders and encodes a conversation. A prompt that leaves no place
// for an answer is refused.
func (e *engine) prompt(ctx context.Context, c *wire.Chat, now time.Time) ([]int32, error) {
	segments := e.family.Render(c.Messages, c.Effort, now)
	if e.marks.BeginsWithReasoning {
		segments = append(segments, tokens.Control("<think>"), tokens.Plain("\n"))
	}
	size := 0
	for _, s := range segments {
		size += len(s.Text)
	}
	// No token is longer than longestToken, so that many bytes need at least
	// this many tokens. Knowing it early spares encoding megabytes in vain.
	if least := size / e.longestToken; least >= e.context {
		return nil, wire.TooLong(least, e.context)
	}
	var ids []int32
	for _, s := range segments {
		if s.Control {
			id := e.tok.Vocabulary().Encode(s.Text)
			if id < 0 {
				return nil, fmt.Errorf("the vocabulary lacks %s", s.Text)
			}
			ids = append(ids, id)
			continue
		}
		more, err := e.encode(ctx, s.Text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
	}
	if len(ids) >= e.context {
		return nil, wire.TooLong(len(ids), e.context)
	}
	return ids, nil
}

// encode turns plain text into tokens, one call at a time: encoding needs many
// times the text's memory.
func (e *engine) encode(ctx context.Context, text string) ([]int32, error) {
	select {
	case e.encoding <- struct{}{}:
		defer func() { <-e.encoding }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var ids []int32
	for _, part := range tokens.SplitMarkers(text, e.tok.Vocabulary().SpecialVocabulary()) {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		more, err := e.tok.Encode(part, false)
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
	}
	return ids, nil
}

// run reads the prompt and writes tokens until the model ends its answer, each
// says that it has enough, maxTokens or the context is used up (finish
// "length"), or ctx ends. each gets every token but the closing one with its
// bytes.
func (e *engine) run(ctx context.Context, prompt []int32, maxTokens int, pick *tokens.Sampler, each func(id int32, piece string) (enough bool, err error)) (out outcome, err error) {
	out = outcome{prompt: len(prompt), finish: "length"}
	limit := e.context - len(prompt)
	if maxTokens > 0 {
		limit = min(limit, maxTokens)
	}
	// Nothing of the request before may be seen by this one.
	if err := e.cache.Remove(0, 0, math.MaxInt32); err != nil {
		return out, err
	}
	logits, err := e.prefill(ctx, prompt)
	if err != nil {
		return out, err
	}
	for {
		id, err := pick.Next(logits)
		if err != nil {
			return out, err
		}
		out.completion++
		e.meter.generated.Add(1)
		if e.tok.Is(id, tokenizer.SpecialEOS) {
			out.finish = "stop"
			return out, nil
		}
		piece, err := e.tok.Decode([]int32{id})
		if err != nil {
			return out, err
		}
		if enough, err := each(id, piece); err != nil {
			return out, err
		} else if enough {
			out.finish = "stop"
			return out, nil
		}
		if out.completion == limit {
			return out, nil
		}
		start := time.Now()
		logits, err = e.step(ctx, []int32{id}, len(prompt)+out.completion-1)
		e.meter.decodeNanos.Add(int64(time.Since(start)))
		if err != nil {
			return out, err
		}
	}
}

// prefill reads the prompt and returns the logits of the first new token.
func (e *engine) prefill(ctx context.Context, prompt []int32) (logits []float32, err error) {
	start := time.Now()
	defer func() { e.meter.prefillNanos.Add(int64(time.Since(start))) }()
	for at := 0; at < len(prompt); at += batchSize {
		part := prompt[at:min(at+batchSize, len(prompt))]
		if logits, err = e.step(ctx, part, at); err != nil {
			return nil, err
		}
		e.meter.prompt.Add(int64(len(part)))
	}
	return logits, nil
}

// step computes one batch of tokens that stand from position at on, and
// returns the logits after the last.
func (e *engine) step(ctx context.Context, tokens []int32, at int) ([]float32, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	c := e.model.Backend().NewContext()
	defer c.Close()
	b := input.Batch{Positions: make([]int32, len(tokens)), Sequences: make([]int, len(tokens))}
	for i := range tokens {
		b.Positions[i] = int32(at + i)
	}
	b.Inputs = c.Input().FromInts(tokens, len(tokens))
	b.Outputs = c.Input().FromInts([]int32{int32(len(tokens) - 1)}, 1)
	c.SetBatchSize(len(tokens))
	out, err := model.Forward(c, e.model, b)
	if err != nil {
		return nil, err
	}
	c.Compute(out)
	return out.Floats(), nil
}

// close frees the model's memory. No run may be going on.
func (e *engine) close() {
	e.cache.Close()
	e.model.Backend().Close()
}
