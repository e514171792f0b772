package key_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"farthing/policies/key"
	"farthing/policies/store/sqlite"
	"farthing/providers"
)

// outage is a store that can be away, and counts what it is asked.
type outage struct {
	key.Store
	down atomic.Bool
	gets atomic.Int64
}

var errAway = errors.New("away")

func (o *outage) GetKey(ctx context.Context, h key.Hash) (key.Key, bool, error) {
	o.gets.Add(1)
	if o.down.Load() {
		return key.Key{}, false, errAway
	}
	return o.Store.GetKey(ctx, h)
}

func (o *outage) ChangedKeys(ctx context.Context, since int64) ([]key.Key, int64, error) {
	if o.down.Load() {
		return nil, 0, errAway
	}
	return o.Store.ChangedKeys(ctx, since)
}

// clock is a time that tests move.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(0, c.now.Load()).UTC() }
func (c *clock) Advance(d time.Duration) { c.now.Add(int64(d)) }

func newClock() *clock {
	c := new(clock)
	c.now.Store(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

// rig is a ring over a real store.
type rig struct {
	t     testing.TB
	store *outage
	clock *clock
	ring  *key.Ring
}

func newRig(t testing.TB, file key.File) *rig {
	t.Helper()
	r := &rig{t: t, store: &outage{Store: openStore(t, filepath.Join(t.TempDir(), "keys.db"))}, clock: newClock()}
	if file.Local == nil {
		file.Local = &key.Key{Name: key.LocalName}
	}
	r.ring = key.NewRing(r.store, file, r.clock.Now, slog.New(slog.DiscardHandler))
	return r
}

func openStore(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// put makes a key in the store and returns it with its secret.
func (r *rig) put(k key.Key) (string, key.Key) {
	r.t.Helper()
	secret, hash := key.New()
	k.Hash, k.Source = hash, key.FromStore
	r.putAgain(k)
	return secret, k
}

func (r *rig) putAgain(k key.Key) {
	r.t.Helper()
	if err := r.store.PutKey(context.Background(), k); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) refresh() {
	r.t.Helper()
	if err := r.ring.Refresh(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

// finds wants a secret to be let in as name.
func (r *rig) finds(secret, name string) *key.Key {
	r.t.Helper()
	k, err := r.ring.Lookup(context.Background(), secret)
	if err != nil || k.Name != name {
		r.t.Fatalf("%v, %v, want the key %s", k, err, name)
	}
	return k
}

// refuses wants a secret to be refused with this kind and code.
func (r *rig) refuses(secret string, kind providers.Kind, code string) *providers.Error {
	r.t.Helper()
	k, err := r.ring.Lookup(context.Background(), secret)
	var e *providers.Error
	if k != nil || !errors.As(err, &e) || e.Kind != kind || e.Code != code {
		r.t.Fatalf("%v, %v, want %v %s", k, err, kind, code)
	}
	return e
}

// TestLookup lets keys of the file and of the store in, and says of others why
// not.
func TestLookup(t *testing.T) {
	pinned, pinnedHash := key.New()
	r := newRig(t, key.File{Keys: []*key.Key{{Hash: pinnedHash, Name: "ci", Source: key.FromFile}}})
	r.finds(pinned, "ci")
	if n := r.store.gets.Load(); n != 0 {
		t.Errorf("the store was asked %d times for a key of the file", n)
	}

	ada, k := r.put(key.Key{Name: "ada", Owner: "ada", Team: "search", Tags: map[string]string{"app": "x"}})
	if got := r.finds(ada, "ada"); got.Owner != "ada" || got.Team != "search" || got.Tags["app"] != "x" || got.Source != key.FromStore {
		t.Errorf("%+v", got)
	}
	for _, wrong := range []string{"", "fk-", ada + " ", ada[:len(ada)-1], key.HashOf(ada).String()} {
		r.refuses(wrong, providers.Unauthenticated, "invalid_api_key")
	}

	soon, _ := r.put(key.Key{Name: "soon", Expires: r.clock.Now().Add(time.Hour)})
	r.finds(soon, "soon")
	r.clock.Advance(time.Hour - 1)
	r.finds(soon, "soon")
	r.clock.Advance(1)
	r.refuses(soon, providers.Unauthenticated, "key_expired")

	k.Revoked = r.clock.Now()
	r.putAgain(k)
	r.finds(ada, "ada") // until the ring has heard of it
	r.refresh()
	r.refuses(ada, providers.Unauthenticated, "key_revoked")
	if n := r.ring.Count(); n != 1 {
		t.Errorf("%d keys can be used, want that of the file", n)
	}
}

// TestExpiredOn names the date as the file does, whatever the zone.
func TestExpiredOn(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	secret, hash := key.New()
	file, problems := key.Compile(map[string]key.Config{"ci": {SHA256: hash.String(), Expires: "2026-11-24"}}, key.Defaults{}, berlin)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := newRig(t, file)
	r.clock.Advance(11*time.Hour - time.Second) // 23:59:59 in Berlin
	r.finds(secret, "ci")
	r.clock.Advance(time.Second)
	if e := r.refuses(secret, providers.Unauthenticated, "key_expired"); e.Message != "the key ci expired on 2026-11-24" {
		t.Error(e.Message)
	}
}

// TestFileWins puts the file's word over the store's for the same secret, as
// long as the file has it.
func TestFileWins(t *testing.T) {
	r := newRig(t, key.File{})
	secret, k := r.put(key.Key{Name: "stored", Owner: "ada"})
	r.finds(secret, "stored")
	local := &key.Key{Name: key.LocalName, Team: "platform"}
	r.ring.Load(key.File{Keys: []*key.Key{{Hash: k.Hash, Name: "pinned", Source: key.FromFile}}, Local: local})
	r.finds(secret, "pinned")
	if r.ring.Local() != local {
		t.Error("the local key is still the old file's")
	}
	k.Revoked = r.clock.Now()
	r.putAgain(k)
	r.refresh()
	r.finds(secret, "pinned")
	r.ring.Load(key.File{Local: local})
	r.refuses(secret, providers.Unauthenticated, "key_revoked")
}

// TestRun hears of changes by itself.
func TestRun(t *testing.T) {
	if key.RefreshEvery > 5*time.Second {
		t.Errorf("a revoked key lives for %v", key.RefreshEvery)
	}
	r := newRig(t, key.File{})
	secret, k := r.put(key.Key{Name: "ada"})
	r.finds(secret, "ada")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		r.ring.Run(ctx, time.Millisecond)
		close(ended)
	}()
	k.Revoked = r.clock.Now()
	r.putAgain(k)
	for deadline := time.Now().Add(10 * time.Second); r.ring.Count() > 0; {
		if time.Now().After(deadline) {
			t.Fatal("the revocation did not come")
		}
	}
	r.refuses(secret, providers.Unauthenticated, "key_revoked")
	cancel()
	<-ended
}

// TestOutage lets known keys in for as long as the store is away, and nobody
// else.
func TestOutage(t *testing.T) {
	r := newRig(t, key.File{})
	known, k := r.put(key.Key{Name: "known"})
	quick, _ := r.put(key.Key{Name: "quick", Expires: r.clock.Now().Add(24 * time.Hour)})
	fresh, _ := r.put(key.Key{Name: "fresh"})
	revoked, old := r.put(key.Key{Name: "revoked"})
	old.Revoked = r.clock.Now()
	r.putAgain(old)
	r.finds(known, "known")
	r.finds(quick, "quick")
	r.refuses(revoked, providers.Unauthenticated, "key_revoked")

	r.store.down.Store(true)
	k.Revoked = r.clock.Now()
	r.putAgain(k) // by another replica, whose way to the store is open
	for range 3 {
		if err := r.ring.Refresh(t.Context()); !errors.Is(err, errAway) {
			t.Errorf("the outage is not told: %v", err)
		}
		r.finds(known, "known")
		r.refuses(revoked, providers.Unauthenticated, "key_revoked")
		e := r.refuses(fresh, providers.Unavailable, "store_unavailable")
		if e.RetryAfter <= 0 || !errors.Is(e, errAway) {
			t.Errorf("%+v", e)
		}
		r.clock.Advance(30 * 24 * time.Hour)
	}
	r.refuses(quick, providers.Unauthenticated, "key_expired") // memory does not prolong

	r.store.down.Store(false)
	r.finds(fresh, "fresh") // at once: that it could not be asked for is no answer
	r.refresh()
	r.refuses(known, providers.Unauthenticated, "key_revoked")
}

// TestStrangers asks the store once for a wrong key in a while, and finds a key
// that was made meanwhile as soon as the ring hears of it.
func TestStrangers(t *testing.T) {
	r := newRig(t, key.File{})
	secret, hash := key.New()
	for range 100 {
		r.refuses(secret, providers.Unauthenticated, "invalid_api_key")
	}
	if n := r.store.gets.Load(); n != 1 {
		t.Errorf("the store was asked %d times", n)
	}
	r.clock.Advance(5 * time.Second)
	r.refuses(secret, providers.Unauthenticated, "invalid_api_key")
	if n := r.store.gets.Load(); n != 2 {
		t.Errorf("the store was asked %d times", n)
	}
	r.putAgain(key.Key{Hash: hash, Name: "late", Source: key.FromStore})
	r.refuses(secret, providers.Unauthenticated, "invalid_api_key")
	r.refresh()
	r.finds(secret, "late")
}

// TestFlood tries many guesses: few of them reach the store, and keys that are
// known go on working.
func TestFlood(t *testing.T) {
	r := newRig(t, key.File{})
	known, _ := r.put(key.Key{Name: "known"})
	r.finds(known, "known")
	r.store.gets.Store(0)
	for i := range 30_000 {
		_, err := r.ring.Lookup(t.Context(), fmt.Sprint("guess ", i))
		if kind := providers.AsError(err).Kind; kind != providers.Unauthenticated && kind != providers.Unavailable {
			t.Fatal(err)
		}
	}
	asked := r.store.gets.Load()
	if asked == 0 || asked > 1000 {
		t.Errorf("%d of 30000 guesses reached the store", asked)
	}
	r.finds(known, "known")
	fresh, _ := r.put(key.Key{Name: "fresh"})
	if e := r.refuses(fresh, providers.Unavailable, "too_many_unknown_keys"); e.RetryAfter != key.RefreshEvery {
		t.Errorf("%+v", e)
	}
	r.clock.Advance(key.RefreshEvery)
	r.finds(fresh, "fresh")
}

// TestBehind goes on with a store that came back without its last writes: what
// is put there afterwards is heard of, and what was revoked stays revoked.
func TestBehind(t *testing.T) {
	r := newRig(t, key.File{})
	ada, a := r.put(key.Key{Name: "ada"})
	bob, b := r.put(key.Key{Name: "bob"})
	eve, e := r.put(key.Key{Name: "eve"})
	e.Revoked = r.clock.Now()
	r.putAgain(e)
	r.refresh()
	r.refuses(eve, providers.Unauthenticated, "key_revoked")

	behind := openStore(t, filepath.Join(t.TempDir(), "behind.db"))
	r.store.Store = regressing{behind}
	e.Revoked = time.Time{}
	r.putAgain(e) // its revocation is among what was lost
	a.Revoked = r.clock.Now()
	r.putAgain(a)
	r.refresh()
	r.refuses(ada, providers.Unauthenticated, "key_revoked")
	r.refuses(eve, providers.Unauthenticated, "key_revoked")
	r.finds(bob, "bob")
	b.Revoked = r.clock.Now()
	r.putAgain(b)
	r.refresh()
	r.refuses(bob, providers.Unauthenticated, "key_revoked")
}

// regressing tells its own version, as Redis does, where SQLite gives back what
// it was asked with.
type regressing struct{ *sqlite.Store }

func (r regressing) ChangedKeys(ctx context.Context, since int64) ([]key.Key, int64, error) {
	_, version, err := r.Store.ChangedKeys(ctx, 0)
	if err != nil {
		return nil, 0, err
	}
	changed, _, err := r.Store.ChangedKeys(ctx, since)
	return changed, version, err
}

// paused is a store whose answers come when the test says so.
type paused struct {
	key.Store
	read chan struct{} // an answer has been read
	give chan struct{} // it may be given
}

func (p paused) GetKey(ctx context.Context, h key.Hash) (key.Key, bool, error) {
	k, found, err := p.Store.GetKey(ctx, h)
	p.read <- struct{}{}
	<-p.give
	return k, found, err
}

// TestLateAnswer revokes a key while the store's answer about it is on its way:
// the old answer does not bring it back.
func TestLateAnswer(t *testing.T) {
	r := newRig(t, key.File{})
	secret, k := r.put(key.Key{Name: "ada"})
	slow := paused{r.store, make(chan struct{}), make(chan struct{})}
	r.ring = key.NewRing(slow, key.File{Local: &key.Key{}}, r.clock.Now, slog.New(slog.DiscardHandler))
	answered := make(chan error)
	go func() {
		_, err := r.ring.Lookup(context.Background(), secret)
		answered <- err
	}()
	<-slow.read
	k.Revoked = r.clock.Now()
	r.putAgain(k)
	r.refresh()
	slow.give <- struct{}{}
	if err := <-answered; providers.AsError(err).Code != "key_revoked" {
		t.Errorf("let in by the old answer: %v", err)
	}
	r.refuses(secret, providers.Unauthenticated, "key_revoked")
}

// TestMayUse matches names with the patterns of a key, or of the defaults that
// hold at that moment.
func TestMayUse(t *testing.T) {
	r := newRig(t, key.File{})
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"auto", "auto", true},
		{"auto", "auto2", false},
		{"auto", "Auto", false},
		{"claude-*", "claude-sonnet-5", true},
		{"claude-*", "claude-", true},
		{"claude-*", "claude", false},
		{"*-mini", "gpt-5-mini", true},
		{"*-mini", "gpt-5-mini-high", false},
		{"gpt-*-mini", "gpt-5-mini", true},
		{"gpt-*-mini", "gpt-mini", false}, // the * does not overlap what stands around it
		{"aa*aa", "aaa", false},
		{"*", "", true},
		{"*", "openai/o1", true},
		{"openai/*", "o1", false},
	} {
		if got := r.ring.MayUse(&key.Key{MayUse: []string{"none", c.pattern}}, c.name); got != c.want {
			t.Errorf("%s may send %q: %v", c.pattern, c.name, got)
		}
	}
	plain, own := &key.Key{}, &key.Key{MayUse: []string{"auto"}}
	if !r.ring.MayUse(plain, "anything") {
		t.Error("without a word every name may be sent")
	}
	r.ring.Load(key.File{Local: &key.Key{}, Defaults: key.Defaults{MayUse: []string{"gpt-*"}}})
	if r.ring.MayUse(plain, "anything") || !r.ring.MayUse(plain, "gpt-5") || !slices.Equal(r.ring.Allowed(plain), []string{"gpt-*"}) {
		t.Error("the defaults are not read at use")
	}
	if r.ring.MayUse(own, "gpt-5") || !r.ring.MayUse(own, "auto") {
		t.Error("the defaults are added to what the key says")
	}
}

// TestConcurrent looks keys up while everything changes.
func TestConcurrent(t *testing.T) {
	r := newRig(t, key.File{})
	known, k := r.put(key.Key{Name: "known"})
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := r.ring.Lookup(context.Background(), known); err != nil {
					t.Error(err)
					return
				}
				_, _ = r.ring.Lookup(context.Background(), key.Prefix+"wrong")
				r.ring.Count()
			}
		})
	}
	for i := range 50 {
		k.Team = fmt.Sprint(i)
		r.putAgain(k)
		var files sync.WaitGroup
		files.Go(func() { _ = r.ring.Refresh(context.Background()) })
		files.Go(func() { r.ring.Load(key.File{Local: &key.Key{Name: fmt.Sprint(i)}}) })
		r.refresh()
		if got := r.finds(known, "known").Team; got != k.Team {
			t.Errorf("team %s after a refresh, want %s", got, k.Team)
		}
		files.Wait()
	}
	close(stop)
	busy.Wait()
}

// machine is what a ring is held against: what the store has, what the file
// pins, and what the ring must have learned.
type machine struct {
	*rig
	secrets   []string
	store     map[string]key.Key
	pinned    map[string]bool
	known     map[string]key.Key
	strangers map[string]time.Time
}

// TestMachine takes any order of puts, revocations, outages, reloads, refreshes
// and waiting.
func TestMachine(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "keys.db"))
	rapid.Check(t, func(rt *rapid.T) {
		r := &rig{t: t, store: &outage{Store: s}, clock: newClock()}
		r.ring = key.NewRing(r.store, key.File{Local: &key.Key{}}, r.clock.Now, slog.New(slog.DiscardHandler))
		m := &machine{rig: r, store: map[string]key.Key{}, pinned: map[string]bool{}, known: map[string]key.Key{}, strangers: map[string]time.Time{}}
		for range 4 {
			secret, _ := key.New()
			m.secrets = append(m.secrets, secret)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": m.put, "revoke": m.revoke, "refresh": m.refresh, "outage": m.outage, "reload": m.reload, "wait": m.wait, "lookup": m.lookup,
		})
	})
}

func (m *machine) secret(t *rapid.T) string { return rapid.SampledFrom(m.secrets).Draw(t, "secret") }

func (m *machine) put(t *rapid.T) {
	secret := m.secret(t)
	if _, made := m.store[secret]; made {
		return
	}
	k := key.Key{Hash: key.HashOf(secret), Name: "stored", Source: key.FromStore}
	if hours := rapid.IntRange(0, 3).Draw(t, "hours"); hours > 0 {
		k.Expires = m.clock.Now().Add(time.Duration(hours) * time.Hour)
	}
	m.putAgain(k)
	m.store[secret] = k
}

func (m *machine) revoke(t *rapid.T) {
	secret := m.secret(t)
	k, made := m.store[secret]
	if !made {
		return
	}
	k.Revoked = m.clock.Now()
	m.putAgain(k)
	m.store[secret] = k
}

func (m *machine) refresh(t *rapid.T) {
	down := m.rig.store.down.Load()
	if err := m.ring.Refresh(context.Background()); (err != nil) != down {
		t.Fatalf("refreshed: %v, while the store is away: %v", err, down)
	}
	if !down {
		m.known = maps.Clone(m.store)
	}
}

func (m *machine) outage(t *rapid.T) { m.rig.store.down.Store(rapid.Bool().Draw(t, "down")) }

func (m *machine) reload(t *rapid.T) {
	file := key.File{Local: &key.Key{}}
	clear(m.pinned)
	for _, secret := range rapid.SliceOfNDistinct(rapid.SampledFrom(m.secrets), 0, 2, rapid.ID).Draw(t, "pinned") {
		m.pinned[secret] = true
		file.Keys = append(file.Keys, &key.Key{Hash: key.HashOf(secret), Name: "pinned", Source: key.FromFile})
	}
	m.ring.Load(file)
}

func (m *machine) wait(t *rapid.T) {
	m.clock.Advance(rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, time.Hour}).Draw(t, "wait"))
}

func (m *machine) lookup(t *rapid.T) {
	secret := m.secret(t)
	want := m.expect(secret)
	k, err := m.ring.Lookup(context.Background(), secret)
	got := ""
	if err != nil {
		got = providers.AsError(err).Code
	} else {
		got = k.Name
	}
	if got != want {
		t.Fatalf("%s, want %s", got, want)
	}
}

// expect says what a lookup must answer, and learns what the ring learns by it.
func (m *machine) expect(secret string) string {
	if m.pinned[secret] {
		return "pinned"
	}
	now := m.clock.Now()
	k, known := m.known[secret]
	if !known {
		seen, stranger := m.strangers[secret]
		stored, made := m.store[secret]
		switch {
		case stranger && now.Sub(seen) < 5*time.Second:
			return "invalid_api_key"
		case m.rig.store.down.Load():
			return "store_unavailable"
		case !made:
			m.strangers[secret] = now
			return "invalid_api_key"
		}
		m.known[secret], k = stored, stored
	}
	switch {
	case !k.Revoked.IsZero():
		return "key_revoked"
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return "key_expired"
	}
	return "stored"
}

func BenchmarkLookup(b *testing.B) {
	r := newRig(b, key.File{})
	secret, _ := r.put(key.Key{Name: "ada"})
	r.finds(secret, "ada")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.ring.Lookup(b.Context(), secret); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMayUse(b *testing.B) {
	r := newRig(b, key.File{})
	k := &key.Key{MayUse: []string{"auto", "gpt-*", "claude-*"}}
	b.ReportAllocs()
	for b.Loop() {
		if !r.ring.MayUse(k, "claude-sonnet-5") {
			b.Fatal("may not")
		}
	}
}
