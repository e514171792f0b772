package leave

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

var wsaPoll = windows.NewLazySystemDLL("ws2_32.dll").NewProc("WSAPoll")

// hungUp asks WSAPoll, which tells a FIN as a hang-up.
func hungUp(fd uintptr) bool {
	const readable, failed, hung, invalid = 0x100, 0x1, 0x2, 0x4
	p := struct {
		fd              uintptr
		events, revents int16
	}{fd: fd, events: readable}
	n, _, _ := wsaPoll.Call(uintptr(unsafe.Pointer(&p)), 1, 0)
	return int32(n) > 0 && p.revents&(failed|hung|invalid) != 0
}
