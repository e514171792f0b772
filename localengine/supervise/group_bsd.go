//go:build unix && !linux

package supervise

import "syscall"

// processGroup gives the child a group of its own, so that its children can be
// stopped with it. That the parent has died it learns from its standard input.
func processGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
