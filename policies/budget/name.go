package budget

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// None is the value of a node whose requests lack what `each` names.
const None = "(none)"

// maxValue bounds the value in a node's name, in bytes. Longer ones appear as
// their hash: names are keys in the store, and values are the clients' to pick.
const maxValue = 128

const hashed = "sha256:"

// nodeValue is how a value of `each` stands in a node's name: as it is, unless
// it is empty, overlong, or holds what a name may not (the | that separates a
// node from a window, the % that escapes, what cannot be printed). No two values
// give the same text.
func nodeValue(value string) string {
	if value == "" {
		return None
	}
	if plain(value) {
		return value
	}
	escaped := escape(value)
	if len(escaped) > maxValue {
		sum := sha256.Sum256([]byte(value))
		return hashed + hex.EncodeToString(sum[:])
	}
	return escaped
}

// plain is the common case, told without allocation: short, printable ASCII.
func plain(value string) bool {
	if len(value) > maxValue || reserved(value) {
		return false
	}
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c > '~' || c == '|' || c == '%' {
			return false
		}
	}
	return true
}

// reserved says that a value looks like a text that nodeValue makes itself.
func reserved(value string) bool { return value == None || strings.HasPrefix(value, hashed) }

func escape(value string) string {
	var b strings.Builder
	for i := 0; i < len(value) && b.Len() <= maxValue; {
		r, size := utf8.DecodeRuneInString(value[i:])
		odd := r == utf8.RuneError && size == 1 || r == '|' || r == '%' || !unicode.IsPrint(r) || i == 0 && reserved(value)
		for _, c := range []byte(value[i : i+size]) {
			if odd {
				fmt.Fprintf(&b, "%%%02X", c)
			} else {
				b.WriteByte(c)
			}
		}
		i += size
	}
	return b.String()
}
