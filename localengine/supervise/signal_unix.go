//go:build unix

package supervise

import (
	"os"
	"syscall"
)

// terminate and kill signal the child's group. That it is gone already is the
// only error they can meet.
func terminate(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) }

func kill(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
