package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settles is how long the file must be left alone before it is read: editors
// and copies write it in pieces.
const settles = 250 * time.Millisecond

// Watch follows the file that running was loaded from until ctx ends. Whenever
// its content changes, and whenever again receives (SIGHUP), it is loaded and
// handed to apply. A file with mistakes, or one that apply refuses, changes
// nothing: the mistakes are logged with their places. The error is the folder's
// that could not be watched.
//
// Folders are watched rather than the file, because editors and Kubernetes put
// a new file in the old one's place. apply is never called twice at a time.
func Watch(ctx context.Context, running *Loaded, again <-chan os.Signal, apply func(*Loaded) error, log *slog.Logger) error {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", running.Path, err)
	}
	defer events.Close()
	w := watcher{path: running.Path, seen: running.sum, events: events, apply: apply, log: log}
	if err := w.follow(); err != nil {
		return fmt.Errorf("watch %s: %w", running.Path, err)
	}
	w.changed(ctx) // since it was loaded
	w.run(ctx, again)
	return nil
}

type watcher struct {
	path   string
	names  []string // of what matters in the folders: the file, what it points to, Kubernetes' ..data
	seen   [sha256.Size]byte
	events *fsnotify.Watcher
	apply  func(*Loaded) error
	log    *slog.Logger
}

// follow watches the file's folder, and the one where it really lies if the
// file is a link.
func (w *watcher) follow() error {
	w.names = []string{filepath.Base(w.path), "..data"}
	if real, err := filepath.EvalSymlinks(w.path); err == nil && real != filepath.Clean(w.path) {
		w.names = append(w.names, filepath.Base(real))
		if err := w.events.Add(filepath.Dir(real)); err != nil {
			return err
		}
	}
	return w.events.Add(filepath.Dir(w.path))
}

func (w *watcher) run(ctx context.Context, again <-chan os.Signal) {
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
			w.load(ctx)
		case e, ok := <-w.events.Events:
			if ok && slices.Contains(w.names, filepath.Base(e.Name)) {
				quiet.Reset(settles)
			}
		case err := <-w.events.Errors:
			w.log.ErrorContext(ctx, "the file's folder is watched with gaps", "file", w.path, "error", err)
			quiet.Reset(settles)
		case <-quiet.C:
			w.changed(ctx)
		}
	}
}

// changed loads the file if its content is not what it was at the last try.
// Where it really lies may have changed too. That is followed before the file
// is read, so that no later change falls in between.
func (w *watcher) changed(ctx context.Context) {
	if err := w.follow(); err != nil {
		w.log.ErrorContext(ctx, "later changes of the file may go unnoticed", "file", w.path, "error", err)
	}
	b, err := os.ReadFile(w.path)
	if err != nil {
		w.log.ErrorContext(ctx, "the file cannot be read: the running configuration stays", "file", w.path, "error", err)
		return
	}
	if sha256.Sum256(b) != w.seen {
		w.load(ctx)
	}
}

// load reads the file and applies it, whole or not at all. An emptied file is
// one that is being written, or lost: it would take every budget away.
func (w *watcher) load(ctx context.Context) {
	next, found := Load(w.path)
	w.seen = next.sum
	for _, d := range found {
		level := slog.LevelError
		if d.Warning {
			level = slog.LevelWarn
		}
		w.log.Log(ctx, level, d.String())
	}
	err := Err(found)
	if err == nil && next.blank {
		err = fmt.Errorf("%s is empty", w.path)
	}
	if err == nil {
		err = w.apply(next)
	}
	if err != nil {
		w.log.ErrorContext(ctx, "the file was not taken: the running configuration stays", "file", w.path, "error", err)
		return
	}
	w.log.InfoContext(ctx, "the file was loaded anew", "file", w.path)
}
