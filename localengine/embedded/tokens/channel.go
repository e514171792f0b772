package tokens

// Channel says where a token's text belongs in the reply.
type Channel int

// The places of a token's text.
const (
	Content   Channel = iota // the answer
	Reasoning                // thoughts before it: reasoning_content
	Hidden                   // markers and channel names: sent nowhere
)

// Splitter follows the special tokens by which a model separates its
// reasoning from its answer. They are told by their ids, so ordinary text
// that looks like them changes nothing.
type Splitter struct {
	marks Marks
	now   Channel
	name  string // harmony: the channel's name, as far as it is written
}

// Marks are the ids of the special tokens; -1 where the vocabulary has none.
type Marks struct {
	think, thinkEnd              int32 // qwen3moe: <think>, </think>
	channel, message, start, end int32 // harmony
	harmony                      bool
	// BeginsWithReasoning: the chat template itself writes <think>, so an
	// answer's first token already belongs to the reasoning.
	BeginsWithReasoning bool
}

// FindMarks looks the tokens up. lookup returns -1 for what the vocabulary
// lacks. A template that itself writes <think> at the start of the answer
// leaves only the end for the model to write.
func FindMarks(f Family, chatTemplateThinks bool, lookup func(string) int32) Marks {
	m := Marks{think: -1, thinkEnd: -1, channel: -1, message: -1, start: -1, end: -1}
	if f.harmony {
		m.harmony = true
		m.channel, m.message = lookup("<|channel|>"), lookup("<|message|>")
		m.start, m.end = lookup("<|start|>"), lookup("<|end|>")
		return m
	}
	m.think, m.thinkEnd = lookup("<think>"), lookup("</think>")
	m.BeginsWithReasoning = chatTemplateThinks && m.thinkEnd >= 0
	return m
}

// Splitter begins an answer.
func (m Marks) Splitter() *Splitter {
	s := &Splitter{marks: m}
	switch {
	case m.harmony:
		s.now = Hidden // the header: what follows "assistant" up to <|message|>
	case m.BeginsWithReasoning:
		s.now = Reasoning
	}
	return s
}

// Next takes a token with its text and says where the text belongs.
func (s *Splitter) Next(id int32, piece string) Channel {
	if s.marks.harmony {
		return s.nextHarmony(id, piece)
	}
	switch {
	case id == s.marks.think && id >= 0:
		s.now = Reasoning
		return Hidden
	case id == s.marks.thinkEnd && id >= 0:
		s.now = Content
		return Hidden
	}
	return s.now
}

// nextHarmony reads headers of the form
// <|start|>assistant<|channel|>NAME<|message|>: everything outside a message
// is hidden, and what stands in any channel but final is reasoning.
func (s *Splitter) nextHarmony(id int32, piece string) Channel {
	switch id {
	case s.marks.channel:
		s.name = ""
		return Hidden
	case s.marks.message:
		s.now = Reasoning
		if s.name == "final" {
			s.now = Content
		}
		return Hidden
	case s.marks.start, s.marks.end:
		s.now, s.name = Hidden, ""
		return Hidden
	}
	if s.now == Hidden && len(s.name) < 64 {
		s.name += piece
	}
	return s.now
}
