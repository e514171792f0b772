package openaitest

import (
	"fmt"
	"slices"
)

var finishes = []string{"stop", "length", "tool_calls", "content_filter", "function_call"}

// Readable says what a stream, or a body, lacks that the helpers of OpenAI's own
// clients need: a role where an answer begins, an index on each piece of a tool
// call and a type where it begins, a finish that OpenAI knows, and [DONE].
func Readable(answer string, streaming bool) error {
	if !streaming {
		m, _ := object(answer)
		for _, ch := range list(m["choices"]) {
			if err := readableMessage(ch, "message", false); err != nil {
				return err
			}
			if reason := text(ch, "finish_reason"); !slices.Contains(finishes, reason) {
				return fmt.Errorf("choice %d: finish_reason %q", index(ch), reason)
			}
		}
		return nil
	}
	spoke, ended, done := map[int]bool{}, map[int]string{}, false
	for i, event := range Events(answer) {
		m, ok := object(event)
		if data, _ := dataOf(event); !ok && data == "[DONE]" {
			done = true
		}
		for _, ch := range list(m["choices"]) {
			if err := readableMessage(ch, "delta", spoke[index(ch)]); err != nil {
				return fmt.Errorf("event %d: %w", i, err)
			}
			spoke[index(ch)] = spoke[index(ch)] || isObject(ch["delta"])
			if ended[index(ch)] == "" {
				ended[index(ch)] = text(ch, "finish_reason")
			}
		}
	}
	for choice, reason := range ended {
		if !slices.Contains(finishes, reason) {
			return fmt.Errorf("choice %d: finish_reason %q", choice, reason)
		}
	}
	if !done {
		return fmt.Errorf("no [DONE]")
	}
	return nil
}

// readableMessage checks a message, or one delta of it; spoke says that there was
// a delta before.
func readableMessage(ch map[string]any, name string, spoke bool) error {
	if isObject(ch[name]) && !spoke && text(ch, name, "role") == "" {
		return fmt.Errorf("choice %d begins without a role", index(ch))
	}
	message, _ := ch[name].(map[string]any)
	for _, call := range list(message["tool_calls"]) {
		if _, ok := call["index"].(float64); !ok && name == "delta" {
			return fmt.Errorf("choice %d: a tool call without an index", index(ch))
		}
		if text(call, "id") != "" && text(call, "type") == "" {
			return fmt.Errorf("choice %d: a tool call without a type", index(ch))
		}
	}
	return nil
}
