package relay

import (
	"unsafe"

	"github.com/tidwall/gjson"
)

// view is b as a string without a copy. It holds while b is not changed.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// span is where a value stands; end is 0 if it is not there.
type span struct{ at, end int }

// object is where an object's first member would stand.
type object struct {
	open  int
	empty bool
}

// chunk is what the relay must know of one chunk of a stream, or of a whole
// answer. Its strings point into the scanned bytes; its slices are used again.
type chunk struct {
	id, model, tier string
	created         string
	choices         []choice
	calls           []call
	usage           gjson.Result
	failed          bool // an error stands where an answer should
}

type choice struct {
	self, delta object // delta is the message in a whole answer; open is 0 where there is none
	index       int
	role        span
	hasRole     bool // a role that is not empty
	finish      span
	reason      string
}

type call struct {
	self     object
	choice   int
	index    span
	typ      span
	hasIndex bool
	hasType  bool
	id       string
}

// scan reads data in one pass; the generated text is appended to text. data
// must be well-formed.
func (c *chunk) scan(data []byte, text []byte) []byte {
	*c = chunk{choices: c.choices[:0], calls: c.calls[:0]}
	gjson.Parse(view(data)).ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "id":
			c.id = v.Str
		case "model":
			c.model = v.Str
		case "created":
			c.created = v.Raw
		case "service_tier":
			c.tier = v.Str
		case "choices":
			if v.IsArray() {
				v.ForEach(func(_, v gjson.Result) bool {
					text = c.scanChoice(v, text)
					return true
				})
			}
		case "usage":
			if v.IsObject() {
				c.usage = v
			}
		case "x_groq":
			if u := v.Get("usage"); u.IsObject() && !c.usage.Exists() {
				c.usage = u
			}
		case "error":
			c.failed = c.failed || v.IsObject() || v.Str != ""
		case "object":
			c.failed = c.failed || v.Str == "error"
		}
		return true
	})
	if c.tier == "" && c.usage.Exists() {
		c.tier = c.usage.Get("service_tier").Str
	}
	return text
}

func (c *chunk) scanChoice(v gjson.Result, text []byte) []byte {
	if !v.IsObject() {
		return text
	}
	ch := choice{self: objectAt(v)}
	var delta gjson.Result
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "index":
			ch.index = int(min(count(v), maxChoices-1))
		case "delta":
			delta = v
		case "message": // beside a delta it repeats the text so far (Perplexity)
			if !delta.Exists() {
				delta = v
			}
		case "finish_reason":
			ch.finish, ch.reason = spanOf(v), v.Str
		}
		return true
	})
	if delta.IsObject() {
		ch.delta = objectAt(delta)
		text = c.scanDelta(&ch, delta, text)
	}
	c.choices = append(c.choices, ch)
	return text
}

func (c *chunk) scanDelta(ch *choice, delta gjson.Result, text []byte) []byte {
	reasoned := false
	delta.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "role":
			ch.role, ch.hasRole = spanOf(v), v.Str != ""
		case "content", "refusal":
			text = appendText(text, v)
		case "reasoning_content", "reasoning", "thinking":
			if !reasoned && v.Type != gjson.Null { // some say it under two names
				reasoned, text = true, appendText(text, v)
			}
		case "tool_calls":
			if v.IsArray() {
				v.ForEach(func(_, v gjson.Result) bool {
					text = c.scanCall(ch.index, v, text)
					return true
				})
			}
		case "function_call":
			text = appendText(appendText(text, v.Get("name")), v.Get("arguments"))
		}
		return true
	})
	return text
}

func (c *chunk) scanCall(choice int, v gjson.Result, text []byte) []byte {
	if !v.IsObject() {
		return text
	}
	t := call{self: objectAt(v), choice: choice}
	v.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "index":
			t.index, t.hasIndex = spanOf(v), v.Type == gjson.Number
		case "type":
			t.typ, t.hasType = spanOf(v), v.Str != ""
		case "id":
			t.id = v.Str
		case "function", "custom":
			text = appendText(text, v.Get("name"))
			text = appendText(appendText(text, v.Get("arguments")), v.Get("input"))
		}
		return true
	})
	c.calls = append(c.calls, t)
	return text
}

// appendText appends content in any of its shapes: a string, an array of parts
// (Mistral's text and thinking), or an object (Cloudflare's JSON answers).
func appendText(text []byte, v gjson.Result) []byte {
	switch {
	case v.Type == gjson.String:
		return append(text, v.Str...)
	case v.IsObject():
		return append(text, v.Raw...)
	case v.IsArray():
		v.ForEach(func(_, part gjson.Result) bool {
			text = append(text, part.Get("text").Str...)
			for _, t := range part.Get("thinking").Array() {
				text = append(text, t.Get("text").Str...)
			}
			return true
		})
	}
	return text
}

func spanOf(v gjson.Result) span { return span{v.Index, v.Index + len(v.Raw)} }

// objectAt says where the first member of v goes; v must be an object.
func objectAt(v gjson.Result) object {
	i := 1
	for i < len(v.Raw) && v.Raw[i] <= ' ' {
		i++
	}
	return object{open: v.Index + 1, empty: i < len(v.Raw) && v.Raw[i] == '}'}
}
