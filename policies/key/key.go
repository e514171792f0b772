package key

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"
)

// Prefix is how every key made here begins.
const Prefix = "fk-"

// LocalName is the key that requests from this machine without a key are booked
// to.
const LocalName = "local"

// Hash is the SHA-256 of a key's whole secret, prefix included. Its text is 64
// lower-case hex digits. The secret itself is never kept.
type Hash [sha256.Size]byte

// HashOf hashes a secret. Looking keys up by this hash needs no comparison in
// constant time: what a stranger's timing could reveal is part of the hash of
// his own guess, and a secret holds 256 random bits.
func HashOf(secret string) Hash {
	var short [64]byte // a key of ours fits, and is hashed without an allocation
	return sha256.Sum256(append(short[:0], secret...))
}

// IsZero says that there is no hash: the key `local` has none.
func (h Hash) IsZero() bool { return h == Hash{} }

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 hex digits of either case.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("not a SHA-256: %d characters instead of 64 hex digits", len(b))
	}
	var parsed Hash
	if _, err := hex.Decode(parsed[:], b); err != nil {
		return fmt.Errorf("not a SHA-256: 64 hex digits are wanted")
	}
	*h = parsed
	return nil
}

// New makes a key: 256 random bits as "fk-" and 43 characters of base64url. The
// secret is to be shown once and forgotten; the hash is to be kept.
func New() (secret string, hash Hash) {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails: crypto/rand ends the process instead
	secret = Prefix + base64.RawURLEncoding.EncodeToString(bits[:])
	return secret, HashOf(secret)
}

// Source says where a key is declared.
type Source string

// The sources. Keys of the file are changed by editing the file only.
const (
	FromFile  Source = "file"
	FromStore Source = "store"
)

// Key is a virtual key: who may ask, on whose account, for what. Zero numbers
// and empty MayUse mean that key_defaults hold, which are read at use. A Key
// handed out by a Ring is shared and must not be changed.
type Key struct {
	Hash    Hash              `json:"hash"`
	Name    string            `json:"name"`
	Owner   string            `json:"owner,omitempty"` // a person or a service: `user` in rules
	Team    string            `json:"team,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
	MayUse  []string          `json:"may_use,omitempty"` // model names, one * each
	Source  Source            `json:"source"`
	Created time.Time         `json:"created,omitzero"`
	Expires time.Time         `json:"expires,omitzero"` // the first instant at which the key is dead; zero: never
	Revoked time.Time         `json:"revoked,omitzero"` // zero: not revoked

	TrustUserHeader   bool  `json:"trust_user_header,omitempty"`
	RequestsPerMinute int64 `json:"requests_per_minute,omitempty"`
	TokensPerMinute   int64 `json:"tokens_per_minute,omitempty"`
	Parallel          int64 `json:"parallel,omitempty"`
}
