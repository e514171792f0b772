package supervise

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"
)

// ErrDown is that no child is running at the moment.
var ErrDown = errors.New("the engine's process is not running")

// Child is a supervised process, through all its restarts. Its methods may be
// called from any goroutine.
type Child struct {
	spec   Spec
	cancel context.CancelFunc
	done   chan struct{}
	tail   tail

	mu       sync.Mutex
	url      string
	model    string
	address  string // of the last child that was ready
	down     error  // why there is no URL
	restarts int
	pid      int
}

// URL is where the child listens, like http://127.0.0.1:39121, or "" while it
// is down. It may change with a restart.
func (c *Child) URL() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.url
}

// Model is the name that the child gave its model when it became ready last.
func (c *Child) Model() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.model
}

// Err is nil while the child is ready, else why it is not: it wraps ErrDown.
func (c *Child) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down
}

// Restarts is how many times the child became ready again after it had fallen.
func (c *Child) Restarts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.restarts
}

// PID is the running child's process id, 0 while there is none.
func (c *Child) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

// Tail is the last lines that the child wrote, oldest first, at most 200 of at
// most 1,024 bytes.
func (c *Child) Tail() []string { return c.tail.lines() }

// Close asks the child to stop, waits until it has drained and gone, and kills
// it and its own children when that takes longer than StopWithin. It is safe
// to call more than once.
func (c *Child) Close() error {
	c.cancel()
	<-c.done
	return nil
}

// keep starts the child again and again until ctx ends. How the first start
// went is sent to first.
func (c *Child) keep(ctx context.Context, first chan<- error) {
	defer close(c.done)
	// The kernel ties a child's life to the thread that started it, not to the
	// process, so this goroutine keeps its thread for as long as children run.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	falls := 0
	for {
		ready, lived, err := c.once(ctx, first)
		if ctx.Err() != nil {
			c.setDown(errors.New("stopped"))
			return
		}
		first = nil // once has told it
		if !ready && c.neverReady() {
			return
		}
		if lived >= c.spec.SteadyAfter {
			falls = 0
		}
		falls++
		delay := backoff(c.spec, falls)
		c.setDown(err)
		if falls >= c.spec.MaxFalls {
			delay = c.spec.BreakFor
			c.spec.Log.Error("engine keeps falling and is left alone for a while", "falls", falls, "for", delay, "err", err)
		} else {
			c.spec.Log.Warn("engine fell and is started again", "in", delay, "err", err)
		}
		select {
		case <-c.spec.after(delay):
		case <-ctx.Done():
			c.setDown(errors.New("stopped"))
			return
		}
	}
}

// backoff is the delay before the next start after so many falls in a row.
func backoff(s Spec, falls int) time.Duration {
	d := s.FirstDelay
	for range falls - 1 {
		if d >= s.MaxDelay {
			break
		}
		d *= 2
	}
	return min(d, s.MaxDelay)
}

// once starts a child and returns when it is gone. first, if it is not nil,
// is told how the start went; lived counts from the ready line.
func (c *Child) once(ctx context.Context, first chan<- error) (ready bool, lived time.Duration, err error) {
	tell := func(err error) {
		if first != nil {
			first <- err
		}
	}
	p, err := start(c.spec, c.listen(), &c.tail)
	if err != nil {
		tell(err)
		return false, 0, err
	}
	c.setPID(p.pid())
	defer c.setPID(0)
	hello, err := c.await(ctx, p)
	if err != nil {
		c.forgetAddress()
		tell(fmt.Errorf("engine %s: %w", c.spec.Path, err))
		return false, 0, err
	}
	c.setReady(hello)
	since := time.Now()
	tell(nil)
	select {
	case <-p.gone:
	case <-ctx.Done():
		p.stop(c.spec.StopWithin)
	}
	return true, time.Since(since), c.fell(p.err)
}

// await waits for the child's ready line. After an error the child is gone.
func (c *Child) await(ctx context.Context, p *process) (hello, error) {
	select {
	case h := <-p.ready:
		return h, nil
	case <-p.gone:
		select {
		case h := <-p.ready: // it was ready, and fell at once
			return h, nil
		default:
			return hello{}, c.fell(p.err)
		}
	case <-c.spec.after(c.spec.ReadyWithin):
		p.stop(0)
		return hello{}, fmt.Errorf("not ready within %v%s", c.spec.ReadyWithin, c.lastWords())
	case <-ctx.Done():
		p.stop(c.spec.StopWithin)
		return hello{}, ctx.Err()
	}
}

func (c *Child) fell(err error) error {
	if err == nil {
		return fmt.Errorf("ended by itself%s", c.lastWords())
	}
	return fmt.Errorf("ended: %w%s", err, c.lastWords())
}

// lastWords are the child's last lines, for an error's text.
func (c *Child) lastWords() string {
	lines := c.tail.lines()
	if len(lines) == 0 {
		return "; it wrote nothing"
	}
	return "; it wrote: " + strings.Join(lines[max(0, len(lines)-5):], " | ")
}

// listen is the address for the next start.
func (c *Child) listen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.address == "" {
		return "127.0.0.1:0"
	}
	return c.address
}

// forgetAddress lets the next start choose a new port: somebody else may have
// taken the old one.
func (c *Child) forgetAddress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.address = ""
}

// neverReady is true if no start has succeeded yet.
func (c *Child) neverReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.model == ""
}

func (c *Child) setPID(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pid = pid
}

func (c *Child) setReady(h hello) {
	c.mu.Lock()
	if c.model != "" {
		c.restarts++
	}
	c.url, c.model, c.address, c.down = "http://"+h.Listening, h.Model, h.Listening, nil
	url := c.url
	c.mu.Unlock()
	c.spec.Log.Info("engine ready", "url", url, "model", h.Model)
	if c.spec.Ready != nil {
		c.spec.Ready(url, h.Model)
	}
}

func (c *Child) setDown(err error) {
	err = fmt.Errorf("%w: %w", ErrDown, err)
	c.mu.Lock()
	was := c.url
	c.url, c.down = "", err
	c.mu.Unlock()
	if was != "" && c.spec.Down != nil {
		c.spec.Down(err)
	}
}
