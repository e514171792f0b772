package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"farthing/policies/estimate"
	"farthing/policies/route"
	"farthing/policies/store"
	"farthing/policies/store/sqlite"
	"farthing/providers"
)

// outage is a log that can be away.
type outage struct {
	Log
	down  atomic.Bool
	tries atomic.Int64
}

func (o *outage) AppendReceipts(ctx context.Context, rows []store.StoredReceipt) error {
	o.tries.Add(1)
	if o.down.Load() {
		return store.ErrDown
	}
	return o.Log.AppendReceipts(ctx, rows)
}

// rig is a recorder over a real store.
type rig struct {
	*Recorder
	t     testing.TB
	store *sqlite.Store
	log   *outage
	stop  func() // ends Run and waits for it
}

func newRig(t testing.TB) *rig {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "receipts.db"))
	if err != nil {
		t.Fatal(err)
	}
	log := &outage{Log: s}
	r, err := NewRecorder(log, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &rig{Recorder: r, t: t, store: s, log: log}
}

// run starts the recorder; it ends with the test at the latest.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	go r.Run(ctx)
	r.stop = func() {
		cancel()
		r.Wait()
	}
	r.t.Cleanup(r.stop)
}

// eventually waits until something holds.
func (r *rig) eventually(what string, holds func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not in time: %s", what)
		}
	}
}

func (r *rig) isStored(id string) bool {
	_, found, err := r.store.Receipt(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

// find wants a receipt to be readable.
func (r *rig) find(id string) *Receipt {
	r.t.Helper()
	rc, ok, err := r.Find(context.Background(), id)
	if !ok || err != nil {
		r.t.Fatalf("%s: %v, %v", id, ok, err)
	}
	return rc
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func numbered(i int) *Receipt {
	return &Receipt{ID: fmt.Sprintf("r%05d", i), Time: noon.Add(time.Duration(i) * time.Millisecond), Key: "ci", Owner: "ada", Outcome: "ok"}
}

// full is a receipt with something in every place.
func full() *Receipt {
	difficulty := 0.25
	return &Receipt{
		ID: "r1", Time: noon, Format: providers.FormatOpenAI, Endpoint: "chat.completions", Stream: true,
		Key: "ci", Owner: "ada", User: "bob", Team: "search", Tags: map[string]string{"app": "x"}, Session: "s",
		Asked: "auto", Entry: "auto", Estimate: Estimate{Input: 10, InputBound: 12, OutputLikely: 20, OutputMost: 30, Difficulty: &difficulty, DifficultyModel: "plain", InputError: -1, OutputError: 5},
		Reason: "best_value", Policies: []string{"inside"}, Notes: []string{"not learned yet"},
		Candidates: []route.Explained{
			{Target: "openai/o1", Rank: 1, InputTokens: 10, Cost: 312_000, Quality: estimate.Quality{Value: 0.7, Low: 0.6, High: 0.8, Known: true}, Value: -0.0001},
			{Target: "h200/r1", WhyNot: "is down", Policy: "inside"},
		},
		Attempts: []Attempt{{
			ID: "r1-1", Target: "openai/o1", Hold: 1_000_000, MaxOutput: 30, Clamped: true, Status: 200, Outcome: "ok", Usage: providers.Usage{Input: 11, Output: 25},
			UsageSource: providers.UsageProvider, Cost: 312_000, Lines: []Line{{Class: "input", Count: 11, Price: "15", Amount: "0.000165", Source: "book"}}, Model: "o1-2024-12-17", Tier: "flex", UpstreamID: "req_1", Repairs: []string{"done-missing"}, FirstByteMS: 5, Millis: 9,
		}},
		Target: "openai/o1", Usage: providers.Usage{Input: 11, Output: 25}, UsageSource: providers.UsageProvider, Cost: 312_000,
		Budgets:   []Budget{{Name: "me", Limit: 5 * providers.Dollar, Per: "day", Spent: &Spent{Window: "2026-11-23", Spent: 1, Held: 2, Left: 3}}, {Name: "new", Limit: 1, Per: "total"}},
		PriceBook: "2026-11-01", Outcome: "ok", Millis: 10,
	}
}

// TestRoundTrip keeps everything that a receipt says.
func TestRoundTrip(t *testing.T) {
	r := newRig(t)
	want := full()
	r.Keep(want)
	if got := r.find("r1"); got != want { // before anything is stored
		t.Errorf("%+v", got)
	}
	r.run()
	r.eventually("r1 is stored", func() bool { return r.isStored("r1") })
	r.stop()
	if diff := cmp.Diff(want, r.find("r1")); diff != "" {
		t.Error(diff)
	}
	row, _, err := r.store.Receipt(t.Context(), "r1")
	if err != nil || row.Key != "ci" || row.Owner != "ada" || !row.At.Equal(noon) {
		t.Errorf("%+v, %v", row, err)
	}
	if strings.Contains(string(row.Body), "best_value") {
		t.Error("the body is not compressed")
	}
	if _, ok, err := r.Find(t.Context(), "r2"); ok || err != nil {
		t.Errorf("a receipt that there is not: %v, %v", ok, err)
	}
}

// TestOutage loses nothing while the store is away for a while, and stores what
// waited once it is back.
func TestOutage(t *testing.T) {
	r := newRig(t)
	r.log.down.Store(true)
	r.run()
	for i := range 1000 {
		r.Keep(numbered(i))
	}
	r.eventually("two tries", func() bool { return r.log.tries.Load() >= 2 })
	r.find("r00000")
	r.find("r00999")
	r.log.down.Store(false)
	r.eventually("the last is stored", func() bool { return r.isStored("r00999") })
	page, err := r.Page(t.Context(), "", 2000)
	if err != nil || len(page) != 1000 || r.Dropped() != 0 {
		t.Fatalf("%d receipts, %d dropped, %v", len(page), r.Dropped(), err)
	}
	r.stop()
	if len(r.byID) != 0 || len(r.waiting) != 0 || len(r.sending) != 0 {
		t.Errorf("%d, %d and %d are kept in memory", len(r.byID), len(r.waiting), len(r.sending))
	}
}

// TestBound drops the oldest once the queue is full, and counts them.
func TestBound(t *testing.T) {
	r := newRig(t)
	const size = 600
	r.bound = size
	r.log.down.Store(true)
	for i := range size + 100 {
		r.Keep(numbered(i))
	}
	if n := r.Dropped(); n != 100 {
		t.Errorf("%d dropped", n)
	}
	if _, ok, err := r.Find(t.Context(), "r00099"); ok || err != nil {
		t.Errorf("a dropped receipt: %v, %v", ok, err)
	}
	r.find("r00100")

	// What is in hand counts too, and is not dropped.
	r.run()
	r.eventually("a try", func() bool { return r.log.tries.Load() >= 1 })
	for i := range 50 {
		r.Keep(numbered(size + 100 + i))
	}
	if n := r.Dropped(); n != 150 {
		t.Errorf("%d dropped", n)
	}
	r.log.down.Store(false)
	last := numbered(size + 149).ID
	r.eventually("the last is stored", func() bool { return r.isStored(last) })
	page, err := r.Page(t.Context(), "", 2*size)
	if err != nil || len(page) != size {
		t.Errorf("%d receipts, %v", len(page), err)
	}
	if n := r.Dropped(); n != 150 {
		t.Errorf("%d dropped", n)
	}
}

// TestPage reads stored receipts from the newest on.
func TestPage(t *testing.T) {
	r := newRig(t)
	r.run()
	for _, i := range []int{3, 1, 4, 0, 2} { // by their times, not in the order of their ends
		r.Keep(numbered(i))
	}
	r.stop()
	for _, c := range []struct {
		before string
		limit  int
		want   string
	}{
		{"", 2, "r00004 r00003"}, {"r00003", 2, "r00002 r00001"}, {"r00001", 2, "r00000"}, {"r00000", 2, ""}, {"none", 2, ""}, {"", 0, ""},
	} {
		page, err := r.Page(t.Context(), c.before, c.limit)
		if err != nil || page == nil {
			t.Fatalf("%v, %v", page, err)
		}
		ids := make([]string, len(page))
		for i, rc := range page {
			ids[i] = rc.ID
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("before %q: %q, want %q", c.before, got, c.want)
		}
	}
}

// TestDamaged says so of a body that cannot be read.
func TestDamaged(t *testing.T) {
	r := newRig(t)
	bomb := r.enc.EncodeAll(make([]byte, 65<<20), nil)
	bodies := map[string][]byte{"none": nil, "noise": []byte("noise"), "cut": r.enc.EncodeAll([]byte(`{"id":"cut"}`), nil)[:10], "text": r.enc.EncodeAll([]byte("text"), nil), "bomb": bomb}
	for id, body := range bodies {
		if err := r.store.AppendReceipts(t.Context(), []store.StoredReceipt{{ID: id, At: noon, Body: body}}); err != nil {
			t.Fatal(err)
		}
		if rc, ok, err := r.Find(t.Context(), id); ok || err == nil || !strings.Contains(err.Error(), "receipt "+id+" is damaged") {
			t.Errorf("%s: %v, %v, %v", id, rc, ok, err)
		}
	}
	if _, err := r.Page(t.Context(), "", 10); err == nil {
		t.Error("a page with damaged receipts")
	}
}

// TestStoreAway tells readers that the store is away, but for what is in memory.
func TestStoreAway(t *testing.T) {
	r := newRig(t)
	r.Keep(numbered(1))
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	r.find("r00001")
	if _, ok, err := r.Find(t.Context(), "r00002"); ok || !errors.Is(err, store.ErrDown) {
		t.Errorf("%v, %v", ok, err)
	}
	if _, err := r.Page(t.Context(), "", 10); !errors.Is(err, store.ErrDown) {
		t.Error(err)
	}
}

// TestUnwritable leaves out a receipt that JSON cannot hold, and stores those
// around it.
func TestUnwritable(t *testing.T) {
	r := newRig(t)
	bad := numbered(2)
	bad.Candidates = []route.Explained{{Value: math.NaN()}}
	for _, rc := range []*Receipt{numbered(1), bad, numbered(3)} {
		r.Keep(rc)
	}
	r.run()
	r.eventually("the third is stored", func() bool { return r.isStored("r00003") })
	r.stop()
	if !r.isStored("r00001") || r.isStored("r00002") || r.Dropped() != 1 {
		t.Errorf("%d dropped", r.Dropped())
	}
}

// TestFlush stores at the end what waits, past one batch, and tries again where
// the store fails.
func TestFlush(t *testing.T) {
	r := newRig(t)
	r.log.down.Store(true)
	const many = 3*batchSize + 7
	for i := range many {
		r.Keep(numbered(i))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	go r.Run(ctx)
	r.eventually("a try", func() bool { return r.log.tries.Load() >= 1 })
	r.log.down.Store(false)
	r.Wait()
	page, err := r.Page(t.Context(), "", 2*many)
	if err != nil || len(page) != many || r.Dropped() != 0 {
		t.Errorf("%d receipts, %d dropped, %v", len(page), r.Dropped(), err)
	}
}

// never is a log that is away for good.
type never struct{ Log }

func (never) AppendReceipts(context.Context, []store.StoredReceipt) error { return store.ErrDown }

// TestFlushGivesUp ends after five seconds where the store stays away, and
// counts what is lost.
func TestFlushGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := NewRecorder(never{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 300 {
			r.Keep(numbered(i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		go r.Run(ctx)
		time.Sleep(2 * retryWait) // of the bubble
		began := time.Now()
		cancel()
		r.Wait()
		if took := time.Since(began); took != callLimit {
			t.Errorf("ended after %v", took)
		}
		if n := r.Dropped(); n != 300 {
			t.Errorf("%d dropped", n)
		}
	})
}

// TestManyWriters keeps receipts from everywhere while they are read.
func TestManyWriters(t *testing.T) {
	r := newRig(t)
	r.run()
	const writers, each = 8, 200
	var busy sync.WaitGroup
	for w := range writers {
		busy.Go(func() {
			for i := range each {
				rc := numbered(w*each + i)
				r.Keep(rc)
				got, ok, err := r.Find(context.Background(), rc.ID)
				if !ok || err != nil || got.ID != rc.ID {
					t.Errorf("%s cannot be read at once: %v, %v", rc.ID, ok, err)
				}
				if i%50 == 0 {
					r.log.down.Store(!r.log.down.Load())
				}
			}
		})
	}
	busy.Wait()
	r.log.down.Store(false)
	r.stop()
	page, err := r.Page(t.Context(), "", 2*writers*each)
	if err != nil || len(page) != writers*each || r.Dropped() != 0 {
		t.Fatalf("%d receipts, %d dropped, %v", len(page), r.Dropped(), err)
	}
	var want []*Receipt
	for i := writers*each - 1; i >= 0; i-- {
		want = append(want, numbered(i))
	}
	if diff := cmp.Diff(want, page, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkKeep(b *testing.B) {
	r := newRig(b)
	r.run()
	rc := full()
	b.ReportAllocs()
	for b.Loop() {
		r.Keep(rc)
	}
}
