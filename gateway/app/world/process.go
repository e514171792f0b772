package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"farthing/localengine/embedded"
	"farthing/localengine/supervise"
)

// startPatience is how long a start waits for the embedded engine, so that the
// first request finds it up. Past it the gateway serves and the engine follows.
const startPatience = 3 * time.Second

// Process is the embedded engine's child process: this same binary as
// `farthing engine`, started when an engine of the file first needs it.
type Process struct {
	log   *slog.Logger
	moved func() // called when its address has changed after it was handed out

	mu     sync.Mutex
	begun  bool
	child  *supervise.Child
	url    string
	given  *string // the address last handed out
	failed error
	up     chan struct{} // closed at the first ready line or failure
	cancel context.CancelFunc
}

// NotStarted is a Starter for where a file is only looked at.
func NotStarted() (string, func() error, error) {
	if err := embedded.Available(); err != nil {
		return "", nil, err
	}
	return "http://127.0.0.1:0", func() error { return nil }, nil
}

// NewProcess starts nothing yet. moved is called, not by Start, when the address
// that Start gave no longer holds.
func NewProcess(log *slog.Logger, moved func()) *Process {
	return &Process{log: log, moved: moved, up: make(chan struct{})}
}

// Start is a Starter: it starts the process at the first call.
func (p *Process) Start() (url string, ready func() error, err error) {
	if err := embedded.Available(); err != nil {
		return "", nil, err
	}
	p.mu.Lock()
	if !p.begun {
		p.begun = true
		ctx, cancel := context.WithCancel(context.Background())
		p.cancel = cancel
		go p.run(ctx)
	}
	p.mu.Unlock()
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	select {
	case <-p.up:
	case <-patience.C:
		p.log.Info("the embedded engine is still starting")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	given := p.url
	p.given = &given
	return given, func() error {
		if err := p.ready(); err != nil || given != "" {
			return err
		}
		return errStarting // until the new address is taken over
	}, nil
}

func (p *Process) run(ctx context.Context) {
	exe, err := os.Executable()
	var child *supervise.Child
	if err == nil {
		child, err = supervise.Spec{Path: exe, Args: []string{"engine", "--supervised", "--listen", supervise.Listen}, Log: p.log, Ready: p.isUp}.Start(ctx)
	}
	p.mu.Lock()
	p.child, p.failed = child, err
	p.mu.Unlock()
	if err != nil {
		p.log.Error("the embedded engine did not start", "error", err)
		p.open()
	}
}

// isUp hears of each time that the process is ready.
func (p *Process) isUp(url, _ string) {
	p.mu.Lock()
	p.url = url
	moved := p.given != nil && *p.given != url
	p.open()
	p.mu.Unlock()
	if moved {
		go p.moved()
	}
}

// open lets whoever waits for the first word go on.
func (p *Process) open() {
	select {
	case <-p.up:
	default:
		close(p.up)
	}
}

var errStarting = errors.New("the embedded engine is starting")

// ready is nil while the process answers.
func (p *Process) ready() error {
	p.mu.Lock()
	child, failed, url := p.child, p.failed, p.url
	p.mu.Unlock()
	switch {
	case failed != nil:
		return fmt.Errorf("the embedded engine did not start: %w", failed)
	case url == "":
		return errStarting
	case child == nil: // its first ready line has just come
		return nil
	}
	return child.Err()
}

// Close stops the process, which lets the requests it has finish.
func (p *Process) Close() {
	p.mu.Lock()
	child, cancel := p.child, p.cancel
	p.mu.Unlock()
	if child != nil {
		if err := child.Close(); err != nil {
			p.log.Warn("the embedded engine did not stop by itself", "error", err)
		}
	}
	if cancel != nil {
		cancel()
	}
}
