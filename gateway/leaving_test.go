package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"farthing/gateway/admin"
	"farthing/providers"
)

// within is how soon the gateway must notice that a client has left. A machine
// that is busy with other tests may once in a while add slack.
const (
	within = 100 * time.Millisecond
	slack  = 900 * time.Millisecond
)

// leaver is a client that goes away in the middle of its request.
type leaver struct {
	cancel context.CancelFunc
	first  chan string // what it has read up to the first token; closed without an answer
	gone   chan struct{}
}

// leaves sends a request that is to be given up.
func (g *gateway) leaves(t *testing.T, body string) *leaver {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	l := &leaver{cancel: cancel, first: make(chan string, 1), gone: make(chan struct{})}
	go func() {
		defer close(l.gone)
		defer close(l.first)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return
		}
		defer response.Body.Close()
		buf, got := make([]byte, 64<<10), ""
		for err == nil && !strings.Contains(got, "Paris") {
			var n int
			n, err = response.Body.Read(buf)
			got += string(buf[:n])
		}
		l.first <- got
		_, _ = io.Copy(io.Discard, response.Body)
	}()
	t.Cleanup(func() { cancel(); <-l.gone })
	return l
}

// lastReceipt waits until n requests have ended and gives the newest receipt.
func (g *gateway) lastReceipt(t *testing.T, n int) string {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for {
		if all := g.receipts(t); len(all) >= n {
			return all[0].ID
		}
		if time.Now().After(deadline) {
			t.Fatalf("no receipt of the client that left\n%s", g.Log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// watched answers by script, and tells when its call has begun and when it was
// broken off.
type watched struct {
	script         http.HandlerFunc
	begun, brokeAt chan time.Time
}

func newWatched(script http.HandlerFunc) *watched {
	return &watched{script: script, begun: make(chan time.Time, 1), brokeAt: make(chan time.Time, 1)}
}

func (s *watched) serve(w http.ResponseWriter, r *http.Request) {
	if s.script != nil {
		s.script(w, r)
	}
	s.begun <- time.Now()
	<-r.Context().Done()
	s.brokeAt <- time.Now()
}

// leavingFile has a self-hosted target, a paid one that stops billing when it
// is cut off, and one of which that is not known.
func leavingFile(u *upstream) string {
	return `
engines: {own: {type: vllm, url: "` + u.at("own") + `", models: {m: m-1}}}
providers:
  stops: {type: deepseek, url: "` + u.at("stops") + `", key: sk-test, models: {m: {context: 8192, max_output: 100}}}
  unknown: {type: openai-compatible, url: "` + u.at("unknown") + `", models: {m: {context: 8192, max_output: 100}}}
  spare: {type: openai-compatible, url: "` + u.at("spare") + `", models: {m: {context: 8192, max_output: 100}}}
models: {own: own/m, stops: stops/m, unknown: [unknown/m, spare/m]}
budgets: {all: {limit: $1000}}
prices: {rows: [{target: stops/m, input: 1, output: 10}, {target: unknown/m, input: 1, output: 10}, {target: spare/m, input: 1, output: 10}]}
`
}

// TestLeavingIsNoticed measures how long after its client an upstream call ends
// that need not be read to its end, and what it is settled at.
func TestLeavingIsNoticed(t *testing.T) {
	for _, c := range []struct {
		name, model, asks string
		script            http.HandlerFunc
		output            int64
	}{
		{"engine, streaming", "own", stream, streams(role, paris), 1},
		{"engine, waiting for a stream", "own", stream, nil, 0},
		{"engine, whole", "own", "", nil, 0},
		{"provider, streaming", "stops", stream, streams(role, paris), 1},
		{"provider, whole", "stops", "", nil, 0},
		{"provider, in the middle of a body", "stops", "", func(w http.ResponseWriter, r *http.Request) { says(200, `{"id":`)(w, r); emit(w) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newWatched(c.script)
			u := scripted(t, map[string]http.HandlerFunc{c.model: s.serve})
			g := serve(t, leavingFile(u))
			var delays []time.Duration
			for range 5 {
				l := g.leaves(t, ask(c.model, c.asks))
				<-s.begun
				if c.output > 0 && !strings.Contains(<-l.first, "Paris") {
					t.Fatal("the answer did not begin")
				}
				left := time.Now()
				l.cancel()
				select {
				case at := <-s.brokeAt:
					delays = append(delays, at.Sub(left))
				case <-time.After(5 * time.Second):
					t.Fatal("the upstream call goes on")
				}
			}
			slices.Sort(delays)
			t.Logf("noticed after %v", delays)
			if delays[len(delays)/2] > within || delays[len(delays)-1] > within+slack {
				t.Errorf("noticed after %v, want %v", delays, within)
			}
			rc := g.receipt(t, g.lastReceipt(t, 5))
			a := rc.Attempts[0]
			want := providers.Money(a.Usage.Input*1e3 + a.Usage.Output*10e3)
			if c.model == "own" {
				want = 0
			}
			if rc.Outcome != "canceled" || a.Outcome != "canceled" || a.UsageSource != "estimated" || a.Cost != want || a.Usage.Input != rc.Estimate.Input || a.Usage.Output != c.output {
				t.Errorf("receipt %+v, want cost %s", rc, want)
			}
			g.balanced(t)
		})
	}
}

// TestLeavingIsDrained proves that a target which may go on billing is read to
// its end after its client has left, and billed by what it reports; nobody else
// is tried.
func TestLeavingIsDrained(t *testing.T) {
	for _, c := range []struct {
		name, asks    string
		before, after func(w http.ResponseWriter, r *http.Request)
		outcome       string
		cost          string
	}{
		{"streaming", stream, streams(role, paris), func(w http.ResponseWriter, _ *http.Request) { emit(w, stop, usageOnly, done) }, "ok", "0.00004"},
		{"waiting for a stream", stream, nil, streams(role, paris, stop, usageOnly, done), "ok", "0.00004"},
		{"whole", "", nil, says(200, completion(","+someUsage)), "ok", "0.00004"},
		{"refused later", "", nil, says(500, `{}`), "upstream", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			begun, goOn, brokenOff := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
			u := scripted(t, map[string]http.HandlerFunc{"spare": well, "unknown": func(w http.ResponseWriter, r *http.Request) {
				if c.before != nil {
					c.before(w, r)
				}
				close(begun)
				<-goOn
				brokenOff <- r.Context().Err() != nil
				c.after(w, r)
			}})
			g := serve(t, leavingFile(u))
			l := g.leaves(t, ask("unknown", c.asks))
			<-begun
			if c.before != nil {
				<-l.first
			}
			l.cancel()
			<-l.gone
			quiet := time.After(2 * within) // the time in which it would have been noticed and broken off
			if b := g.budgets(t)["all"]; b.Held == 0 {
				t.Errorf("nothing is held while the answer is read on: %+v", b)
			}
			<-quiet
			close(goOn)
			if <-brokenOff {
				t.Error("the call was broken off")
			}
			rc := g.receipt(t, g.lastReceipt(t, 1))
			if a := rc.Attempts[0]; len(rc.Attempts) != 1 || rc.Cost.String() != c.cost || a.Outcome != c.outcome || c.cost != "0" && a.UsageSource != "provider" {
				t.Errorf("receipt %+v", rc)
			}
			if n := len(u.received("spare")); n != 0 {
				t.Errorf("another target was tried %d times for nobody", n)
			}
			if b := g.balanced(t)["all"]; b.Spent.String() != c.cost {
				t.Errorf("spent %s, want %s", b.Spent, c.cost)
			}
		})
	}
}

// TestLeavingUnread is a client that stops reading while more and more comes,
// and then goes: the gateway waits in a write, and must notice all the same.
func TestLeavingUnread(t *testing.T) {
	var sent atomic.Int64
	brokeAt := make(chan time.Time, 1)
	u := scripted(t, map[string]http.HandlerFunc{"own": func(w http.ResponseWriter, r *http.Request) {
		streams(role)(w, r)
		for piece := chunk(`{"content":"`+strings.Repeat("words ", 4096)+`"}`, "null"); r.Context().Err() == nil; {
			n, err := fmt.Fprintf(w, "data: %s\n\n", piece)
			if err != nil {
				break
			}
			sent.Add(int64(n))
		}
		brokeAt <- time.Now()
	}})
	g := serve(t, leavingFile(u))
	client, err := net.Dial("tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	body := ask("own", stream)
	fmt.Fprintf(client, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	for last := int64(-1); last != sent.Load() || last == 0; time.Sleep(50 * time.Millisecond) {
		last = sent.Load() // until every buffer on the way is full
	}
	left := time.Now()
	client.Close()
	select {
	case at := <-brokeAt:
		t.Logf("noticed after %v", at.Sub(left))
		if d := at.Sub(left); d > within+slack {
			t.Errorf("noticed after %v, want %v", d, within)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the upstream call goes on")
	}
	if rc := g.receipt(t, g.lastReceipt(t, 1)); rc.Outcome != "canceled" {
		t.Errorf("receipt %+v", rc)
	}
}

// TestLeavingTheQueue has clients wait for an engine's only place and go: they
// are never sent, and the place is there for the next one.
func TestLeavingTheQueue(t *testing.T) {
	s := newWatched(nil)
	u := scripted(t, map[string]http.HandlerFunc{"own": func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); strings.Contains(string(b), "last") {
			says(200, completion(""))(w, r)
			return
		}
		s.serve(w, r)
	}})
	g := serve(t, strings.Replace(leavingFile(u), "models: {m: m-1}}}", "max_concurrent: 1, models: {m: m-1}}}", 1))
	first := g.leaves(t, ask("own", ""))
	<-s.begun
	waiting := g.leaves(t, ask("own", stream))
	queued := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
			var targets []admin.TargetStatus
			g.admin(t, http.MethodGet, "targets", "", &targets)
			i := slices.IndexFunc(targets, func(s admin.TargetStatus) bool { return s.Name == "own/m" })
			if targets[i].Waiting == n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%+v, want %d waiting", targets[i], n)
			}
		}
	}
	queued(1)
	waiting.cancel()
	<-waiting.gone
	queued(0)
	first.cancel()
	<-s.brokeAt
	if r := g.post(t, ask("own", `,"user":"last"`)); r.Status != 200 {
		t.Errorf("the next one: %d %s", r.Status, r.Body)
	}
	if n := len(u.received("own")); n != 2 {
		t.Errorf("the engine got %d requests, want 2", n)
	}
	outcomes := map[string]int{}
	g.lastReceipt(t, 3)
	for _, rc := range g.receipts(t) {
		outcomes[rc.Outcome]++
	}
	if outcomes["canceled"] != 2 || outcomes["ok"] != 1 {
		t.Errorf("outcomes %v", outcomes)
	}
}
