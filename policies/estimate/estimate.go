package estimate

import (
	"farthing/policies/estimate/bpe"
	"farthing/providers"
)

// Estimate is what one request is expected to need at one target, in tokens.
// Output figures are for one answer; a request asks for Answers of them.
type Estimate struct {
	Input      int64 `json:"input"`       // likely tokens of the prompt
	InputBound int64 `json:"input_bound"` // what is held for the prompt: never less than will be billed
	// OutputLikely is the learned median, before that a plain guess.
	OutputLikely int64 `json:"output_likely"`
	// OutputLeast is the lowest limit that a hold may lower the output to: the
	// learned median, reasoning included; a quarter of OutputUsual before that.
	OutputLeast int64 `json:"output_least"`
	// OutputUsual is the learned 99th percentile; before 200 answers 8,192, or
	// 32,768 for reasoning models, where the model can give that much.
	OutputUsual int64 `json:"output_usual"`
	// OutputMost is the client's limit or the model's, and never more than fits
	// beside the prompt in the context.
	OutputMost int64 `json:"output_most"`
	Answers    int64 `json:"answers"` // n of the request, at least 1
	Exact      bool  `json:"exact"`   // the prompt's texts were counted in the model's own encoding
	Learned    bool  `json:"learned"` // output figures come from this target's answers

	// For learning from the report. plain: texts and tools only, so that a
	// report says something of how these are counted. raw: the o200k_base count
	// that the target's correction multiplies; frame: the likely tokens around
	// it.
	plain      bool
	raw, frame int64
	excess     int64 // what InputBound holds of earlier excess
}

// Request is one request being estimated. It is used by one goroutine.
type Request struct {
	e          *Estimator
	b          *providers.Brief
	counts     [4]counts
	textBytes  int64
	difficulty Difficulty
	measured   bool
}

// counts are the tokens of a request in one encoding.
type counts struct {
	done                       bool
	texts, tools, rule, schema int64
}

// Read begins the estimate of a request. Nothing is counted yet.
func (e *Estimator) Read(b *providers.Brief) *Request { return &Request{e: e, b: b} }

// Input returns the prompt's likely tokens at a target and the bound that is
// held for it. For a model with a tiktoken encoding texts are counted exactly
// and only the template around them is by rule. For any other the likely figure
// is the o200k_base count times the target's learned correction, and the bound
// is a token for every byte (no tokenizer in use makes more) and the template.
// Content that is only named (files, URLs, ids) may fill the rest of the
// context. The bound never exceeds the context: a longer prompt is refused by
// the provider and costs nothing. What a target was seen to bill above the bound
// (some add prompts of their own) is added to it from then on.
func (r *Request) Input(t *providers.Target) (likely, bound int64) {
	if bpe.Known(t.Facts.Encoding) {
		likely, bound = r.openAI(t)
	} else {
		likely, bound = r.otherVendor(t)
	}
	pictures := r.images(t)
	likely, bound = likely+pictures.likely, bound+pictures.most+r.e.excess(t)
	context := t.Facts.Context
	if context == 0 {
		context = unknownContext
	}
	likely += r.fileTokens()
	if r.b.Files > 0 || len(r.b.Named) > 0 {
		bound = max(bound, context)
	}
	return likely, max(min(bound, context), min(likely, context))
}

// unknownContext stands in where nobody knows how much a model reads, and is
// more than nearly all do.
const unknownContext = 1 << 20

// bytesPerFileToken is a rough mean for documents and sounds by value: a page
// of a PDF file is about 75 KB and 2,500 tokens of text and picture. The bound
// does not use it.
const bytesPerFileToken = 30

func (r *Request) fileTokens() int64 { return r.b.FileBytes / bytesPerFileToken }

// For is the whole estimate for a target.
func (r *Request) For(t *providers.Target) Estimate {
	likely, bound := r.Input(t)
	est := Estimate{Input: likely, InputBound: bound, Answers: max(r.b.N, 1), Exact: bpe.Known(t.Facts.Encoding)}
	est.excess = r.e.excess(t)
	est.plain = len(r.b.Images) == 0 && len(r.b.Named) == 0 && r.b.Files == 0 && len(r.b.ServerTools) == 0
	if est.plain && !est.Exact {
		est.raw, est.frame = r.rawTokens(), r.frame(t)
	}
	r.e.outputs(&est, t, r.b)
	return est
}

// Tokens is the text of the request counted in an encoding, without any
// template; what `input_tokens` means in a policy before a target is chosen.
func (r *Request) Tokens(encoding string) int64 {
	c := r.count(encoding)
	return c.texts + c.tools + c.schema
}

// count counts every text of the request once per encoding.
func (r *Request) count(encoding string) *counts {
	i := 0
	switch encoding {
	case "cl100k_base":
		i = 1
	case "p50k_base":
		i = 2
	case "r50k_base":
		i = 3
	default:
		encoding = defaultEncoding
	}
	c := &r.counts[i]
	if c.done {
		return c
	}
	c.done = true
	for _, text := range r.b.Texts {
		c.texts += int64(bpe.Tokens(encoding, text))
	}
	if r.b.ToolText != "" {
		c.tools = int64(bpe.Tokens(encoding, r.b.ToolText))
		c.rule = int64(bpe.Rewritten(encoding, r.b.ToolText, typescript))
	}
	if r.b.SchemaText != "" {
		c.schema = int64(bpe.Tokens(encoding, r.b.SchemaText))
	}
	return c
}

// defaultEncoding counts for models whose tokenizer is another: the newest
// vocabulary is the nearest to what other vendors use today.
const defaultEncoding = "o200k_base"

// bytes is the length of all texts, tools and schema.
func (r *Request) bytes() int64 {
	if r.textBytes == 0 {
		n := len(r.b.ToolText) + len(r.b.SchemaText)
		for _, text := range r.b.Texts {
			n += len(text)
		}
		r.textBytes = int64(n)
	}
	return r.textBytes
}

// outputs fills in what may come out.
func (e *Estimator) outputs(est *Estimate, t *providers.Target, b *providers.Brief) {
	usual, least, likely, learned := e.lengths(t, b.Effort)
	most := t.Facts.MaxOutput
	if b.MaxOutput > 0 && (most == 0 || b.MaxOutput < most) {
		most = b.MaxOutput
	}
	if t.Facts.Context > 0 {
		room := max(t.Facts.Context-est.Input, 1)
		if most == 0 || room < most {
			most = room
		}
	}
	if most == 0 {
		most = usual
	}
	est.OutputMost, est.Learned = most, learned
	est.OutputUsual = min(usual, most)
	est.OutputLeast = min(least, est.OutputUsual)
	est.OutputLikely = min(likely, most)
}
