package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test binary is its own child: role says as what it was started.
const role = "FARTHING_SUPERVISE_TEST"

func TestMain(m *testing.M) {
	if r := os.Getenv(role); r != "" {
		os.Exit(play(r, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// play is a child of the given role. args are an address to listen on and one
// to call, so that the test sees the child live and die by a connection.
func play(role string, args []string) int {
	if role == "parent" {
		// A parent that starts a child and waits for its own death.
		_, err := spec("stubborn", args[1], nil).Start(context.Background())
		fmt.Println("parent", err)
		select {}
	}
	if len(args) > 1 && args[1] != "" {
		c, err := net.Dial("tcp", args[1])
		if err != nil {
			return 9
		}
		fmt.Fprintf(c, "%d %s\n", os.Getpid(), args[0])
	}
	ln, err := net.Listen("tcp", args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 8
	}
	fmt.Fprintln(os.Stderr, "warming up")
	switch role {
	case "broken":
		fmt.Fprintln(os.Stderr, "no such model")
		return 3
	case "silent":
		select {}
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	case "gentle":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		go func() {
			<-stop
			fmt.Fprintln(os.Stderr, "drained")
			os.Exit(0)
		}()
	}
	if err := Announce(os.Stdout, ln.Addr().String(), "m"); err != nil {
		return 7
	}
	if role == "falls" {
		return 4
	}
	select {}
}

func spec(as, call string, edit func(*Spec)) Spec {
	s := Spec{
		Path: os.Args[0], Args: []string{Listen, call}, Env: append(os.Environ(), role+"="+as),
		Log: slog.New(slog.DiscardHandler), StopWithin: 20 * time.Second, FirstDelay: time.Millisecond,
	}
	if edit != nil {
		edit(&s)
	}
	return s
}

// lifeline lets children call in: each life is the child's pid and the address
// that it was told, and ends when the child is gone.
type life struct {
	pid     int
	address string
	conn    net.Conn
}

func lifeline(t *testing.T) (address string, next func() life) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().String(), func() life {
		t.Helper()
		if err := ln.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		l := life{conn: c}
		if _, err := fmt.Fscanf(bufio.NewReader(c), "%d %s\n", &l.pid, &l.address); err != nil {
			t.Fatal(err)
		}
		return l
	}
}

// over returns when the child is gone.
func (l life) over(t *testing.T) {
	t.Helper()
	if err := l.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, l.conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("process %d lives on", l.pid)
	}
}

func TestStartAndClose(t *testing.T) {
	address, next := lifeline(t)
	c, err := spec("gentle", address, nil).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := next()
	if !strings.HasPrefix(c.URL(), "http://127.0.0.1:") || c.Model() != "m" || c.Err() != nil || c.PID() != l.pid {
		t.Errorf("URL %q model %q err %v pid %d, want %d", c.URL(), c.Model(), c.Err(), c.PID(), l.pid)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL(), "http://"))
	if err != nil {
		t.Fatalf("not listening: %v", err)
	}
	_ = conn.Close()
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	l.over(t)
	if c.URL() != "" || !errors.Is(c.Err(), ErrDown) || c.PID() != 0 {
		t.Errorf("after Close: URL %q err %v pid %d", c.URL(), c.Err(), c.PID())
	}
	if diff := cmp.Diff([]string{"warming up", "drained"}, c.Tail()); diff != "" {
		t.Error(diff)
	}
}

func TestKilledChildIsStartedAgain(t *testing.T) {
	address, next := lifeline(t)
	ready, down := make(chan string, 4), make(chan error, 4)
	c, err := spec("gentle", address, func(s *Spec) {
		s.Ready = func(url, _ string) { ready <- url }
		s.Down = func(err error) { down <- err }
	}).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first, url := next(), <-ready
	if err := syscall.Kill(first.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-down; !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "killed") || !strings.Contains(err.Error(), "warming up") {
		t.Errorf("down: %v", err)
	}
	second := next()
	if again := <-ready; again != url || "http://"+second.address != url || first.address != "127.0.0.1:0" || c.Restarts() != 1 || second.pid == first.pid {
		t.Errorf("URL %s then %s, told %s, %d restarts", url, again, second.address, c.Restarts())
	}
}

func TestFirstStartFails(t *testing.T) {
	for as, want := range map[string]string{"broken": "no such model", "silent": "not ready within 1h"} {
		address, next := lifeline(t)
		late, failed := make(chan time.Time), make(chan error)
		go func() {
			c, err := spec(as, address, func(s *Spec) {
				s.ReadyWithin = time.Hour
				s.after = func(time.Duration) <-chan time.Time { return late }
			}).Start(t.Context())
			if c != nil {
				err = errors.New("a child that is not ready")
			}
			failed <- err
		}()
		l := next()
		if as == "silent" {
			late <- time.Time{} // the hour is over
		}
		if err := <-failed; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", as, err)
		}
		l.over(t)
	}
	if _, err := (Spec{Path: "/nowhere/at-all"}).Start(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing command: %v", err)
	}
	if _, err := (Spec{}).Start(t.Context()); err == nil {
		t.Error("no command is no error")
	}
}

// A child that falls at once is tried with growing delays, then left alone.
func TestCrashLoop(t *testing.T) {
	delays, release := make(chan time.Duration), make(chan time.Time)
	c, err := spec("falls", "", func(s *Spec) {
		s.ReadyWithin, s.FirstDelay, s.MaxDelay, s.MaxFalls, s.BreakFor = time.Minute, time.Second, 3*time.Second, 4, time.Hour
		s.after = func(d time.Duration) <-chan time.Time {
			if d == s.ReadyWithin {
				return nil
			}
			delays <- d
			return release
		}
	}).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := []time.Duration{}
	for range 5 {
		got = append(got, <-delays)
		if len(got) < 5 {
			release <- time.Time{}
		}
	}
	want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, time.Hour, time.Hour}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := c.Err(); !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("Err: %v", err)
	}
	if err := c.Close(); err != nil { // while it waits
		t.Error(err)
	}
}

func TestStubbornChildIsKilled(t *testing.T) {
	address, next := lifeline(t)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := spec("stubborn", address, func(s *Spec) { s.StopWithin = 100 * time.Millisecond }).Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	l := next()
	cancel() // as good as Close
	l.over(t)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// A parent that is killed has no time to stop anything.
func TestChildDiesWithParent(t *testing.T) {
	address, next := lifeline(t)
	parent := exec.Command(os.Args[0], "", address)
	parent.Env = append(os.Environ(), role+"=parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	l := next()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "parent <nil>\n" {
		t.Fatalf("%q %v", line, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // "signal: killed"
	l.over(t)
}

func TestHello(t *testing.T) {
	for line, want := range map[string]bool{
		`{"listening":"127.0.0.1:80","model":"m"}`:   true,
		`{"listening":"[::1]:80","model":"m"}`:       true,
		`{"listening":"127.0.0.1:0","model":"m"}`:    false,
		`{"listening":"10.0.0.1:80","model":"m"}`:    false,
		`{"listening":"example.com:80","model":"m"}`: false,
		`{"listening":"127.0.0.1:80"}`:               false,
		`{"listening":`:                              false,
		`listening`:                                  false,
		``:                                           false,
	} {
		if _, got := parseHello([]byte(line)); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func TestLinesAndTail(t *testing.T) {
	tl := tail{}
	w := &lines{each: tl.add}
	long := strings.Repeat("x", 3*maxLine)
	for _, b := range []byte("one\r\n\ntwo\n" + long + "\nend") {
		if n, err := w.Write([]byte{b}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	w.end()
	if diff := cmp.Diff([]string{"one", "two", long[:maxLine], "end"}, tl.lines()); diff != "" {
		t.Error(diff)
	}
	for i := range 3 * tailLines {
		fmt.Fprintf(w, "%d\n", i)
	}
	if got := tl.lines(); len(got) != tailLines || got[0] != fmt.Sprint(2*tailLines) || !slices.Contains(got, fmt.Sprint(3*tailLines-1)) {
		t.Errorf("%d lines from %s", len(got), got[0])
	}
}
