package catalog

import (
	"fmt"
	"regexp"
	"strings"
)

// matcher is a compiled Match. It works on lower-case names.
type matcher struct {
	Match
	regex *regexp.Regexp
	or    []matcher
	and   []matcher
}

func compileMatch(m Match) (c matcher, err error) {
	c.Match = Match{
		Equals: strings.ToLower(m.Equals), StartsWith: strings.ToLower(m.StartsWith),
		EndsWith: strings.ToLower(m.EndsWith), Contains: strings.ToLower(m.Contains),
	}
	if m.Regex != "" {
		if c.regex, err = regexp.Compile(m.Regex); err != nil {
			return c, fmt.Errorf("regex %q: %w", m.Regex, err)
		}
	}
	for _, sub := range m.Or {
		s, err := compileMatch(sub)
		if err != nil {
			return c, err
		}
		c.or = append(c.or, s)
	}
	for _, sub := range m.And {
		s, err := compileMatch(sub)
		if err != nil {
			return c, err
		}
		c.and = append(c.and, s)
	}
	return c, nil
}

// matches says whether a lower-case name means the model.
func (m *matcher) matches(name string) bool {
	switch {
	case m.Equals != "":
		return name == m.Equals
	case m.StartsWith != "":
		return strings.HasPrefix(name, m.StartsWith)
	case m.EndsWith != "":
		return strings.HasSuffix(name, m.EndsWith)
	case m.Contains != "":
		return strings.Contains(name, m.Contains)
	case m.regex != nil:
		return m.regex.MatchString(name)
	case m.or != nil:
		for i := range m.or {
			if m.or[i].matches(name) {
				return true
			}
		}
		return false
	}
	for i := range m.and {
		if !m.and[i].matches(name) {
			return false
		}
	}
	return len(m.and) > 0
}

// aliases calls f for every name that m lists outright, and says whether that
// is all it does: then the rule need not be tried again.
func (m *matcher) aliases(f func(name string)) (only bool) {
	if m.Equals != "" {
		f(m.Equals)
		return true
	}
	only = m.or != nil
	for i := range m.or {
		only = m.or[i].aliases(f) && only
	}
	return only
}
