package openai

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

// Splice writes the edits into body, the bytes of a request that Parse accepted,
// and leaves every other byte as it is. A member that is there gets its value
// replaced; one that is not is added at the end. A limit on the output that the
// client gave as max_tokens, max_completion_tokens or both is set in each; else
// it is added as e.OutputField (max_tokens if that is empty).
func Splice(body []byte, e providers.Edits) []byte {
	s := splicer{e: e}
	root := gjson.Parse(view(body))
	root.ForEach(func(key, v gjson.Result) bool {
		s.member(key.Str, v)
		return true
	})
	s.missing(closing(body))
	return s.apply(body)
}

// place is where a value goes: bytes at … end of the body are replaced by before,
// the value, and after.
type place struct {
	at, end       int
	before, after string
	text          string
	quote         bool
	number        int64
}

type splicer struct {
	e      providers.Edits
	places [8]place
	n      int
	found  struct{ tier, limit, usage bool }
}

func (s *splicer) put(p place) { s.places[s.n] = p; s.n++ }

// limit is the name under which a limit on the output is added.
func (s *splicer) limit() string { return cmp.Or(s.e.OutputField, "max_tokens") }

// member replaces the value of a member that an edit names.
func (s *splicer) member(key string, v gjson.Result) {
	p := place{at: v.Index, end: v.Index + len(v.Raw)}
	switch key {
	case "model":
		if s.e.Model != "" {
			p.text, p.quote = s.e.Model, true
			s.put(p)
		}
	case "service_tier":
		s.found.tier = true
		if s.e.Tier != "" {
			p.text, p.quote = s.e.Tier, true
			s.put(p)
		}
	case "max_tokens", "max_completion_tokens":
		if v.Type == gjson.Null && key != s.limit() {
			return // null is no limit, and the model may refuse this name
		}
		s.found.limit = true
		if s.e.MaxOutput > 0 {
			p.number = s.e.MaxOutput
			s.put(p)
		}
	case "stream_options":
		s.found.usage = true
		if s.e.StreamUsage {
			s.usage(v)
		}
	}
}

// usage asks for usage inside the client's stream_options.
func (s *splicer) usage(v gjson.Result) {
	if !v.IsObject() {
		s.put(place{at: v.Index, end: v.Index + len(v.Raw), text: `{"include_usage":true}`})
		return
	}
	set, members := false, false
	v.ForEach(func(key, v gjson.Result) bool {
		members = true
		if key.Str == "include_usage" {
			set = true
			s.put(place{at: v.Index, end: v.Index + len(v.Raw), text: "true"})
		}
		return !set
	})
	switch open := v.Index + 1; {
	case set:
	case members:
		s.put(place{at: open, end: open, text: `"include_usage":true,`})
	default:
		s.put(place{at: open, end: open, text: `"include_usage":true`})
	}
}

// missing adds, before the closing brace, what the body does not have.
func (s *splicer) missing(end int) {
	p := place{at: end, end: end}
	if s.e.StreamUsage && !s.found.usage {
		p.text = `,"stream_options":{"include_usage":true}`
		s.put(p)
	}
	if s.e.MaxOutput > 0 && !s.found.limit {
		s.put(place{at: end, end: end, before: `,"`, text: s.limit(), after: `":`, number: s.e.MaxOutput})
	}
	if s.e.Tier != "" && !s.found.tier {
		s.put(place{at: end, end: end, before: `,"service_tier":`, text: s.e.Tier, quote: true})
	}
}

// apply writes the body anew, in one allocation.
func (s *splicer) apply(body []byte) []byte {
	places := s.places[:s.n]
	if len(places) == 0 {
		return body
	}
	slices.SortStableFunc(places, func(a, b place) int { return a.at - b.at })
	size := len(body) + 6*len(s.e.Model) + 6*len(s.e.Tier) + 160
	out := make([]byte, 0, size)
	from := 0
	for _, p := range places {
		out = append(append(out, body[from:p.at]...), p.before...)
		if p.quote {
			out = gjson.AppendJSONString(out, p.text)
		} else {
			out = append(out, p.text...)
		}
		out = append(out, p.after...)
		if p.number > 0 {
			out = strconv.AppendInt(out, p.number, 10)
		}
		from = p.end
	}
	return append(out, body[from:]...)
}

// closing is where the object's closing brace stands.
func closing(body []byte) int {
	i := len(body) - 1
	for body[i] != '}' {
		i--
	}
	return i
}
