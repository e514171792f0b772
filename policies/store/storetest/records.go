package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"farthing/policies/key"
	"farthing/policies/store"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func keys(t *testing.T, s Store) {
	ctx := t.Context()
	_, hash := key.New()
	if _, found, err := s.GetKey(ctx, hash); found || err != nil {
		t.Fatalf("a key that is not there: %v, %v", found, err)
	}
	ada := key.Key{
		Hash: hash, Name: "ada", Owner: "ada", Team: "search", Tags: map[string]string{"app": "ci"},
		MayUse: []string{"auto"}, Source: key.FromStore, Created: time.Now().UTC(), RequestsPerMinute: 7,
	}
	_, other := key.New()
	bob := key.Key{Hash: other, Name: "bob", Source: key.FromStore}
	for _, k := range []key.Key{ada, bob} {
		if err := s.PutKey(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	got, found, err := s.GetKey(ctx, hash)
	if d := cmp.Diff(ada, got); !found || err != nil || d != "" {
		t.Fatalf("ada: %v, %v\n%s", found, err, d)
	}
	changed, version, err := s.ChangedKeys(ctx, 0)
	if err != nil || len(changed) != 2 {
		t.Fatalf("all changes: %v, %v", changed, err)
	}
	bob.Revoked = time.Now().UTC()
	if err := s.PutKey(ctx, bob); err != nil {
		t.Fatal(err)
	}
	changed, last, err := s.ChangedKeys(ctx, version)
	if d := cmp.Diff([]key.Key{bob}, changed); err != nil || d != "" || last <= version {
		t.Fatalf("changes since %d up to %d: %v\n%s", version, last, err, d)
	}
	if changed, same, err := s.ChangedKeys(ctx, last); len(changed) != 0 || same != last || err != nil {
		t.Fatalf("nothing has changed: %v, %d, %v", changed, same, err)
	}
	list, err := s.ListKeys(ctx)
	byName := cmpopts.SortSlices(func(a, b key.Key) bool { return a.Name < b.Name })
	if d := cmp.Diff([]key.Key{ada, bob}, list, byName); err != nil || d != "" {
		t.Fatalf("all keys: %v\n%s", err, d)
	}
}

func receipts(t *testing.T, s Store) {
	ctx := t.Context()
	base := time.Now().UTC().Truncate(time.Microsecond)
	var all []store.StoredReceipt
	for i := range 25 {
		r := store.StoredReceipt{
			ID: fmt.Sprintf("r%02d", i), Key: "k", Owner: "ada|{bob}", At: base.Add(time.Duration(i/2) * time.Second),
			Body: []byte(strings.Repeat("\x00\xffbody", i)),
		}
		all = append(all, r)
	}
	if err := s.AppendReceipts(ctx, all[:10]); err != nil {
		t.Fatal(err)
	}
	if err := s.AppendReceipts(ctx, all[9:]); err != nil { // one of them again
		t.Fatal(err)
	}
	got, found, err := s.Receipt(ctx, "r07")
	if d := cmp.Diff(all[7], got, cmpopts.EquateEmpty()); !found || err != nil || d != "" {
		t.Fatalf("r07: %v, %v\n%s", found, err, d)
	}
	if _, found, err := s.Receipt(ctx, "none"); found || err != nil {
		t.Fatalf("a receipt that is not there: %v, %v", found, err)
	}
	var pages []store.StoredReceipt
	for before := ""; ; before = pages[len(pages)-1].ID {
		page, err := s.Receipts(ctx, before, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		pages = append(pages, page...)
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	if d := cmp.Diff(all, pages, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("by pages, newest first:\n%s", d)
	}
	if page, err := s.Receipts(ctx, "none", 7); len(page) != 0 || err != nil {
		t.Fatalf("after a receipt that is not there: %v, %v", page, err)
	}
	if err := s.AppendReceipts(ctx, nil); err != nil {
		t.Fatal(err)
	}
}

func documents(t *testing.T, s Store) {
	ctx := t.Context()
	if err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if line, _, err := s.Describe(ctx); err != nil || line == "" {
		t.Fatalf("described as %q, %v", line, err)
	}
	if _, found, err := s.Document(ctx, "prices"); found || err != nil {
		t.Fatalf("a document that is not there: %v, %v", found, err)
	}
	for _, body := range []string{"one", "two", ""} {
		if err := s.PutDocument(ctx, "prices", []byte(body)); err != nil {
			t.Fatal(err)
		}
		if got, found, err := s.Document(ctx, "prices"); string(got) != body || !found || err != nil {
			t.Fatalf("put %q, got %q, %v, %v", body, got, found, err)
		}
	}
	for i := range 5 {
		if err := s.AppendAudit(ctx, fmt.Appendf(nil, "line %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := s.Audit(ctx, 2)
	if d := cmp.Diff([][]byte{[]byte("line 4"), []byte("line 3")}, lines); err != nil || d != "" {
		t.Fatalf("audit: %v\n%s", err, d)
	}
}
