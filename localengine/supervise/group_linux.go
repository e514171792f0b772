package supervise

import "syscall"

// processGroup gives the child a group of its own, so that its children can be
// stopped with it, and lets the kernel kill it when the thread that started it
// ends.
func processGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
