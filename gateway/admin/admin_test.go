package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"farthing/gateway/admin"
	"farthing/gateway/record"
	"farthing/policies/budget"
	"farthing/policies/key"
	"farthing/policies/ledger"
	"farthing/policies/match"
	"farthing/policies/store"
	"farthing/policies/store/sqlite"
	"farthing/providers"
	"farthing/providers/catalog"
)

const adminKey = "the admin key"

var (
	now  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ours = key.HashOf("a secret of the file")
)

// rig is a service over a real store, behind its handler.
type rig struct {
	*admin.Service
	t        *testing.T
	handler  http.Handler
	store    *sqlite.Store
	recorder *record.Recorder
	defaults key.Defaults
	unheard  atomic.Bool // the audit log does not answer
}

func newRig(t *testing.T) *rig {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "farthing.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	log := slog.New(slog.DiscardHandler)
	r := &rig{t: t, store: s}
	if r.recorder, err = record.NewRecorder(s, log); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return now }
	pinned := []key.Key{{Hash: ours, Name: "ci", Owner: "ci", Source: key.FromFile}, {Name: key.LocalName, Owner: "ada", Source: key.FromFile}}
	file := key.File{Keys: []*key.Key{&pinned[0]}, Local: &pinned[1]}
	tree := r.tree()
	books := ledger.New(s, ledger.Options{Zone: tree.Zone()})
	t.Cleanup(func() { _ = books.Close(context.Background()) })
	book, problems := catalog.Embedded().With([]catalog.RowConfig{row("corp/big", "", "1.25"), row("corp/big", "2099-01-01", "2.5"), row("corp/gone", "", "1")})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r.Service = &admin.Service{
		Keys: s, Ring: key.NewRing(s, file, clock, log), Ledger: books, Receipts: r.recorder, Now: clock,
		Defaults: func() key.Defaults { return r.defaults },
		Pinned:   func() []key.Key { return slices.Clone(pinned) },
		Tree:     func() *budget.Tree { return tree },
		Book:     func() *catalog.Book { return book },
		Targets: func() []admin.TargetStatus {
			return []admin.TargetStatus{{Name: "openai/o1", State: "up"}, {Name: "h200/r1", SelfHosted: true, State: "down", Why: "refused"}}
		},
		Audit: func(ctx context.Context, line []byte) error {
			if r.unheard.Load() {
				return store.ErrDown
			}
			return s.AppendAudit(ctx, line)
		},
	}
	r.handler = admin.Handler(r.Service, adminKey)
	return r
}

func row(target, from, input string) catalog.RowConfig {
	var p providers.Price
	if err := p.UnmarshalText([]byte(input)); err != nil {
		panic(err)
	}
	c := catalog.RowConfig{Target: target, From: from, Source: "the contract"}
	c.Input, c.Output = &p, &p
	if target == "corp/gone" {
		c.To = "2026-01-01"
	}
	return c
}

func (r *rig) tree() *budget.Tree {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		r.t.Fatal(err)
	}
	tree, problems := budget.Compile(map[string]budget.Config{
		"company": {Limit: []budget.Limit{{Amount: 100 * providers.Dollar, Window: budget.Month}}},
		"people":  {Inside: "company", Each: "user", Limit: []budget.Limit{{Amount: providers.Dollar, Window: budget.Total}}, Mode: "warn"},
	}, berlin)
	if len(problems) > 0 {
		r.t.Fatal(problems)
	}
	return tree
}

// call sends an operation with the admin key.
func (r *rig) call(method, path, body string) *httptest.ResponseRecorder {
	r.t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+adminKey)
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, request)
	if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		r.t.Errorf("%s %s: %v", method, path, w.Header())
	}
	return w
}

// done wants success and reads the answer.
func done[T any](r *rig, method, path, body string) (v T) {
	r.t.Helper()
	w := r.call(method, path, body)
	if w.Code != http.StatusOK {
		r.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return v
}

// refused wants a refusal whose words contain part, about the field param.
func (r *rig) refused(method, path, body string, status int, part, param string) {
	r.t.Helper()
	w := r.call(method, path, body)
	var said struct{ Error, Param string }
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
		r.t.Errorf("%s %s: %v: %s", method, path, err, w.Body)
	}
	if w.Code != status || !strings.Contains(said.Error, part) || said.Param != param {
		r.t.Errorf("%s %s %s: %d %s, want %d …%s… about %q", method, path, body, w.Code, w.Body, status, part, param)
	}
}

// audited is the audit log, oldest line first.
func (r *rig) audited() []admin.Audited {
	r.t.Helper()
	lines, err := r.store.Audit(context.Background(), 100)
	if err != nil {
		r.t.Fatal(err)
	}
	all := make([]admin.Audited, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal(line, &all[len(lines)-1-i]); err != nil {
			r.t.Fatalf("%s: %v", line, err)
		}
	}
	return all
}

// TestGuard lets nobody in without the admin key, whatever he asks for.
func TestGuard(t *testing.T) {
	r := newRig(t)
	keyless := admin.Handler(r.Service, "")
	for _, sent := range []string{"", "Bearer ", "Bearer wrong", "Bearer " + adminKey + " ", "Bearer " + adminKey[1:], "Basic " + adminKey, adminKey[:5]} {
		for _, operation := range [][2]string{{"GET", "/admin/v1/keys"}, {"POST", "/admin/v1/keys"}, {"GET", "/admin/v1/receipts"}, {"GET", "/nothing"}} {
			for _, h := range []http.Handler{r.handler, keyless} {
				request := httptest.NewRequest(operation[0], operation[1], strings.NewReader(`{"owner":"eve"}`))
				request.Header.Set("Authorization", sent)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, request)
				if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "the admin key is needed") {
					t.Errorf("%q: %v: %d %s", sent, operation, w.Code, w.Body)
				}
			}
		}
	}
	if keys, err := r.store.ListKeys(t.Context()); err != nil || len(keys) > 0 {
		t.Errorf("%v, %v", keys, err)
	}
}

// TestKeys makes a key that works at once and is shown once, lists it, and
// revokes it at once.
func TestKeys(t *testing.T) {
	r := newRig(t)
	made := done[admin.MadeKey](r, "POST", "/admin/v1/keys",
		`{"name":"ada-laptop","owner":"ada","team":"search","tags":{"app":"x"},"may_use":["auto","claude-*"],"expires":"90d","trust_user_header":true}`)
	want := key.Key{
		Hash: key.HashOf(made.Secret), Name: "ada-laptop", Owner: "ada", Team: "search", Tags: map[string]string{"app": "x"}, MayUse: []string{"auto", "claude-*"},
		Source: key.FromStore, Created: now, Expires: now.Add(90 * 24 * time.Hour), TrustUserHeader: true,
	}
	if diff := cmp.Diff(admin.KeyView{Key: want, State: "active"}, made.Key); diff != "" || !strings.HasPrefix(made.Secret, key.Prefix) {
		t.Errorf("%s\n%s", made.Secret, diff)
	}
	if k, err := r.Ring.Lookup(t.Context(), made.Secret); err != nil || k.Name != "ada-laptop" {
		t.Errorf("%v, %v", k, err)
	}
	list := r.call("GET", "/admin/v1/keys", "").Body.String()
	if strings.Contains(list, made.Secret) || strings.Contains(list, made.Secret[len(key.Prefix):]) {
		t.Error("the secret is shown again")
	}
	if got := states(r); got != "ada-laptop active, ci active, local active" {
		t.Error(got)
	}
	revoked := done[admin.KeyView](r, "DELETE", "/admin/v1/keys/ada-laptop", "")
	if revoked.State != "revoked" || !revoked.Revoked.Equal(now) || revoked.Owner != "ada" {
		t.Errorf("%+v", revoked)
	}
	if _, err := r.Ring.Lookup(t.Context(), made.Secret); providers.AsError(err).Code != "key_revoked" {
		t.Errorf("%v", err)
	}
	if got := states(r); got != "ada-laptop revoked, ci active, local active" {
		t.Error(got)
	}
	log := []admin.Audited{{Time: now, Action: "keys create", What: "ada-laptop"}, {Time: now, Action: "keys revoke", What: "ada-laptop"}}
	if diff := cmp.Diff(log, r.audited()); diff != "" {
		t.Error(diff)
	}
}

// states lists the keys by name with what has become of each.
func states(r *rig) string {
	r.t.Helper()
	var all []string
	for _, k := range done[[]admin.KeyView](r, "GET", "/admin/v1/keys", "") {
		all = append(all, k.Name+" "+k.State)
	}
	return strings.Join(all, ", ")
}

// TestExpires reads every way to write an expiry, and the file's default.
func TestExpires(t *testing.T) {
	r := newRig(t)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		written string
		byFile  time.Duration
		want    time.Time
	}{
		{"never", 90 * 24 * time.Hour, time.Time{}},
		{"", 0, time.Time{}},
		{"", 90 * 24 * time.Hour, now.Add(90 * 24 * time.Hour)},
		{"36h", 90 * 24 * time.Hour, now.Add(36 * time.Hour)},
		{"2026-12-24", 0, time.Date(2026, 12, 24, 0, 0, 0, 0, berlin)}, // a day of the file's zone
	} {
		r.defaults = key.Defaults{Expires: providers.Duration(c.byFile)}
		made := done[admin.MadeKey](r, "POST", "/admin/v1/keys", fmt.Sprintf(`{"owner":"o%d","expires":%q}`, i, c.written))
		if !made.Key.Expires.Equal(c.want) {
			t.Errorf("%q with %v: %v, want %v", c.written, c.byFile, made.Key.Expires, c.want)
		}
	}
	for _, wrong := range []string{"2026-11-23", "2020-01-01", "tomorrow", "0", "0d", "-5d", "5 days", "2026-13-01", " "} {
		r.refused("POST", "/admin/v1/keys", fmt.Sprintf(`{"owner":"ada","expires":%q}`, wrong), 400, "give a date to come such as 2027-02-23", "expires")
	}
}

// TestExpired shows a key that has outlived itself as such, whose name is taken
// until it is revoked.
func TestExpired(t *testing.T) {
	r := newRig(t)
	done[admin.MadeKey](r, "POST", "/admin/v1/keys", `{"name":"short","owner":"ada","expires":"1h"}`)
	later := now.Add(time.Hour)
	r.Now = func() time.Time { return later }
	if got := states(r); got != "ci active, local active, short expired" {
		t.Error(got)
	}
	r.refused("POST", "/admin/v1/keys", `{"name":"short","owner":"ada"}`, 400, "there is a key named short already", "name")
	done[admin.KeyView](r, "DELETE", "/admin/v1/keys/short", "")
	done[admin.MadeKey](r, "POST", "/admin/v1/keys", `{"name":"short","owner":"ada"}`)
	if got := states(r); got != "ci active, local active, short active, short revoked" && got != "ci active, local active, short revoked, short active" {
		t.Error(got)
	}
}

// TestCreateRefused makes nothing of what is wrong, and says what.
func TestCreateRefused(t *testing.T) {
	r := newRig(t)
	done[admin.MadeKey](r, "POST", "/admin/v1/keys", `{"name":"taken","owner":"ada"}`)
	for _, c := range []struct{ body, part, param string }{
		{`{}`, "a key belongs to an owner", "owner"},
		{`{"name":"taken","owner":"bob"}`, "there is a key named taken already", "name"},
		{`{"name":"ci","owner":"bob"}`, "there is a key named ci already", "name"}, // of the file
		{`{"name":"local","owner":"bob"}`, "there is a key named local already", "name"},
		{`{"owner":"bob","may_use":["auto","a*b*c"]}`, `"a*b*c" is no name`, "may_use[1]"},
		{`{"owner":"bob","may-use":["auto"]}`, `unknown field "may-use"`, ""},
		{`{"owner":"bob","key":"fk-mine"}`, `unknown field "key"`, ""},
		{`{"owner":5}`, "not what this operation takes", ""},
		{`["bob"]`, "not what this operation takes", ""},
		{`{"owner":"bob"} {"owner":"eve"}`, "something follows it", ""},
		{`{"owner":"bob"}}`, "something follows it", ""},
		{`{"owner":"bob"`, "not what this operation takes", ""},
		{``, "not what this operation takes", ""},
	} {
		r.refused("POST", "/admin/v1/keys", c.body, 400, c.part, c.param)
	}
	if got := states(r); got != "ci active, local active, taken active" {
		t.Error(got)
	}
}

// TestName makes a name from the owner where none is given, and writes odd names
// to the audit log as JSON.
func TestName(t *testing.T) {
	r := newRig(t)
	made := done[admin.MadeKey](r, "POST", "/admin/v1/keys", `{"owner":"ada@example.com"}`)
	if want := "ada@example.com-" + made.Key.Hash.String()[:8]; made.Key.Name != want {
		t.Errorf("%s, want %s", made.Key.Name, want)
	}
	odd := "a\x01b\"é\u2028/x y"
	body, err := json.Marshal(admin.NewKey{Name: odd, Owner: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	done[admin.MadeKey](r, "POST", "/admin/v1/keys", string(body))
	done[admin.KeyView](r, "DELETE", "/admin/v1/keys/a%01b%22%C3%A9%E2%80%A8%2Fx%20y", "")
	if log := r.audited(); len(log) != 3 || log[1].What != odd || log[2].What != odd {
		t.Errorf("%q", log)
	}
}

// TestRevokeRefused revokes nothing that is not meant, or not the service's to
// revoke.
func TestRevokeRefused(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"ci", "local", ours.String()[:8], ours.String()} {
		r.refused("DELETE", "/admin/v1/keys/"+name, "", 400, "is pinned by the file: take it out there", "")
	}
	first := done[admin.MadeKey](r, "POST", "/admin/v1/keys", `{"name":"twin","owner":"ada"}`)
	second := key.Key{Hash: key.HashOf("another"), Name: "twin", Owner: "bob", Source: key.FromStore}
	if err := r.store.PutKey(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	r.refused("DELETE", "/admin/v1/keys/twin", "", 400, "means more than one key", "")
	digits := first.Key.Hash.String()
	r.refused("DELETE", "/admin/v1/keys/"+digits[:7], "", 404, "there is no key named", "")
	if k := done[admin.KeyView](r, "DELETE", "/admin/v1/keys/"+digits[:8], ""); k.Hash != first.Key.Hash {
		t.Errorf("%+v", k)
	}
	r.refused("DELETE", "/admin/v1/keys/"+digits[:8], "", 404, "to revoke", "") // twice
	r.refused("DELETE", "/admin/v1/keys/nobody", "", 404, "there is no key named nobody to revoke", "")
	r.refused("DELETE", "/admin/v1/keys/", "", 404, "there is no key", "")
	if got := states(r); got != "ci active, local active, twin active, twin revoked" && got != "ci active, local active, twin revoked, twin active" {
		t.Error(got)
	}
}

// TestUnaudited changes nothing of which the audit log could not be told.
func TestUnaudited(t *testing.T) {
	r := newRig(t)
	done[admin.MadeKey](r, "POST", "/admin/v1/keys", `{"name":"kept","owner":"ada"}`)
	r.unheard.Store(true)
	r.refused("POST", "/admin/v1/keys", `{"name":"made","owner":"ada"}`, 503, "the store cannot be reached", "")
	r.refused("DELETE", "/admin/v1/keys/kept", "", 503, "the store cannot be reached", "")
	if got := states(r); got != "ci active, kept active, local active" {
		t.Error(got)
	}
}

// TestBudgets shows the nodes of the tree that were charged, and those without
// `each` always.
func TestBudgets(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := r.Ledger.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	got := done[[]admin.BudgetView](r, "GET", "/admin/v1/budgets", "")
	if len(got) != 1 || got[0].Name != "company" || got[0].Spent != 0 || got[0].Left != 100*providers.Dollar {
		t.Errorf("%+v", got)
	}
	nodes := r.Tree().Path(&match.Vars{User: "ada"})
	offer := ledger.Offer{Target: "openai/o1", Nodes: nodes, Fixed: providers.Pico(3 * int64(providers.Dollar) * 1000), MaxOutput: 1, MinOutput: 1}
	spend := func() *ledger.Hold {
		h, refusal := r.Ledger.Hold(ctx, time.Now(), []ledger.Offer{offer})
		if refusal != nil {
			t.Fatalf("%+v", refusal)
		}
		return h
	}
	r.Ledger.Settle(spend(), ledger.Cost{Amount: 2 * providers.Dollar, Source: providers.UsageProvider})
	open := spend()
	defer r.Ledger.Settle(open, ledger.Cost{})
	for got = nil; len(got) != 2 || got[0].Spent != 2*providers.Dollar; {
		if ctx.Err() != nil {
			t.Fatalf("%+v", got)
		}
		got = done[[]admin.BudgetView](r, "GET", "/admin/v1/budgets", "")
	}
	month := time.Now().In(r.Tree().Zone())
	resets := time.Date(month.Year(), month.Month()+1, 1, 0, 0, 0, 0, month.Location())
	want := []admin.BudgetView{
		{Name: "company", Per: "month", Window: month.Format("2006-01"), Limit: 100 * providers.Dollar, Spent: 2 * providers.Dollar, Held: 3 * providers.Dollar, Left: 95 * providers.Dollar, Mode: "enforce"},
		{Name: "people/ada", Per: "total", Window: "total", Limit: providers.Dollar, Spent: 2 * providers.Dollar, Held: 3 * providers.Dollar, Over: 4 * providers.Dollar, Mode: "warn"},
	}
	if at, err := time.Parse(time.RFC3339, got[0].Resets); err != nil || !at.Equal(resets) {
		t.Errorf("resets %s, want %v", got[0].Resets, resets)
	}
	got[0].Resets = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text := r.call("GET", "/admin/v1/budgets", "").Body.String()
	if !strings.Contains(text, `"spent_usd":"2"`) {
		t.Errorf("money is not written in decimals: %s", text)
	}
}

// TestPrices lists present prices, the file's own first, and a target's whole
// history.
func TestPrices(t *testing.T) {
	r := newRig(t)
	own := done[[]admin.PriceView](r, "GET", "/admin/v1/prices?match=corp/", "")
	if len(own) != 1 || own[0].Target != "corp/big" || own[0].Input.String() != "1.25" || !own[0].Own || own[0].Source != "the contract" {
		t.Errorf("%+v", own) // what is to come and what has ended is left out
	}
	all := done[[]admin.PriceView](r, "GET", "/admin/v1/prices", "")
	if len(all) < 100 || !all[0].Own || !slices.IsSortedFunc(all[1:], func(a, b admin.PriceView) int { return strings.Compare(a.Target, b.Target) }) {
		t.Errorf("%d prices, %+v", len(all), all[0])
	}
	o1 := done[[]admin.PriceView](r, "GET", "/admin/v1/prices?match=openai/o1", "")
	if i := slices.IndexFunc(o1, func(p admin.PriceView) bool { return p.Target == "openai/o1" }); i < 0 || o1[i].Input.String() != "15" || o1[i].Output.String() != "60" {
		t.Errorf("%+v", o1)
	}
	if none := r.call("GET", "/admin/v1/prices?match=nothing-like-it", "").Body.String(); none != "[]\n" {
		t.Error(none)
	}
	big := done[admin.PriceHistory](r, "GET", "/admin/v1/prices/corp/big", "")
	if len(big.Own) != 2 || big.Own[1].From != "2099-01-01" || big.Book == "" {
		t.Errorf("%+v", big)
	}
	if h := done[admin.PriceHistory](r, "GET", "/admin/v1/prices/openai%2Fo1", ""); len(h.Rows) == 0 || len(h.Own) != 0 || h.Target != "openai/o1" {
		t.Errorf("%+v", h)
	}
	for _, unknown := range []string{"openai/no-such-model", "o1", "nobody/o1"} {
		r.refused("GET", "/admin/v1/prices/"+unknown, "", 404, "no price is known for "+unknown, "")
	}
}

// TestReceipts pages through receipts and finds one by its id.
func TestReceipts(t *testing.T) {
	r := newRig(t)
	const many = 205
	for i := range many {
		r.recorder.Keep(&record.Receipt{ID: fmt.Sprintf("r%03d", i), Time: now.Add(time.Duration(i) * time.Second), Outcome: "ok", Cost: 312_000})
	}
	if rc := done[record.Receipt](r, "GET", "/admin/v1/receipts/r007", ""); rc.ID != "r007" || rc.Cost != 312_000 { // before it is stored
		t.Errorf("%+v", rc)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.recorder.Run(ctx) // stores what waits, and ends
	for query, want := range map[string][2]string{
		"":                        {"r204", "r005"},
		"?limit=1000":             {"r204", "r005"},
		"?limit=3":                {"r204", "r202"},
		"?limit=3&before=r202":    {"r201", "r199"},
		"?before=r004":            {"r003", "r000"},
		"?before=r001&limit=5000": {"r000", "r000"},
	} {
		page := done[[]record.Receipt](r, "GET", "/admin/v1/receipts"+query, "")
		if len(page) == 0 || page[0].ID != want[0] || page[len(page)-1].ID != want[1] {
			t.Errorf("%q: %d receipts, want %v", query, len(page), want)
		}
	}
	if end := r.call("GET", "/admin/v1/receipts?before=r000", "").Body.String(); end != "[]\n" {
		t.Errorf("%s", end)
	}
	for _, wrong := range []string{"0", "-1", "many", "1.5"} {
		r.refused("GET", "/admin/v1/receipts?limit="+wrong, "", 400, "give a whole number from 1 to 200", "limit")
	}
	if rc := done[record.Receipt](r, "GET", "/admin/v1/receipts/r007", ""); rc.ID != "r007" || rc.Cost != 312_000 {
		t.Errorf("%+v", rc)
	}
	r.refused("GET", "/admin/v1/receipts/none", "", 404, "there is no receipt with this id", "")
	if err := r.store.AppendReceipts(t.Context(), []store.StoredReceipt{{ID: "damaged", At: now, Body: []byte("noise")}}); err != nil {
		t.Fatal(err)
	}
	r.refused("GET", "/admin/v1/receipts/damaged", "", 500, "what the store holds cannot be read", "")
}

// TestTargets shows what the gateway says of its targets.
func TestTargets(t *testing.T) {
	r := newRig(t)
	if got := done[[]admin.TargetStatus](r, "GET", "/admin/v1/targets", ""); !cmp.Equal(got, r.Targets()) {
		t.Errorf("%+v", got)
	}
}

// TestUnknown answers what there is not with the words that were asked.
func TestUnknown(t *testing.T) {
	r := newRig(t)
	for _, operation := range [][2]string{{"GET", "/admin/v1/nothing"}, {"PUT", "/admin/v1/keys"}, {"POST", "/admin/v1/receipts/r1"}, {"GET", "/"}} {
		r.refused(operation[0], operation[1], "", 404, "no such operation: "+operation[0]+" "+operation[1], "")
	}
}

// TestStoreAway answers 503 where the store is needed, and tells nothing of why.
func TestStoreAway(t *testing.T) {
	r := newRig(t)
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, operation := range [][3]string{
		{"GET", "/admin/v1/keys", ""},
		{"POST", "/admin/v1/keys", `{"owner":"ada"}`},
		{"DELETE", "/admin/v1/keys/ada", ""},
		{"GET", "/admin/v1/budgets", ""},
		{"GET", "/admin/v1/receipts", ""},
		{"GET", "/admin/v1/receipts/r1", ""},
	} {
		r.refused(operation[0], operation[1], operation[2], 503, "the store cannot be reached", "")
		if said := r.call(operation[0], operation[1], operation[2]).Body.String(); strings.Contains(said, "sql") {
			t.Error(said)
		}
	}
}

// TestUnreadable tells a store that holds what cannot be read from one that is
// away.
func TestUnreadable(t *testing.T) {
	r := newRig(t)
	r.Keys = unreadable{r.store}
	r.refused("GET", "/admin/v1/keys", "", 500, "what the store holds cannot be read", "")
	if said := r.call("GET", "/admin/v1/keys", "").Body.String(); strings.Contains(said, "cause") {
		t.Error(said)
	}
}

type unreadable struct{ key.Store }

func (unreadable) ListKeys(context.Context) ([]key.Key, error) { return nil, errors.New("the cause") }
