//go:build !unix

package upstream

import "time"

// newWire is net/http's transport: plainWire needs to look into a socket.
func newWire(_, _ string, connect time.Duration, maxIdle int) wire {
	return newNetWire(connect, maxIdle)
}
