package leave

import (
	"encoding/binary"
	"fmt"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Poller tells when a peer has closed its side of a connection, by one epoll
// for all of them and without a system call per request.
//
// Edge-triggered without EPOLLIN, so that data never wakes it. Closing a file
// descriptor takes it out of the epoll; an event read just before then carries
// a number that is not known any more.
type Poller struct {
	epoll, wake int
	done        sync.WaitGroup
	mu          sync.RWMutex // guards epoll against use after Close
	closed      bool
}

// New starts a poller. left is called on the poller's goroutine, with the number
// of each connection whose peer has gone; it must not block.
func New(left func(id uint64)) (*Poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(ep)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		unix.Close(ep)
		unix.Close(wake)
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	p := &Poller{epoll: ep, wake: wake}
	p.done.Go(func() { p.run(left) })
	return p, nil
}

// run waits for events until the Poller is closed. Number 0 is the wake-up.
func (p *Poller) run(left func(id uint64)) {
	events := make([]unix.EpollEvent, 128)
	for {
		n, err := unix.EpollWait(p.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return
		}
		for i := range max(n, 0) {
			id := uint64(uint32(events[i].Fd)) | uint64(uint32(events[i].Pad))<<32
			if id == 0 {
				return
			}
			left(id)
		}
	}
}

// Add watches a connection under a number, not 0 and never used twice,
// until it is closed. If the peer has gone already, that is told like any other leaving.
func (p *Poller) Add(c syscall.RawConn, id uint64) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return syscall.EBADF
	}
	var ctl error
	err := c.Control(func(fd uintptr) {
		ctl = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{
			Events: unix.EPOLLRDHUP | unix.EPOLLET, // errors and hang-ups are always told
			Fd:     int32(uint32(id)), Pad: int32(uint32(id >> 32)),
		})
	})
	if err != nil {
		return err
	}
	return ctl
}

// Remove has nothing to do here: closing the descriptor does it.
func (p *Poller) Remove(uint64) {}

// Close ends the poller. Connections stay open.
func (p *Poller) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(p.wake, one[:])
	p.done.Wait()
	unix.Close(p.epoll)
	unix.Close(p.wake)
}
