package supervise

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"slices"
	"time"
)

// hello is the line by which a child says that it is ready.
type hello struct {
	Listening string `json:"listening"`
	Model     string `json:"model"`
}

// Announce writes the line by which a child says that it is ready: the child's
// side of the agreement in the package comment.
func Announce(w io.Writer, address, model string) error {
	return json.NewEncoder(w).Encode(hello{address, model})
}

// parseHello takes only loopback addresses: the gateway sends prompts there.
func parseHello(line []byte) (hello, bool) {
	h := hello{}
	if len(line) == 0 || line[0] != '{' || json.Unmarshal(line, &h) != nil || h.Model == "" {
		return h, false
	}
	a, err := netip.ParseAddrPort(h.Listening)
	return h, err == nil && a.Addr().IsLoopback() && a.Port() != 0
}

// process is one run of the child.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ready chan hello
	gone  chan struct{}
	err   error // how it ended; may be read once gone is closed
}

// start starts the command in a process group of its own.
func start(s Spec, listen string, t *tail) (*process, error) {
	args := slices.Clone(s.Args)
	for i, a := range args {
		if a == Listen {
			args[i] = listen
		}
	}
	p := &process{cmd: exec.Command(s.Path, args...), ready: make(chan hello, 1), gone: make(chan struct{})}
	p.cmd.Env = s.Env
	p.cmd.SysProcAttr = processGroup()
	// A grandchild may keep the streams open after the child is gone.
	p.cmd.WaitDelay = 2 * time.Second
	logLine := func(line []byte) {
		t.add(line)
		s.Log.Info("engine", "says", string(line))
	}
	stdout := &lines{each: func(line []byte) {
		h, ok := parseHello(line)
		if !ok {
			logLine(line)
			return
		}
		select {
		case p.ready <- h:
		default: // said before
		}
	}}
	stderr := &lines{each: logLine}
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("engine %s: %w", s.Path, err)
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("engine %s: %w", s.Path, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		stdout.end()
		stderr.end()
		close(p.gone)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the process to end, kills its whole group when it has not within
// that time, and returns when it is gone.
func (p *process) stop(within time.Duration) {
	if within > 0 {
		terminate(p.cmd.Process)
		limit := time.NewTimer(within)
		defer limit.Stop()
		select {
		case <-p.gone:
			return
		case <-limit.C:
		}
	}
	kill(p.cmd.Process)
	_ = p.stdin.Close() // Wait closes it too; the error is only "already closed"
	<-p.gone
}
