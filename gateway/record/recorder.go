package record

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"farthing/policies/store"
)

// Log is where receipts are kept: Redis or SQLite.
type Log interface {
	AppendReceipts(ctx context.Context, rows []store.StoredReceipt) error
	Receipt(ctx context.Context, id string) (store.StoredReceipt, bool, error)
	Receipts(ctx context.Context, before string, limit int) ([]store.StoredReceipt, error)
}

const (
	queueSize = 8192 // receipts waiting for the store; past it the oldest are dropped and counted
	batchSize = 256
	retryWait = 500 * time.Millisecond
	callLimit = 5 * time.Second
)

// Recorder takes receipts from the requests' path to the store.
type Recorder struct {
	log     Log
	logger  *slog.Logger
	enc     *zstd.Encoder
	dec     *zstd.Decoder
	mu      sync.Mutex
	waiting []*Receipt // in order of their ends, those not stored yet
	byID    map[string]*Receipt
	wake    chan struct{}
	done    chan struct{}
	dropped atomic.Int64
}

// NewRecorder starts the recorder's goroutine; Close ends it.
func NewRecorder(log Log, logger *slog.Logger) (*Recorder, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("receipts' compressor: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, fmt.Errorf("receipts' decompressor: %w", err)
	}
	r := &Recorder{log: log, logger: logger, enc: enc, dec: dec, byID: map[string]*Receipt{},
		wake: make(chan struct{}, 1), done: make(chan struct{})}
	return r, nil
}

// Keep hands over a finished receipt, which must not change afterwards. It
// never blocks on the store.
func (r *Recorder) Keep(rc *Receipt) {
	r.mu.Lock()
	if len(r.waiting) >= queueSize {
		delete(r.byID, r.waiting[0].ID)
		r.waiting = r.waiting[1:]
		r.dropped.Add(1)
	}
	r.waiting = append(r.waiting, rc)
	r.byID[rc.ID] = rc
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Dropped counts the receipts lost because the store was away for too long.
// Their money is not lost: it is settled through the ledger.
func (r *Recorder) Dropped() int64 { return r.dropped.Load() }

// Run writes receipts until ctx ends, then what is left within five seconds.
func (r *Recorder) Run(ctx context.Context) {
	defer close(r.done)
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
			defer cancel()
			for r.flush(last) {
			}
			return
		case <-r.wake:
		}
		for r.flush(ctx) {
		}
	}
}

// flush stores one batch and says whether there may be more. A batch that
// failed stays where it is and is tried again.
func (r *Recorder) flush(ctx context.Context) bool {
	r.mu.Lock()
	batch := append([]*Receipt(nil), r.waiting[:min(batchSize, len(r.waiting))]...)
	r.mu.Unlock()
	if len(batch) == 0 {
		return false
	}
	if err := r.append(ctx, batch); err != nil {
		r.logger.Warn("receipts could not be stored; will try again", "waiting", len(batch), "error", err)
		r.retryLater(ctx)
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rc := range batch {
		delete(r.byID, rc.ID)
	}
	// The queue may have dropped from its front meanwhile: cut what was stored.
	stored := make(map[*Receipt]bool, len(batch))
	for _, rc := range batch {
		stored[rc] = true
	}
	for len(r.waiting) > 0 && stored[r.waiting[0]] {
		r.waiting[0] = nil
		r.waiting = r.waiting[1:]
	}
	return len(r.waiting) > 0
}

func (r *Recorder) retryLater(ctx context.Context) {
	timer := time.NewTimer(retryWait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

func (r *Recorder) append(ctx context.Context, batch []*Receipt) error {
	rows := make([]store.StoredReceipt, 0, len(batch))
	for _, rc := range batch {
		body, err := json.Marshal(rc)
		if err != nil {
			return fmt.Errorf("receipt %s: %w", rc.ID, err)
		}
		rows = append(rows, store.StoredReceipt{ID: rc.ID, Key: rc.Key, Owner: rc.Owner, At: rc.Time, Body: r.enc.EncodeAll(body, nil)})
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return r.log.AppendReceipts(ctx, rows)
}

// Find returns the receipt with this id, stored or still waiting.
func (r *Recorder) Find(ctx context.Context, id string) (*Receipt, bool, error) {
	r.mu.Lock()
	rc, ok := r.byID[id]
	r.mu.Unlock()
	if ok {
		return rc, true, nil
	}
	row, ok, err := r.log.Receipt(ctx, id)
	if err != nil || !ok {
		return nil, false, err
	}
	rc, err = r.decode(row)
	return rc, err == nil, err
}

// Page returns up to limit stored receipts, newest first, that are older than
// the one with the id before ("" for the newest).
func (r *Recorder) Page(ctx context.Context, before string, limit int) ([]*Receipt, error) {
	rows, err := r.log.Receipts(ctx, before, limit)
	if err != nil {
		return nil, err
	}
	page := make([]*Receipt, 0, len(rows))
	for _, row := range rows {
		rc, err := r.decode(row)
		if err != nil {
			return nil, err
		}
		page = append(page, rc)
	}
	return page, nil
}

func (r *Recorder) decode(row store.StoredReceipt) (*Receipt, error) {
	body, err := r.dec.DecodeAll(row.Body, nil)
	if err != nil {
		return nil, fmt.Errorf("receipt %s is damaged: %w", row.ID, err)
	}
	rc := new(Receipt)
	if err := json.Unmarshal(body, rc); err != nil {
		return nil, fmt.Errorf("receipt %s is damaged: %w", row.ID, err)
	}
	return rc, nil
}

// Wait returns when Run has stored what it could after its context ended.
func (r *Recorder) Wait() { <-r.done }
