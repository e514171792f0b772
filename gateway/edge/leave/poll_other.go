//go:build !linux

package leave

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// Poller tells when a peer has closed its side of a connection. Without epoll
// it looks at every connection each 50 ms. The rule is the package's,
// but for a FIN behind bytes sent ahead, which is seen once they are read.
type Poller struct {
	left func(id uint64)
	stop chan struct{}
	done sync.WaitGroup
	once sync.Once

	mu      sync.Mutex
	watched map[uint64]syscall.RawConn
}

// New starts a poller. left is called on the poller's goroutine, with the number
// of each connection whose peer has gone; it must not block.
func New(left func(id uint64)) (*Poller, error) {
	p := &Poller{left: left, stop: make(chan struct{}), watched: map[uint64]syscall.RawConn{}}
	p.done.Go(p.run)
	return p, nil
}

func (p *Poller) run() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			for _, id := range p.look() {
				p.left(id)
			}
		}
	}
}

// look forgets and returns the connections whose peer has gone.
func (p *Poller) look() []uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var gone []uint64
	for id, c := range p.watched {
		hung := false
		if err := c.Control(func(fd uintptr) { hung = hungUp(fd) }); err != nil || hung {
			gone = append(gone, id)
			delete(p.watched, id)
		}
	}
	return gone
}

// Add watches a connection under a number that is never used twice.
func (p *Poller) Add(c syscall.RawConn, id uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.stop:
		return net.ErrClosed
	default:
		p.watched[id] = c
		return nil
	}
}

// Remove must be called before the connection is closed.
func (p *Poller) Remove(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watched, id)
}

// Close ends the poller. Connections stay open.
func (p *Poller) Close() {
	p.once.Do(func() { close(p.stop) })
	p.done.Wait()
}
