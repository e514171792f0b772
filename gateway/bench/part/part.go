// Package part runs what is measured in processes of its own, beside the bench:
// this same binary started again, and a redis-server.
//
// A part writes a line of JSON with its address once it serves. It answers every
// line that it reads with what it has used so far, and ends at the end of its
// input, so also when the bench is gone.
//
// Start with Start on the side of the bench, and with Serve on the other.
package part

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"
)

// Command is the first argument of this binary where it is a part. The others
// are its kind, the path of its profiles without their ending ("" for none), and
// what it works on.
const Command = "part"

// Kind is what a part does: it serves until ctx ends, and calls serving once,
// with its address, when it does.
type Kind func(ctx context.Context, subject string, serving func(address string)) error

// Used is what a process has used since its start.
type Used struct {
	CPU    int64  `json:"cpu"` // ns of all its threads; 0 where the system does not say
	Allocs uint64 `json:"allocs"`
}

// Serve is the life of a part, of one of the kinds. args are those after Command.
func Serve(kinds map[string]Kind, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 3 {
		return errors.New("a part needs its kind, the path of its profiles, and what it works on")
	}
	kind := kinds[args[0]]
	if kind == nil {
		return fmt.Errorf("there is no part %q", args[0])
	}
	signal.Ignore(os.Interrupt) // the bench hears it too and ends its parts
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	stopProfiles, err := profiles(args[1])
	if err != nil {
		return err
	}
	answer := json.NewEncoder(out)
	serving := func(address string) {
		_ = answer.Encode(address)
		go func() {
			defer stop()
			for asked := bufio.NewScanner(in); asked.Scan(); {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				_ = answer.Encode(Used{ProcessorTime(), m.Mallocs})
			}
		}()
	}
	return errors.Join(kind(ctx, args[2], serving), stopProfiles())
}

// profiles begins a CPU profile, and stop writes it and all allocations, to
// path.cpu.prof and path.allocs.prof.
func profiles(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	runtime.MemProfileRate = 64 << 10 // finer than by itself, and not so fine that it shows in the CPU profile
	cpu, err := os.Create(path + ".cpu.prof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, errors.Join(err, cpu.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		allocs, err := os.Create(path + ".allocs.prof")
		if err != nil {
			return errors.Join(err, cpu.Close())
		}
		return errors.Join(pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close(), cpu.Close())
	}, nil
}

// Part is a process beside this one.
type Part struct {
	Address string // host:port
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *json.Decoder
	log     *os.File
}

// Start starts this binary again as a part and waits until it serves. What it
// logs goes to folder/name.log; its profiles, unless the path is "", to
// profiles.cpu.prof and profiles.allocs.prof when it ends.
func Start(kind, subject, folder, name, profiles string) (*Part, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &Part{name: name, cmd: exec.Command(exe, Command, kind, profiles, subject)}
	if p.log, err = os.Create(filepath.Join(folder, name+".log")); err != nil {
		return nil, err
	}
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.in, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, p.log.Close())
	}
	late := time.AfterFunc(Patience, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	p.answers = json.NewDecoder(out)
	if err := p.answers.Decode(&p.Address); err != nil {
		return nil, fmt.Errorf("%s does not serve: %w", name, errors.Join(err, p.Stop()))
	}
	return p, nil
}

// Used asks the part what it has used.
func (p *Part) Used() (u Used, err error) {
	if _, err = io.WriteString(p.in, "\n"); err == nil {
		err = p.answers.Decode(&u)
	}
	return u, err
}

// Stop ends the part, which may finish what it does. The error holds the end of
// its log if it did not end well.
func (p *Part) Stop() error {
	_ = p.in.Close()
	late := time.AfterFunc(3*Patience, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	err := p.cmd.Wait()
	defer p.log.Close()
	if err == nil {
		return nil
	}
	text, _ := os.ReadFile(p.log.Name())
	return fmt.Errorf("%s: %w\n%s", p.name, err, text[max(0, len(text)-4000):])
}
