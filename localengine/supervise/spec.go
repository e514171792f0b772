package supervise

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Listen is the argument that is replaced by the address to listen on: a free
// loopback port chosen by the kernel at first (127.0.0.1:0), and after that
// the one which the child had before, so that its URL stays where possible.
const Listen = "{listen}"

// Spec says what to run and how patiently. Zero durations and counts mean the
// default behind each.
type Spec struct {
	Path string   // of the executable
	Args []string // without the program's name; Listen is replaced
	Env  []string // in the form of os.Environ; nil: the parent's

	Log *slog.Logger // nil: slog's default

	ReadyWithin time.Duration // from start to the ready line; 2 m
	StopWithin  time.Duration // from SIGTERM to SIGKILL; 35 s, as the embedded engine drains for 30
	FirstDelay  time.Duration // before the first restart, doubled with each further one; 250 ms
	MaxDelay    time.Duration // the longest of these; 15 s
	SteadyAfter time.Duration // a child that lived so long starts with FirstDelay again; 1 m

	// A child that fell MaxFalls times in a row without having been steady
	// is left alone for BreakFor, then tried once more. 5; 5 m.
	MaxFalls int
	BreakFor time.Duration

	// Ready is called with the child's URL and its model's name each time it
	// has become ready, Down when it has fallen. Both may be nil and must
	// return soon.
	Ready func(url, model string)
	Down  func(error)

	// after is time.After, but for tests of the delays and of ReadyWithin.
	after func(time.Duration) <-chan time.Time
}

func (s Spec) withDefaults() Spec {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&s.ReadyWithin, 2 * time.Minute},
		{&s.StopWithin, 35 * time.Second},
		{&s.FirstDelay, 250 * time.Millisecond},
		{&s.MaxDelay, 15 * time.Second},
		{&s.SteadyAfter, time.Minute},
		{&s.BreakFor, 5 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if s.MaxFalls == 0 {
		s.MaxFalls = 5
	}
	if s.Log == nil {
		s.Log = slog.Default()
	}
	if s.after == nil {
		s.after = time.After
	}
	return s
}

// Start starts the child and returns once it is ready. A child that does not
// become ready the first time is not tried again: the error holds its last log
// lines. After that the child is kept running until Close or the end of ctx,
// either of which stops it.
func (s Spec) Start(ctx context.Context) (*Child, error) {
	if s.Path == "" {
		return nil, errors.New("supervise: no command")
	}
	s = s.withDefaults()
	ctx, cancel := context.WithCancel(ctx)
	c := &Child{spec: s, cancel: cancel, done: make(chan struct{})}
	first := make(chan error, 1)
	go c.keep(ctx, first)
	if err := <-first; err != nil {
		cancel()
		<-c.done
		return nil, err
	}
	return c, nil
}
