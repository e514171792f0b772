package redis

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"farthing/policies/ledger/core"
	"farthing/policies/store"
	"farthing/policies/store/storetest"
)

// faulty is a store that tests can hurt.
type faulty struct{ *Store }

func (f faulty) Crash(ctx context.Context) error {
	return f.client.Do(ctx, "DEBUG", "CHANGE-REPL-ID").Err()
}

func (f faulty) Lapse(ctx context.Context, replica string) error {
	return f.client.HSet(ctx, replicaKey+replica, "lease", 1).Err()
}

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// empty opens a store without data. Data that is not of tests is never deleted.
func empty(t testing.TB, url string) *Store {
	t.Helper()
	s := open(t, url)
	if err := s.client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

// testURL is a server of the test's own where one can be started, since it may
// be hurt; else the one in REDIS_URL, which must be empty and allow DEBUG.
func testURL(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		return storetest.StartRedis(t).URL
	}
	url := storetest.Redis(t)
	s := open(t, url)
	defer s.Close()
	if n, err := s.client.DBSize(t.Context()).Result(); n != 0 || err != nil {
		t.Fatalf("the Redis for tests holds %d keys (%v): name an empty one in REDIS_URL, it will be emptied", n, err)
	}
	t.Cleanup(func() {
		if s, err := Open(context.Background(), url); err == nil {
			s.client.FlushDB(context.Background())
			_ = s.Close()
		}
	})
	return url
}

func TestStore(t *testing.T) {
	url := testURL(t)
	storetest.Run(t, func(t *testing.T) storetest.Store { return faulty{empty(t, url)} })
}

func TestDescribe(t *testing.T) {
	for _, test := range []struct {
		args []string
		line string
		warn bool
		err  string
	}{
		{line: "appendonly is off", warn: true},
		{args: []string{"--appendonly", "yes"}, line: "everysec"},
		{args: []string{"--appendonly", "yes", "--appendfsync", "always"}, line: "loses nothing"},
		{args: []string{"--appendonly", "yes", "--appendfsync", "no"}, line: "appendfsync is no", warn: true},
		{args: []string{"--rename-command", "CONFIG", ""}, line: "unknown", warn: true},
		{args: []string{"--maxmemory-policy", "allkeys-lru"}, err: "noeviction"},
		{args: []string{"--replicaof", "127.0.0.1 1"}, err: "read-only replica"},
	} {
		s := open(t, storetest.StartRedis(t, test.args...).URL)
		line, warnings, err := s.Describe(t.Context())
		switch {
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%v: %v", test.args, err)
		case test.err == "" && (err != nil || !strings.Contains(line, test.line) || (len(warnings) > 0) != test.warn):
			t.Errorf("%v: %q, %q, %v", test.args, line, warnings, err)
		}
		_ = s.Close()
	}
}

func TestDurableWaitsForTheDisk(t *testing.T) {
	for _, test := range []struct {
		args  []string
		least time.Duration
	}{
		{args: nil},
		{args: []string{"--appendonly", "yes", "--appendfsync", "always"}},
		{args: []string{"--appendonly", "yes"}, least: 50 * time.Millisecond},
	} {
		s := open(t, storetest.StartRedis(t, test.args...).URL)
		_, err := s.Step(t.Context(), core.Step{Kind: core.Begin, Replica: "a", Number: 1})
		before := time.Now()
		if err := errors.Join(err, s.Durable(t.Context())); err != nil {
			t.Errorf("%v: %v", test.args, err)
		}
		if took := time.Since(before); took < test.least || test.least == 0 && took > time.Second {
			t.Errorf("%v: durable after %s", test.args, took)
		}
		_ = s.Close()
	}
}

// TestServerKilled kills a server with its log on disk while holds are open, and
// brings it back: nothing is lost, and nothing hangs meanwhile.
func TestServerKilled(t *testing.T) {
	server := storetest.StartRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	s := open(t, server.URL)
	defer s.Close()
	storetest.Killed(t, s, func() { server.Kill() }, func() { server.Start(t) })
}

func TestStoreDown(t *testing.T) {
	if _, err := Open(t.Context(), "redis://"); err != nil && !errors.Is(err, store.ErrDown) {
		t.Errorf("the default address: %v", err)
	}
	if s, err := Open(t.Context(), "http://localhost"); err == nil || s != nil || errors.Is(err, store.ErrDown) {
		t.Errorf("a URL of something else: %v", err)
	}
	s, err := Open(t.Context(), "unix:///nowhere/at/all")
	if !errors.Is(err, store.ErrDown) || s == nil {
		t.Fatalf("no server: %v", err)
	}
	defer s.Close()
	if _, err := s.Step(t.Context(), core.Step{Replica: "a", Number: 1}); !errors.Is(err, store.ErrDown) {
		t.Errorf("a step without a server: %v", err)
	}
	if err := s.PutDocument(t.Context(), "a", nil); !errors.Is(err, store.ErrDown) {
		t.Errorf("a document without a server: %v", err)
	}
}

func TestOldReceiptsGoInSmallSteps(t *testing.T) {
	s := empty(t, testURL(t))
	defer s.Close()
	var list []store.StoredReceipt
	for i := range 1000 {
		list = append(list, store.StoredReceipt{ID: time.Duration(i).String(), At: time.UnixMicro(int64(i))})
	}
	if err := s.appendReceipts(t.Context(), list, 1000); err != nil {
		t.Fatal(err)
	}
	newest := []store.StoredReceipt{{ID: "newest", At: time.Now()}}
	if err := s.appendReceipts(t.Context(), newest, 10); err != nil {
		t.Fatal(err)
	}
	if n := s.client.HLen(t.Context(), receiptBodyKey).Val(); n != 1001-trimStep-1 {
		t.Errorf("one append left %d", n)
	}
	for range 6 {
		if err := s.appendReceipts(t.Context(), newest, 10); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := s.Receipts(t.Context(), "", 100)
	if err != nil || len(kept) != 10 || kept[0].ID != "newest" {
		t.Errorf("%d kept, %v", len(kept), err)
	}
}

func BenchmarkHoldSettle(b *testing.B) {
	s := empty(b, testURL(b))
	defer s.Close()
	storetest.Benchmark(b, s)
}
