package store

import (
	"errors"
	"time"
)

// ErrDown is in every error that says that the store could not be asked or did
// not answer. Whether a write that ended so was carried out is unknown.
var ErrDown = errors.New("the store cannot be reached")

// StoredReceipt is a receipt as a store keeps it. Who may read it stands beside
// the body, so that a listing need not open it.
type StoredReceipt struct {
	ID    string
	Key   string    // name of the key that asked
	Owner string    // the key's owner
	At    time.Time // when the request came; kept to the microsecond
	Body  []byte    // as its writer made it, usually compressed
}

// How many receipts and lines of the audit log are kept. Older ones are deleted
// in small steps as new ones come.
const (
	MaxReceipts   = 200_000             // in Redis
	ReceiptMaxAge = 90 * 24 * time.Hour // in SQLite
	MaxAudit      = 100_000             // lines of the audit log, in both
)
