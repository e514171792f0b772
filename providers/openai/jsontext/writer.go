// Package jsontext appends JSON piece by piece, for formats whose messages are
// written from parts as they come. Commas are its business; that every object
// and array opened is closed, and that raw pieces are JSON, is the caller's.
package jsontext

import (
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"farthing/providers"
)

// Writer appends to B. The zero Writer is ready.
type Writer struct {
	B     []byte
	first bool // nothing stands yet in the object or array that was opened last
}

func (w *Writer) comma() {
	if !w.first && len(w.B) > 0 {
		w.B = append(w.B, ',')
	}
	w.first = false
}

// Begin appends prefix as it is and starts a new text after it.
func (w *Writer) Begin(prefix string) {
	w.B = append(w.B, prefix...)
	w.first = true
}

// End appends suffix as it is.
func (w *Writer) End(suffix string) { w.B = append(w.B, suffix...) }

// Open begins an object or an array: c is { or [.
func (w *Writer) Open(c byte) {
	if n := len(w.B); n > 0 && w.B[n-1] != ':' {
		w.comma()
	}
	w.B = append(w.B, c)
	w.first = true
}

// Close ends it: c is } or ].
func (w *Writer) Close(c byte) {
	w.B = append(w.B, c)
	w.first = false
}

// Name begins a member.
func (w *Writer) Name(name string) {
	w.comma()
	w.B = append(gjson.AppendJSONString(w.B, name), ':')
}

// Str appends a member that is a string.
func (w *Writer) Str(name, value string) {
	w.Name(name)
	w.Quote(value)
}

// Int appends a member that is a whole number.
func (w *Writer) Int(name string, n int64) {
	w.Name(name)
	w.B = strconv.AppendInt(w.B, n, 10)
}

// Bool appends a member that is true or false.
func (w *Writer) Bool(name string, b bool) {
	w.Name(name)
	w.B = strconv.AppendBool(w.B, b)
}

// Raw appends a member whose value is written already.
func (w *Writer) Raw(name string, value []byte) {
	w.Name(name)
	w.B = append(w.B, value...)
}

// Value appends an element of an array that is written already.
func (w *Writer) Value(raw []byte) {
	w.comma()
	w.B = append(w.B, raw...)
}

// Quote appends a string as the value of a member begun by Name.
func (w *Writer) Quote(s string) { w.B = gjson.AppendJSONString(w.B, s) }

// Fields appends kept members, but for those named and those without a value.
func (w *Writer) Fields(fields []providers.Field, but ...string) {
	for _, f := range fields {
		if len(f.Raw) > 0 && !slices.Contains(but, f.Name) {
			w.Raw(f.Name, f.Raw)
		}
	}
}
