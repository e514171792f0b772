package openai

import (
	"bytes"
	"encoding/json"
	"unsafe"

	"github.com/tidwall/gjson"
)

// maxDepth bounds the nesting of JSON that is read.
const maxDepth = 10_000

// WellFormed says whether b is one JSON value with nothing after it, and no
// deeper than is safe to walk.
func WellFormed(b []byte) bool {
	if bytes.Count(b, []byte{'['})+bytes.Count(b, []byte{'{'}) > maxDepth {
		return json.Valid(b) // bounds the depth itself; gjson recurses without a bound
	}
	return gjson.ValidBytes(b)
}

// view is b as a string without a copy. It holds while b is not changed.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
