package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// The bounds of one file. A person's file is far below all of them.
const (
	maxBytes    = 4 << 20
	maxDepth    = 64
	maxAliased  = 100_000 // nodes that aliases may add
	maxMistakes = 1_000
)

// compose reads the one document of a file. The node is nil for an empty file.
func (d *decoder) compose(b []byte) *yaml.Node {
	if len(b) > maxBytes {
		d.at(1, 1, "", "the file is larger than %d MiB", maxBytes>>20)
		return nil
	}
	if line, column, ok := invalid(b); ok {
		d.at(line, column, "", "the file is not UTF-8 text")
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(b))
	if err != nil {
		d.syntax(b, err)
		return nil
	}
	var first, second yaml.Node
	if err := loader.Load(&first); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		d.syntax(b, err)
		return nil
	}
	if err := loader.Load(&second); err == nil {
		d.at(second.Line, second.Column, "", "a second document begins here: a file holds one")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(b, err)
	}
	if len(first.Content) == 0 {
		return nil
	}
	return first.Content[0]
}

// invalid finds the first byte that is not UTF-8.
func invalid(b []byte) (line, column int, found bool) {
	line, column = 1, 1
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			return line, column, true
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		b = b[size:]
	}
	return 0, 0, false
}

// syntax says in plain words what the YAML parser found.
func (d *decoder) syntax(b []byte, err error) {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		d.at(1, 1, "", "not YAML: %v", err)
		return
	}
	line, column := max(load.Mark.Line, 1), max(load.Mark.Column, 1)
	switch {
	case load.Mark.Line == 0 && strings.Contains(load.Message, "control characters"):
		line, column = control(b)
		d.at(line, column, "", "a control character that YAML does not allow")
	case character(b, line, column) == '\t':
		d.at(line, column, "", "a tab: YAML is indented with spaces")
	case strings.Contains(load.ContextMsg, "quoted scalar"):
		d.at(load.ContextMark.Line, max(load.ContextMark.Column, 1), "", "a quoted text begins here and does not end as one")
	case strings.Contains(load.ContextMsg, "scanning an alias"):
		d.at(line, column, "", "* begins an alias here: quote a lone '*'")
	case strings.Contains(load.Message, "mapping values are not allowed"):
		d.at(line, column, "", "a second \": \" in one value: quote the value, or begin a new line")
	default:
		d.at(line, column, "", "not YAML: %s", strings.TrimSpace(load.ContextMsg+" "+load.Message))
	}
}

func character(b []byte, line, column int) rune {
	lines := strings.SplitN(string(b), "\n", line+1)
	if line > len(lines) {
		return 0
	}
	text := []rune(lines[line-1])
	if column > len(text) {
		return 0
	}
	return text[column-1]
}

func control(b []byte) (line, column int) {
	line, column = 1, 1
	for _, r := range string(b) {
		if r == '\n' {
			line, column = line+1, 1
			continue
		}
		if r < ' ' && r != '\t' && r != '\r' || r == 0x7f {
			return line, column
		}
		column++
	}
	return 1, 1
}

// shape walks every node once before anything is decoded: tags, depth, and
// aliases that contain themselves or add too much. After one of the last three
// nothing is decoded.
type shape struct {
	d       *decoder
	sizes   map[*yaml.Node]int
	open    map[*yaml.Node]bool
	aliased int
	broken  bool
}

func (d *decoder) sound(root *yaml.Node) bool {
	s := shape{d: d, sizes: map[*yaml.Node]int{}, open: map[*yaml.Node]bool{}}
	s.walk(root, 1)
	return !s.broken
}

// walk returns how many nodes n stands for once its aliases are written out.
func (s *shape) walk(n *yaml.Node, depth int) int {
	if s.broken {
		return 0
	}
	if depth > maxDepth {
		return s.breaks(n, fmt.Sprintf("more than %d levels deep", maxDepth))
	}
	if n.Kind == yaml.AliasNode {
		return s.alias(n)
	}
	if n.Style&yaml.TaggedStyle != 0 {
		s.d.at(n.Line, n.Column, "", "a YAML tag (%s): take it out, the field's own type says how the value is read", n.Tag)
	}
	s.open[n] = true
	size := 1
	for _, c := range n.Content {
		size += s.walk(c, depth+1)
	}
	delete(s.open, n)
	if n.Anchor != "" {
		s.sizes[n] = size
	}
	return size
}

func (s *shape) alias(n *yaml.Node) int {
	if s.open[n.Alias] {
		return s.breaks(n, fmt.Sprintf("the alias *%s stands inside what it stands for", n.Value))
	}
	size := s.sizes[n.Alias]
	s.aliased += size
	if s.aliased > maxAliased {
		return s.breaks(n, fmt.Sprintf("aliases add more than %d values", maxAliased))
	}
	return size
}

func (s *shape) breaks(n *yaml.Node, message string) int {
	s.broken = true
	s.d.at(n.Line, n.Column, "", "%s", message)
	return 0
}
