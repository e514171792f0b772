package storetest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Redis is the URL of a redis-server for one test. REDIS_URL names one that is
// there for tests alone, since its data is deleted; otherwise a server of the
// test's own is started from the PATH, on a socket in a new folder, and stopped
// when the test ends.
func Redis(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("REDIS_URL"); url != "" {
		return url
	}
	return StartRedis(t).URL
}

// Server is a redis-server that a test has started.
type Server struct {
	URL    string
	folder string
	args   []string
	cmd    *exec.Cmd
}

// StartRedis starts a redis-server of the test's own, with more arguments such
// as "--appendonly", "yes".
func StartRedis(t testing.TB, args ...string) *Server {
	t.Helper()
	folder, err := os.MkdirTemp("", "farthing-redis") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{URL: "unix://" + filepath.Join(folder, "s"), folder: folder, args: args}
	s.Start(t)
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(folder)
	})
	return s
}

// Start starts the server, again after Kill, in the same folder.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server on the PATH and no REDIS_URL: `make test` installs one")
	}
	socket := filepath.Join(s.folder, "s")
	_ = os.Remove(socket)
	s.cmd = exec.Command(binary, append([]string{
		"--port", "0", "--unixsocket", socket, "--dir", s.folder,
		"--save", "", "--enable-debug-command", "yes", "--daemonize", "no",
	}, s.args...)...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if answers(socket) {
			return
		}
		<-time.After(5 * time.Millisecond)
	}
	t.Fatal("redis-server does not answer within ten seconds")
}

// answers asks the server for a PONG.
func answers(socket string) bool {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	defer c.Close()
	reply := make([]byte, 5)
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	_, err = c.Read(reply)
	return err == nil && string(reply) == "+PONG"
}

// Kill ends the server at once, as a crash does.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}
