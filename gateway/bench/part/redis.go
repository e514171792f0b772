package part

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"farthing/policies/store/redis/baseline"
)

// Patience bounds the wait for anything that starts.
const Patience = 20 * time.Second

// Redis is a redis-server of this run's own, on a socket in a folder that
// goes with it.
type Redis struct {
	URL    string
	folder string
	cmd    *exec.Cmd
}

// StartRedis starts the redis-server of the PATH with an append-only file, which
// is synced as fsync says (everysec, always).
func StartRedis(ctx context.Context, fsync string) (*Redis, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("install redis-server first: %w", err)
	}
	s := new(Redis)
	if s.folder, err = os.MkdirTemp("", "farthing-redis"); err != nil { // a socket's path must be short
		return nil, err
	}
	socket := filepath.Join(s.folder, "s")
	s.URL = "unix://" + socket
	s.cmd = exec.Command(binary, "--port", "0", "--unixsocket", socket, "--dir", s.folder,
		"--save", "", "--appendonly", "yes", "--appendfsync", fsync, "--daemonize", "no")
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	return s, s.answers(ctx)
}

// answers waits until the server does.
func (s *Redis) answers(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := baseline.Open(limited, s.URL, 1)
		if err == nil {
			return c.Close()
		}
		select {
		case <-limited.Done():
			return errors.Join(fmt.Errorf("redis-server does not answer: %w", err), c.Close(), s.Stop())
		case <-tick.C:
			_ = c.Close()
		}
	}
}

// Stop ends the server and deletes what it kept.
func (s *Redis) Stop() error {
	_ = s.cmd.Process.Kill() // nothing of it is needed again
	_ = s.cmd.Wait()
	return os.RemoveAll(s.folder)
}
