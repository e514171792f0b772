package edge

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/proxy"

	"farthing/gateway/flow"
	"farthing/providers/upstream"
)

// Sizes of a small chat request and of its answer.
var (
	benchRequest = `{"model":"auto","messages":[{"role":"user","content":"` + strings.Repeat("word ", 800) + `"}]}`
	benchAnswer  = []byte(`{"choices":[{"message":{"content":"` + strings.Repeat("answer ", 70) + `"}}]}`)
)

// load has clients send requests over kept connections, as fast as answers come.
func load(b *testing.B, addr string) {
	const clients = 16
	request := []byte(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer fk-123\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", chat, len(benchRequest), benchRequest))
	var left atomic.Int64
	left.Store(int64(b.N))
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			r := bufio.NewReader(c)
			for left.Add(-1) >= 0 {
				if _, err := c.Write(request); err != nil {
					b.Error(err)
					return
				}
				if err := skip(r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/op")
}

// skip reads one answer, allocating nothing, so that the figures are the server's.
func skip(r *bufio.Reader) error {
	length := 0
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !strings.HasPrefix(string(line[:12]), "HTTP/1.1 200") {
			return fmt.Errorf("%s", line)
		}
		if len(line) == 2 {
			break
		}
		if len(line) > 16 && strings.EqualFold(string(line[:16]), "content-length: ") {
			for _, d := range line[16 : len(line)-2] {
				length = length*10 + int(d-'0')
			}
		}
	}
	_, err := r.Discard(length)
	return err
}

// provider is a bare fiber server that answers every request.
func provider(b *testing.B) string {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(func(c *fiber.Ctx) error {
		c.Set("Content-Type", "application/json")
		return c.Send(benchAnswer)
	})
	return serveApp(b, app)
}

func serveApp(b *testing.B, app *fiber.App) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go app.Listener(ln)
	b.Cleanup(func() { app.ShutdownWithTimeout(time.Millisecond) })
	return ln.Addr().String()
}

// BenchmarkServer compares a fiber handler that answers at once with the edge
// around a handler that does.
func BenchmarkServer(b *testing.B) {
	b.Run("bare fiber", func(b *testing.B) { load(b, provider(b)) })
	b.Run("edge", func(b *testing.B) {
		s := start(b, Options{}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
			return &flow.Reply{Body: benchAnswer}, nil
		}, nil)
		load(b, s.addr)
	})
}

// BenchmarkProxy compares a bare fiber reverse proxy with the edge in front of
// providers/upstream, both before the same server in this process.
func BenchmarkProxy(b *testing.B) {
	b.Run("direct", func(b *testing.B) { load(b, provider(b)) })
	b.Run("bare fiber", func(b *testing.B) {
		to := "http://" + provider(b) + chat
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Use(func(c *fiber.Ctx) error { return proxy.Do(c, to) })
		load(b, serveApp(b, app))
	})
	b.Run("edge", func(b *testing.B) {
		s := start(b, Options{}, forward(b, "http://"+provider(b)), nil)
		load(b, s.addr)
	})
}

func forward(b *testing.B, url string) flow.Handler {
	up, err := upstream.New(upstream.Options{URL: url, Header: [][2]string{{"authorization", "Bearer key"}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(up.Close)
	return func(ctx context.Context, in *flow.Inbound) (*flow.Reply, error) {
		resp, err := up.Do(ctx, upstream.Call{Path: chat, Body: in.Body})
		if err != nil {
			return nil, err
		}
		body, err := upstream.ReadAll(resp, 1<<20)
		return &flow.Reply{Status: resp.Status, Body: body}, err
	}
}

// TestAllocations holds the edge's own cost per request down.
func TestAllocations(t *testing.T) {
	s := start(t, Options{}, func(context.Context, *flow.Inbound) (*flow.Reply, error) {
		return &flow.Reply{Body: benchAnswer}, nil
	}, nil)
	c := dial(t, s)
	request := []byte(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer fk-123\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", chat))
	one := func() {
		c.Write(request)
		if err := skip(c.r); err != nil {
			t.Fatal(err)
		}
	}
	one()
	runtime.GC()
	if n := testing.AllocsPerRun(200, one); n > 20 {
		t.Errorf("%v allocations per request, want at most 20", n)
	} else {
		t.Logf("%v allocations per request", n)
	}
}
