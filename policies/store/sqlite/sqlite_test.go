package sqlite

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"farthing/policies/ledger"
	"farthing/policies/store"
	"farthing/policies/store/storetest"
)

// faulty is a store that tests can hurt.
type faulty struct{ *Store }

func (f faulty) Crash(context.Context) error {
	f.run += "+"
	return nil
}

func (f faulty) Lapse(ctx context.Context, replica string) error {
	_, err := f.db.ExecContext(ctx, `UPDATE replicas SET lease = 1 WHERE replica = ?`, replica)
	return err
}

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "far thing?.db"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return faulty{open(t)} })
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "farthing.db")
	first, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("a second one: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path)
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestProcessKilled opens the file again after a process that held money was
// killed: what it held stays charged, what it settled stays settled.
func TestProcessKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "farthing.db")
	var s *Store
	reopen := func() *Store {
		if s != nil {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if s, err = Open(path); err != nil {
			t.Fatal(err)
		}
		return s
	}
	storetest.Reopened(t, func() ledger.Store { return reopen() })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFolderMustExist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "farthing.db")
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Fatalf("opened in a folder that is not there: %v", err)
	}
}

func TestOldReceiptsGoInSmallSteps(t *testing.T) {
	s := open(t)
	defer s.Close()
	ctx := t.Context()
	old := time.Now().Add(-time.Hour)
	var list []store.StoredReceipt
	for i := range 1000 {
		list = append(list, store.StoredReceipt{ID: string(rune('A'+i%26)) + time.Duration(i).String(), At: old})
	}
	if err := s.appendReceipts(ctx, list, old.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	for want := 1000 - 200; want > 0; want -= 201 {
		if err := s.appendReceipts(ctx, []store.StoredReceipt{{ID: time.Duration(want).String() + "new", At: time.Now()}}, old.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := s.Receipts(ctx, "", 2000)
	if err != nil || len(kept) < 4 || len(kept) > 250 {
		t.Fatalf("%d kept, %v", len(kept), err)
	}
}

func BenchmarkHoldSettle(b *testing.B) {
	s := open(b)
	defer s.Close()
	storetest.Benchmark(b, s)
}
