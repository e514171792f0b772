// Package sse reads server-sent events by bytes, as model APIs send them.
//
// A Reader pulls from an io.Reader and gives one Frame per event: the exact
// bytes, so that they can be passed on unchanged, and the event's name and data
// beside them. The frames' raw bytes put together are the stream, byte for byte.
//
// It is more patient than the standard (https://html.spec.whatwg.org/multipage/server-sent-events.html)
// in one thing: a last event that lacks its blank line is given, not dropped,
// because several providers end so.
package sse

import (
	"bytes"
	"errors"
	"io"
)

// DefaultMaxFrame is the largest event that is read unless the caller says
// otherwise: 16 MiB, enough for an image sent as base64 in one event.
const DefaultMaxFrame = 16 << 20

// ErrTooLong says that an event is larger than the reader's bound.
var ErrTooLong = errors.New("sse: event is larger than the bound")

const (
	firstBuffer = 4 << 10
	emptyReads  = 100 // reads without a byte before io.ErrNoProgress, as in bufio
)

var (
	colon         = []byte(":")
	byteOrderMark = []byte("\xef\xbb\xbf")
)

// Frame is one event as it stood in the stream. Its slices point into the
// reader's buffer and hold until the next call of Next.
type Frame struct {
	Raw   []byte // every byte of the event, its closing blank line included
	Event []byte // the event's name; empty if it has none
	// Data is the event's data, lines joined by \n; nil if it has no data line
	// (a comment, a lone blank line, or id and retry alone).
	Data []byte
	// DataAt is where Data begins in Raw, or -1 where Data was joined from
	// several lines and so is not a part of Raw.
	DataAt int
}

// Reader cuts a stream into frames. It is not safe for concurrent use.
type Reader struct {
	src        io.Reader
	max        int
	buf        []byte
	start, end int    // unread bytes: buf[start:end]
	line       int    // offset from start of the line being scanned
	seen       int    // offset from start up to which that line has no terminator
	skipLF     bool   // the frame before ended with \r
	begun      bool   // the first frame was given
	err        error  // what the source ended with
	joined     []byte // data of several lines
}

// NewReader reads events from src. maxFrame bounds one event in bytes; 0 means
// DefaultMaxFrame.
func NewReader(src io.Reader, maxFrame int) *Reader {
	if maxFrame <= 0 {
		maxFrame = DefaultMaxFrame
	}
	return &Reader{src: src, max: maxFrame}
}

// Next gives the next frame. At the end of the stream it returns io.EOF; a
// source that fails returns its error and the unfinished event is lost; an event
// over the bound returns ErrTooLong, after which the reader is of no more use.
func (r *Reader) Next() (Frame, error) {
	for {
		n, ok := r.frameEnd()
		if !ok {
			n = r.end - r.start
		}
		switch {
		case n > r.max:
			return Frame{}, ErrTooLong
		case ok || r.err == io.EOF && n > 0:
			return r.take(n), nil
		case r.err != nil:
			return Frame{}, r.err
		}
		r.err = r.fill()
	}
}

// frameEnd looks for the blank line that closes the first unread event and
// returns the event's length. It goes on where the last call stopped, so that a
// line that comes in many pieces is scanned once.
func (r *Reader) frameEnd() (int, bool) {
	b := r.buf[r.start:r.end]
	if r.skipLF && len(b) > 0 {
		// The \n of a \r\n whose \r closed the frame before: part of no line.
		r.skipLF = false
		if b[0] == '\n' {
			r.line, r.seen = 1, 1
		}
	}
	for r.seen < len(b) {
		n, width := terminator(b[r.seen:])
		if n < 0 {
			r.seen = len(b)
			break
		}
		n += r.seen
		if width == 1 && b[n] == '\r' && n+1 == len(b) && n > r.line {
			break // perhaps \r\n; only a blank line is worth giving at once
		}
		blank := n == r.line
		r.line, r.seen = n+width, n+width
		if blank {
			r.skipLF = b[n] == '\r' && width == 1
			return r.line, true
		}
	}
	return 0, false
}

// terminator finds the first line end and says how many bytes it takes.
func terminator(b []byte) (at, width int) {
	lf := bytes.IndexByte(b, '\n')
	head := b
	if lf >= 0 {
		head = b[:lf]
	}
	cr := bytes.IndexByte(head, '\r')
	switch {
	case cr < 0:
		return lf, 1
	case cr+1 == lf:
		return cr, 2
	}
	return cr, 1
}

// take cuts n bytes off as a frame.
func (r *Reader) take(n int) Frame {
	raw := r.buf[r.start : r.start+n : r.start+n]
	r.start += n
	r.line, r.seen = 0, 0
	return r.parse(raw)
}

// fill reads once more, making room first.
func (r *Reader) fill() error {
	if r.end == len(r.buf) {
		r.room()
	}
	for range emptyReads {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		if n > 0 || err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// room moves the unread bytes to the front, or doubles the buffer up to one
// byte over the bound.
func (r *Reader) room() {
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
		return
	}
	grown := make([]byte, max(firstBuffer, min(2*len(r.buf), r.max+1)))
	r.end = copy(grown, r.buf[:r.end])
	r.buf = grown
}

// parse reads the fields of one event.
func (r *Reader) parse(raw []byte) Frame {
	f := Frame{Raw: raw, DataAt: -1}
	at := 0
	if !r.begun && bytes.HasPrefix(raw, byteOrderMark) {
		at = len(byteOrderMark)
	}
	r.begun = true
	for at < len(raw) {
		n, width := terminator(raw[at:])
		if n < 0 {
			n, width = len(raw)-at, 0
		}
		r.field(&f, raw[at:at+n], at)
		at += n + width
	}
	return f
}

// field reads one line, which begins at offset at of the event.
func (r *Reader) field(f *Frame, line []byte, at int) {
	name, value, _ := bytes.Cut(line, colon)
	skip := len(line) - len(value)
	if len(value) > 0 && value[0] == ' ' {
		value, skip = value[1:], skip+1
	}
	switch {
	case string(name) == "event":
		f.Event = value
	case string(name) != "data":
	case f.Data == nil:
		f.Data, f.DataAt = line[skip:], at+skip
	default:
		if f.DataAt >= 0 {
			r.joined = append(r.joined[:0], f.Data...)
		}
		r.joined = append(append(r.joined, '\n'), value...)
		f.Data, f.DataAt = r.joined, -1
	}
}
