package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStopLetsAnswersEnd stops the gateway while answers are on their way: they
// end whole, and a gateway started anew on the same data knows what they cost.
func TestStopLetsAnswersEnd(t *testing.T) {
	begun, goOn := make(chan struct{}, 3), make(chan struct{})
	u := scripted(t, map[string]http.HandlerFunc{
		"unknown": func(w http.ResponseWriter, r *http.Request) {
			streams(role, paris)(w, r)
			begun <- struct{}{}
			<-goOn
			emit(w, stop, usageOnly, done)
		},
		"stops": func(w http.ResponseWriter, r *http.Request) {
			begun <- struct{}{}
			<-goOn
			well(w, r)
		},
	})
	file := leavingFile(u) + "data: " + filepath.Join(t.TempDir(), "kept") + "\nserver: {listen: \"127.0.0.1:0\", admin: {key: fa-test}}\n"
	g := serve(t, file)
	answers := make(chan reply, 2)
	for _, body := range []string{ask("unknown", stream), ask("stops", "")} {
		go func() { answers <- g.post(t, body) }()
	}
	left := g.leaves(t, ask("unknown", stream+`,"user":"left"`))
	for range 3 {
		<-begun
	}
	<-left.first
	left.cancel()
	<-left.gone
	stopped := make(chan error, 1)
	go func() { stopped <- g.close() }()
	g.logs(t, "stopping")
	select {
	case err := <-stopped:
		t.Fatalf("stopped with answers on their way: %v\n%s", err, g.Log)
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	var ids []string
	for range 2 {
		r := <-answers
		ids = append(ids, r.Header.Get("X-Farthing-Id"))
		if strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream") {
			if events := dataOf(r.Body); len(events) != 5 || events[4] != done || closed(t, r.Body).Cost.String() != "0.00004" {
				t.Errorf("the stream did not end whole: %s", r.Body)
			}
		} else if r.Status != 200 || r.Body != completion(","+someUsage) {
			t.Errorf("the answer did not end whole: %d %s", r.Status, r.Body)
		}
	}
	if err := <-stopped; err != nil {
		t.Errorf("it did not stop well: %v\n%s", err, g.Log)
	}

	again := serve(t, file)
	again.AdminKey = "fa-test"
	for _, id := range ids {
		if rc := again.receipt(t, id); rc.Cost.String() != "0.00004" || rc.Outcome != "ok" {
			t.Errorf("receipt %+v", rc)
		}
	}
	// The third is the answer that was read to its end for a client that had left.
	if b := again.balanced(t)["all"]; b.Spent.String() != "0.00012" || len(again.receipts(t)) != 3 {
		t.Errorf("spent %s with %d receipts, want 0.00012 with 3", b.Spent, len(again.receipts(t)))
	}
}
