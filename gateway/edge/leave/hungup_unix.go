//go:build unix && !linux

package leave

import (
	"errors"

	"golang.org/x/sys/unix"
)

// hungUp looks at the next byte without taking it: none at all means a FIN.
func hungUp(fd uintptr) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err != nil {
		return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	}
	return n == 0
}
