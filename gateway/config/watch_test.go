package config

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// watched is a file under Watch, with everything that happens to it.
type watched struct {
	t       *testing.T
	path    string
	applied chan *Loaded
	logged  chan string
	again   chan os.Signal
}

// follow watches path until the test ends.
func follow(t *testing.T, path string) *watched {
	t.Helper()
	w := &watched{t: t, path: path, applied: make(chan *Loaded, 100), logged: make(chan string, 100), again: make(chan os.Signal, 1)}
	running, found := Load(path)
	if err := Err(found); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	apply := func(l *Loaded) error {
		if l.File.Timezone == "America/New_York" {
			return errors.New("no such place here")
		}
		w.applied <- l
		return nil
	}
	go func() { done <- Watch(ctx, running, w.again, apply, slog.New(recorder{logged: w.logged})) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	// The folder is watched once a signal has been answered.
	w.again <- syscall.SIGHUP
	w.takes("UTC")
	return w
}

func (w *watched) takes(zone string) {
	w.t.Helper()
	select {
	case l := <-w.applied:
		if l.File.Timezone != zone {
			w.t.Fatalf("%s was applied, not %s", l.File.Timezone, zone)
		}
	case <-time.After(20 * time.Second):
		w.t.Fatalf("%s was not applied", zone)
	}
}

func (w *watched) says(part string) {
	w.t.Helper()
	for late := time.After(20 * time.Second); ; {
		select {
		case line := <-w.logged:
			if strings.Contains(line, part) {
				return
			}
		case l := <-w.applied:
			w.t.Fatalf("%s was applied", l.File.Timezone)
		case <-late:
			w.t.Fatalf("%q was not logged", part)
		}
	}
}

// TestWatch changes a file in the ways in which files are changed.
func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.yaml")
	write(t, path, "timezone: UTC\n")
	w := follow(t, path)

	write(t, path, "timezone: Europe/Paris\n")
	w.takes("Europe/Paris")
	write(t, path+".new", "timezone: Europe/Rome\n")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	w.takes("Europe/Rome")

	write(t, path, "timezone: Europe/Oslo\nbudgets: {me: {limit: $12.5k}}\n")
	w.says("f.yaml:2:23: budgets.me.limit: ")
	w.says("the running configuration stays")
	write(t, path, "timezone: America/New_York\n")
	w.says("no such place here")
	write(t, path, "\n")
	w.says("is empty")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.says("cannot be read")
	write(t, path, "timezone: Europe/Oslo\n")
	w.takes("Europe/Oslo")
	w.again <- syscall.SIGHUP
	w.takes("Europe/Oslo")
}

// TestWatchLinks swaps the folder behind a link, as Kubernetes does, and
// changes a file behind a link.
func TestWatchLinks(t *testing.T) {
	dir := t.TempDir()
	for _, step := range []error{os.Mkdir(filepath.Join(dir, "v1"), 0o700), os.Mkdir(filepath.Join(dir, "v2"), 0o700), os.Symlink("v1", filepath.Join(dir, "..data")), os.Symlink("..data/f.yaml", filepath.Join(dir, "f.yaml"))} {
		if step != nil {
			t.Fatal(step)
		}
	}
	write(t, filepath.Join(dir, "v1/f.yaml"), "timezone: UTC\n")
	write(t, filepath.Join(dir, "v2/f.yaml"), "timezone: Europe/Paris\n")
	w := follow(t, filepath.Join(dir, "f.yaml"))
	if err := os.Symlink("v2", filepath.Join(dir, "..data_tmp")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	w.takes("Europe/Paris")
	write(t, filepath.Join(dir, "v2/f.yaml"), "timezone: Europe/Rome\n")
	w.takes("Europe/Rome")
}

// TestWatchMissed takes what changed between loading and watching.
func TestWatchMissed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.yaml")
	write(t, path, "timezone: UTC\n")
	running, _ := Load(path)
	write(t, path, "timezone: Europe/Paris\n")
	ctx, cancel := context.WithCancel(context.Background())
	err := Watch(ctx, running, nil, func(l *Loaded) error {
		if l.File.Timezone != "Europe/Paris" {
			t.Error(l.File.Timezone)
		}
		cancel()
		return nil
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Error(err)
	}
}

func TestWatchNoFolder(t *testing.T) {
	if err := Watch(context.Background(), &Loaded{Path: "/nowhere/at/all/f.yaml"}, nil, nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a folder that does not exist was watched")
	}
}

// recorder is a log whose lines a test can wait for.
type recorder struct {
	slog.Handler
	logged chan<- string
}

func (r recorder) Enabled(context.Context, slog.Level) bool { return true }

func (r recorder) Handle(_ context.Context, record slog.Record) error {
	line := record.Message
	record.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	r.logged <- line
	return nil
}
