package supervise

import (
	"bytes"
	"sync"
)

const (
	tailLines = 200
	maxLine   = 1024 // bytes; what is longer is cut
)

// tail keeps the last lines that a child wrote.
type tail struct {
	mu   sync.Mutex
	ring [tailLines]string
	n    int // lines ever added
}

func (t *tail) add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring[t.n%tailLines] = string(line)
	t.n++
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]string, 0, min(t.n, tailLines))
	for i := max(0, t.n-tailLines); i < t.n; i++ {
		out = append(out, t.ring[i%tailLines])
	}
	return out
}

// lines cuts what is written into lines of at most maxLine bytes and hands
// over those that are not empty. One goroutine writes.
type lines struct {
	each func([]byte)
	part []byte
}

// Write takes any number of lines and parts of lines; it never fails.
func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		line, rest, complete := bytes.Cut(b, []byte("\n"))
		l.part = append(l.part, line[:min(len(line), maxLine-len(l.part))]...)
		if !complete {
			return n, nil
		}
		l.end()
		b = rest
	}
}

// end hands over what has no line break after it.
func (l *lines) end() {
	if line := bytes.TrimRight(l.part, "\r"); len(line) > 0 {
		l.each(line)
	}
	l.part = l.part[:0]
}
