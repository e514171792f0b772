package embedded

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// meter counts what the engine did since the process began. Unlike
// llama.cpp's, its token counters move with every step and not only when a
// request ends.
type meter struct {
	prompt, generated         atomic.Int64
	prefillNanos, decodeNanos atomic.Int64
	requests, rejected        atomic.Int64
	cancelled                 atomic.Int64
}

// write prints the counters, and how many requests run and wait at this
// moment, in the text format of Prometheus.
func (m *meter) write(w io.Writer, running, waiting int) {
	seconds := func(n *atomic.Int64) float64 { return time.Duration(n.Load()).Seconds() }
	for _, x := range []struct {
		name, kind, help string
		value            float64
	}{
		{"requests_running", "gauge", "Requests that the engine works on.", float64(running)},
		{"requests_waiting", "gauge", "Requests in the queue.", float64(waiting)},
		{"requests_total", "counter", "Requests that began to run.", float64(m.requests.Load())},
		{"requests_cancelled_total", "counter", "Requests whose client left before the end.", float64(m.cancelled.Load())},
		{"queue_rejections_total", "counter", "Requests refused because the queue was full.", float64(m.rejected.Load())},
		{"prompt_tokens_total", "counter", "Prompt tokens read.", float64(m.prompt.Load())},
		{"generated_tokens_total", "counter", "Tokens written.", float64(m.generated.Load())},
		{"prefill_seconds_total", "counter", "Time spent reading prompts.", seconds(&m.prefillNanos)},
		{"decode_seconds_total", "counter", "Time spent writing tokens.", seconds(&m.decodeNanos)},
	} {
		// An error means that the reader has gone.
		_, _ = fmt.Fprintf(w, "# HELP farthing_engine_%[1]s %[2]s\n# TYPE farthing_engine_%[1]s %[3]s\nfarthing_engine_%[1]s %[4]v\n", x.name, x.help, x.kind, x.value)
	}
}
