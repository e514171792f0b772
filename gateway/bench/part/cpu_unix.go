//go:build unix

package part

import "syscall"

// ProcessorTime is the CPU time of this process so far, all threads together, in
// ns; 0 where the system does not say.
func ProcessorTime() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
