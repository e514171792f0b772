package record

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
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
	queueSize = 8192 // receipts on their way to the store; past it the oldest that wait are dropped and counted
	batchSize = 256
	retryWait = 500 * time.Millisecond
	callLimit = 5 * time.Second
	gather    = 20 * time.Millisecond
)

// Recorder takes receipts from the requests' path to the store.
type Recorder struct {
	log     Log
	bound   int // of waiting and sending together
	logger  *slog.Logger
	enc     *zstd.Encoder
	dec     *zstd.Decoder
	mu      sync.Mutex
	waiting []*Receipt // in order of their ends, those not stored yet
	sending []*Receipt // in hand, before waiting
	byID    map[string]*Receipt
	wake    chan struct{}
	done    chan struct{}
	dropped atomic.Int64
}

// NewRecorder makes a recorder. It stores nothing until Run.
func NewRecorder(log Log, logger *slog.Logger) (*Recorder, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("receipts' compressor: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return nil, fmt.Errorf("receipts' decompressor: %w", err)
	}
	r := &Recorder{
		log: log, bound: queueSize, logger: logger, enc: enc, dec: dec, byID: map[string]*Receipt{},
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	return r, nil
}

// Keep hands over a finished receipt, which must not change afterwards. It
// never blocks on the store.
func (r *Recorder) Keep(rc *Receipt) {
	r.mu.Lock()
	if len(r.waiting)+len(r.sending) >= r.bound {
		delete(r.byID, r.waiting[0].ID)
		r.waiting[0] = nil
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

// Dropped counts the receipts lost, because the store was away for too long or
// because they could not be written. Their money is not lost: it is settled
// through the ledger.
func (r *Recorder) Dropped() int64 { return r.dropped.Load() }

// Run writes receipts until ctx ends, then what is left within five seconds.
func (r *Recorder) Run(ctx context.Context) {
	defer close(r.done)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-r.wake:
			pause(ctx, gather) // for company: one write of many costs little more than one of one
			r.drain(ctx)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	r.drain(last)
	r.mu.Lock()
	defer r.mu.Unlock()
	if left := len(r.sending) + len(r.waiting); left > 0 {
		r.dropped.Add(int64(left))
		r.logger.Error("the store is away: the last receipts are lost", "receipts", left)
	}
}

// drain stores all that waits, and tries again while the store fails, until ctx
// ends.
func (r *Recorder) drain(ctx context.Context) {
	failed := false
	for ctx.Err() == nil {
		batch := r.take()
		if len(batch) == 0 {
			return
		}
		switch err := r.append(ctx, batch); {
		case err == nil:
			r.finish(batch)
			if failed {
				r.logger.Warn("receipts are stored again", "lost until now", r.Dropped())
			}
			failed = false
		case ctx.Err() == nil:
			if !failed {
				r.logger.Warn("receipts cannot be stored and wait", "error", err)
			}
			failed = true
			pause(ctx, retryWait)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// take moves the front of the queue in hand, unless something is there still.
func (r *Recorder) take() []*Receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := min(batchSize, len(r.waiting)); len(r.sending) == 0 {
		r.sending = slices.Clone(r.waiting[:n])
		clear(r.waiting[:n])
		r.waiting = r.waiting[n:]
	}
	return r.sending
}

// finish lets go of what is in hand.
func (r *Recorder) finish(batch []*Receipt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rc := range batch {
		delete(r.byID, rc.ID)
	}
	r.sending = nil
}

// append stores a batch. A receipt that cannot be written is left out, so that
// it does not hold up the others for ever.
func (r *Recorder) append(ctx context.Context, batch []*Receipt) error {
	rows := make([]store.StoredReceipt, 0, len(batch))
	for _, rc := range batch {
		body, err := json.Marshal(rc)
		if err != nil {
			r.logger.Error("a receipt cannot be written and is lost", "id", rc.ID, "error", err)
			continue
		}
		rows = append(rows, store.StoredReceipt{ID: rc.ID, Key: rc.Key, Owner: rc.Owner, At: rc.Time, Body: r.enc.EncodeAll(body, nil)})
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if err := r.log.AppendReceipts(ctx, rows); err != nil {
		return err
	}
	r.dropped.Add(int64(len(batch) - len(rows)))
	return nil
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
