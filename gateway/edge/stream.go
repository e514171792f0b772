package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// heartbeat is a comment as a chunk of its own (e: its 14 bytes).
const heartbeat = "e\r\n: keep-alive\n\n\r\n"

// stream is a pulled answer as the server reads it, with comments in its silences.
//
// While the server waits in Read everything before has been flushed, so a
// heartbeat is written beside it, straight to the connection, and Read returns
// only after that write is over. It is written only where the bytes so far end
// with a blank line, never inside an event. This costs neither a goroutine nor
// a copy per stream.
type stream struct {
	s      *Server
	src    io.ReadCloser
	cn     *conn
	cancel context.CancelCauseFunc
	once   sync.Once

	mu      sync.Mutex
	out     net.Conn // nil: no heartbeats
	every   time.Duration
	timer   *time.Timer
	wrote   time.Time // when something was last sent
	waiting bool      // the server waits in Read
	tail    [4]byte   // the last bytes sent, "\n" before the first
	closed  bool
}

// beat has heartbeats sent to out after each silence of that length.
func (st *stream) beat(out net.Conn, every time.Duration) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.out, st.every, st.wrote = out, every, time.Now()
	st.tail = [4]byte{'\n', '\n', '\n', '\n'}
	st.timer = time.AfterFunc(every, st.tick)
}

// tick sends a heartbeat if it is time, and sets the timer to when the next
// could be. The timer is not touched by Read.
func (st *stream) tick() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed {
		return
	}
	next := st.every - time.Since(st.wrote)
	if next <= 0 && st.waiting && blankLine(st.tail) {
		if _, err := io.WriteString(st.out, heartbeat); err != nil {
			st.cn.left()
			return
		}
		st.wrote = time.Now()
		next = st.every
	}
	if next <= 0 {
		next = st.every
	}
	st.timer.Reset(next)
}

func blankLine(tail [4]byte) bool {
	return bytes.HasSuffix(tail[:], []byte("\n\n")) || bytes.HasSuffix(tail[:], []byte("\r\n\r\n")) ||
		bytes.HasSuffix(tail[:], []byte("\r\r"))
}

// Read pulls the next bytes of the answer.
func (st *stream) Read(p []byte) (int, error) {
	st.wait(true, nil)
	n, err := st.pull(p)
	st.wait(false, p[:n])
	return n, err
}

// wait notes that the server begins or ends to wait.
func (st *stream) wait(on bool, got []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.waiting = on
	if st.out == nil || len(got) == 0 {
		return
	}
	st.wrote = time.Now()
	if len(got) >= len(st.tail) {
		copy(st.tail[:], got[len(got)-len(st.tail):])
		return
	}
	copy(st.tail[:], st.tail[len(got):])
	copy(st.tail[len(st.tail)-len(got):], got)
}

// pull reads from the handler's stream. A panic in it breaks the answer off.
func (st *stream) pull(p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, st.s.panicked(v)
		}
	}()
	n, err = st.src.Read(p)
	if n < 0 || n > len(p) {
		return 0, fmt.Errorf("edge: the stream read %d bytes into %d", n, len(p))
	}
	return n, err
}

// Close ends the request. The handler's stream is closed before the request's
// context ends, so that a complete answer is not seen as cancelled. An error in
// it is logged: the client has its answer.
func (st *stream) Close() error {
	st.once.Do(func() {
		st.mu.Lock()
		st.closed = true
		if st.timer != nil {
			st.timer.Stop()
		}
		st.mu.Unlock()
		defer func() {
			if v := recover(); v != nil {
				st.s.panicked(v)
			}
			st.cn.end()
			st.cancel(errAnswered)
		}()
		if err := st.src.Close(); err != nil {
			st.s.o.Log.Warn("closing an answer failed", "error", err)
		}
	})
	return nil
}
