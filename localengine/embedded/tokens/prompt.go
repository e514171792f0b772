package tokens

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Message is one turn of a conversation, with one of the roles system, user
// and assistant.
type Message struct {
	Role string
	Text string
}

// Segment is a piece of a rendered prompt. Control segments are the
// template's own markers and become the vocabulary's special tokens; all other
// text is encoded as plain text, so that a user who writes such a marker
// cannot end their turn and speak as somebody else.
type Segment struct {
	Text    string
	Control bool
}

// Family is what differs between the architectures that the engine serves:
// how a conversation is rendered and which tokens separate an answer from the
// reasoning before it.
type Family struct {
	// Render writes the prompt up to where the answer begins. effort is low,
	// medium, high or empty; only gpt-oss heeds it and the date.
	Render func(msgs []Message, effort string, now time.Time) []Segment
	// harmony is set for gpt-oss, whose answers are split into channels.
	harmony bool
}

// FamilyOf is the allow-list: it takes general.architecture of a GGUF file.
// Both spellings of gpt-oss are in use.
func FamilyOf(arch string) (f Family, known bool) {
	switch arch {
	case "qwen3moe":
		return Family{Render: renderChatML}, true
	case "gptoss", "gpt-oss":
		return Family{Render: renderHarmony, harmony: true}, true
	}
	return Family{}, false
}

// Control is a special token of a template.
func Control(s string) Segment { return Segment{s, true} }

// Plain is ordinary text.
func Plain(s string) Segment { return Segment{s, false} }

// renderChatML is the template of Qwen 3 for text: each turn between
// <|im_start|>role and <|im_end|>, then the start of the answer.
func renderChatML(msgs []Message, _ string, _ time.Time) []Segment {
	out := make([]Segment, 0, 4*len(msgs)+2)
	for _, m := range msgs {
		out = append(out, Control("<|im_start|>"), Plain(m.Role+"\n"+m.Text), Control("<|im_end|>"), Plain("\n"))
	}
	return append(out, Control("<|im_start|>"), Plain("assistant\n"))
}

// renderHarmony is the format of gpt-oss
// (https://github.com/openai/harmony/blob/main/docs/format.md): the system turn
// says what the model is and how hard to think, the application's own
// instructions stand in a developer turn, and past answers in the channel
// final.
func renderHarmony(msgs []Message, effort string, now time.Time) []Segment {
	if effort == "" {
		effort = "medium"
	}
	out := turn("system", "You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\nCurrent date: "+
		now.Format(time.DateOnly)+"\n\nReasoning: "+effort+
		"\n\n# Valid channels: analysis, commentary, final. Channel must be included for every message.")
	var instructions []string
	for _, m := range msgs {
		if m.Role == "system" {
			instructions = append(instructions, m.Text)
		}
	}
	if len(instructions) > 0 {
		out = append(out, turn("developer", "# Instructions\n\n"+strings.Join(instructions, "\n\n"))...)
	}
	for _, m := range msgs {
		switch m.Role {
		case "user":
			out = append(out, turn("user", m.Text)...)
		case "assistant":
			out = append(out, Control("<|start|>"), Plain("assistant"), Control("<|channel|>"), Plain("final"),
				Control("<|message|>"), Plain(m.Text), Control("<|end|>"))
		}
	}
	return append(out, Control("<|start|>"), Plain("assistant"))
}

func turn(role, text string) []Segment {
	return []Segment{Control("<|start|>"), Plain(role), Control("<|message|>"), Plain(text), Control("<|end|>")}
}

// SplitMarkers cuts text wherever a special token's name stands in it, after
// the name's first character. Encoded one by one, the parts hold no special
// token, and nothing of the text is lost.
func SplitMarkers(text string, specials []string) []string {
	parts := []string{text}
	for _, special := range specials {
		_, first := utf8.DecodeRuneInString(special)
		if first == len(special) {
			continue // one character cannot be cut
		}
		for i := 0; i < len(parts); i++ {
			if at := strings.Index(parts[i], special); at >= 0 {
				at += first
				parts = slices.Insert(parts, i+1, parts[i][at:])
				parts[i] = parts[i][:at]
			}
		}
	}
	return parts
}
