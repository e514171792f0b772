//go:build !unix

package supervise

import (
	"os"
	"syscall"
)

// processGroup is nothing where there are no process groups: the child learns
// from its standard input that its parent has died.
func processGroup() *syscall.SysProcAttr { return nil }

// terminate and kill both end the child at once: there is no gentler signal.
func terminate(p *os.Process) { _ = p.Kill() }

func kill(p *os.Process) { _ = p.Kill() }
