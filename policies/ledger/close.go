package ledger

import (
	"context"
	"fmt"
)

// Close refuses new holds, waits until every hold is settled and every
// settlement booked and durable, and signs off. When ctx ends before that, what
// is missing stays charged as unconfirmed, and the error says how much it is.
// Close is called once.
func (l *Ledger) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closing = true
	l.noteQuiet()
	l.mu.Unlock()
	l.nudge()
	defer func() {
		l.stop()
		<-l.done
	}()
	select {
	case <-l.quiet:
	case <-ctx.Done():
		s := l.Stats()
		return fmt.Errorf("the ledger could not settle everything: %d holds of %s open, %d batches not booked, they stay charged: %w",
			s.Open, s.OpenSum.USD(), s.Unbooked, ctx.Err())
	}
	if err := l.store.Durable(ctx); err != nil {
		return fmt.Errorf("the last settlements are booked, and may not be durable: %w", err)
	}
	return l.signOff(ctx)
}

// noteQuiet says that the ledger is closing and has nothing more to tell the
// store. A replica that has begun declares first, so that it can sign off: one
// that is left half known makes the next one wait a lease.
func (l *Ledger) noteQuiet() {
	if !l.closing || l.open > 0 || len(l.asks)+len(l.flying) > 0 || !l.r.Quiet() || l.r.Joining() && !l.down {
		return
	}
	if !l.allSaid() {
		close(l.quiet)
	}
}

// allSaid says that noteQuiet has found nothing more to tell.
func (l *Ledger) allSaid() bool {
	select {
	case <-l.quiet:
		return true
	default:
		return false
	}
}

// signOff ends the conversation and leaves the store.
func (l *Ledger) signOff(ctx context.Context) error {
	l.stop()
	<-l.done
	l.mu.Lock()
	joined, st := l.r.Joined(), l.r.SignOff()
	l.mu.Unlock()
	if !joined {
		return nil
	}
	if _, err := l.store.Step(ctx, st); err != nil {
		return fmt.Errorf("everything is settled, but the store did not hear that this gateway leaves: %w", err)
	}
	return nil
}
