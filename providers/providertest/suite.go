// Package providertest is the suite that every wire format passes: a stream says
// the same however its bytes come, a cut at any byte is noticed, and no status or
// body of an upstream's error confuses anybody.
//
// A format's tests describe it as a Format and call Suite. The pieces (Run,
// Decode, Gather, SameJSON, …) serve the format's own tests too.
package providertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"farthing/providers"
	"farthing/providers/sse"
)

// Relay is a format's same-format step over an answer.
type Relay interface {
	Frame(sse.Frame) ([]byte, error)
	End() ([]byte, error)
	Body([]byte) ([]byte, error)
	Meter() *providers.Meter
}

// Format is what the suite must know of a wire format.
type Format struct {
	Stream     []byte // a whole stream as the format's own vendor sends it, with usage
	Text       string // its generated text
	Body       []byte // a whole answer that is not streamed
	NewRelay   func() Relay
	ParseError func(status int, header func(string) string, body []byte) *providers.Error
	ErrorBody  func(*providers.Error) []byte
	Envelopes  []string // error bodies that upstreams of the format send; each says "boom" as its message
}

// Readers are the ways in which the bytes of a stream may come.
var Readers = map[string]func(io.Reader) io.Reader{
	"whole":        func(r io.Reader) io.Reader { return r },
	"one byte":     iotest.OneByteReader,
	"half":         iotest.HalfReader,
	"data and EOF": iotest.DataErrReader,
}

// Run sends every frame of src through r and returns what the client would get.
func Run(r Relay, src *sse.Reader) (out []byte, err error) {
	for {
		f, err := src.Next()
		if err == io.EOF {
			last, err := r.End()
			return append(out, last...), err
		}
		if err != nil {
			return out, err
		}
		b, err := r.Frame(f)
		out = append(out, b...)
		if err != nil {
			return out, err
		}
	}
}

// Suite runs all of it.
func Suite(t *testing.T, f Format) {
	t.Run("readers", func(t *testing.T) { readers(t, f) })
	t.Run("cuts", func(t *testing.T) { cuts(t, f) })
	t.Run("body", func(t *testing.T) { body(t, f) })
	t.Run("statuses", func(t *testing.T) { statuses(t, f) })
}

// readers: same bytes and same meter, however the stream comes.
func readers(t *testing.T, f Format) {
	for name, read := range Readers {
		r := f.NewRelay()
		out, err := Run(r, sse.NewReader(read(bytes.NewReader(f.Stream)), 0))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(out, f.Stream) {
			t.Errorf("%s: the stream came out changed:\n%s", name, cmp.Diff(string(f.Stream), string(out)))
		}
		m := r.Meter()
		if !m.Complete || !m.HasUsage || m.Finish == "" || string(m.Text) != f.Text || m.ID == "" || m.Model == "" {
			t.Errorf("%s: the meter says %+v, text %q, want %q", name, m, m.Text, f.Text)
		}
	}
}

// cuts: a stream that ends at any byte is either whole or an error that comes
// with an event for the client, and never says more than was sent.
func cuts(t *testing.T, f Format) {
	whole := f.NewRelay()
	if _, err := Run(whole, sse.NewReader(bytes.NewReader(f.Stream), 0)); err != nil {
		t.Fatal(err)
	}
	cut := 0
	for i := range f.Stream {
		r := f.NewRelay()
		out, err := Run(r, sse.NewReader(bytes.NewReader(f.Stream[:i]), 0))
		m := r.Meter()
		if (err == nil) != m.Complete {
			t.Errorf("cut at %d: complete is %v with error %v", i, m.Complete, err)
		}
		if !strings.HasPrefix(f.Text, string(m.Text)) {
			t.Errorf("cut at %d: text %q is no beginning of %q", i, m.Text, f.Text)
		}
		if err == nil {
			continue
		}
		cut++
		if e := providers.AsError(err); e.Kind != providers.Upstream {
			t.Errorf("cut at %d: kind %v, want upstream", i, e.Kind)
		}
		if last := lastData(out); !json.Valid(last) || !bytes.Contains(last, []byte("error")) || !bytes.HasSuffix(out, []byte("\n\n")) {
			t.Errorf("cut at %d: no error event for the client in %q", i, out)
		}
	}
	if cut < len(f.Stream)/2 {
		t.Errorf("only %d of %d cuts were noticed", cut, len(f.Stream))
	}
}

// lastData is the data of a stream's last event.
func lastData(stream []byte) (last []byte) {
	src := sse.NewReader(bytes.NewReader(stream), 0)
	for {
		f, err := src.Next()
		if err != nil {
			return last
		}
		if len(f.Data) > 0 {
			last = bytes.Clone(f.Data)
		}
	}
}

func body(t *testing.T, f Format) {
	r := f.NewRelay()
	out, err := r.Body(f.Body)
	if err != nil || !bytes.Equal(out, f.Body) {
		t.Fatalf("the body came out as %q, %v", out, err)
	}
	if m := r.Meter(); !m.Complete || !m.HasUsage || m.Finish == "" {
		t.Errorf("the meter says %+v", m)
	}
	for i := range f.Body {
		if _, err := f.NewRelay().Body(f.Body[:i]); err == nil {
			t.Errorf("the first %d bytes passed for a body", i)
		}
	}
}

// statuses: every status with every kind of body.
func statuses(t *testing.T, f Format) {
	none := func(string) string { return "" }
	other := []string{"", "null", "[]", "{}", "<html><body><h1>502 Bad Gateway</h1></body></html>", `{"error":`, `{"error":{}}`, `{"error":7}`, "\xff\xfe", "plain words"}
	for status := 400; status < 600; status++ {
		for i, b := range append(append([]string(nil), f.Envelopes...), other...) {
			e := f.ParseError(status, none, []byte(b))
			if e.Status != status || e.Kind == providers.Internal || e.Message == "" || strings.Contains(e.Message, "<") {
				t.Fatalf("%d %q: read as %+v", status, b, e)
			}
			if i < len(f.Envelopes) && !strings.Contains(e.Error(), "boom") {
				t.Errorf("%d %q: the message is lost: %v", status, b, e)
			}
			if out := f.ErrorBody(e); !json.Valid(out) {
				t.Errorf("%d %q: written as %q", status, b, out)
			}
		}
	}
	for status, want := range map[int]providers.Kind{
		400: providers.Invalid, 401: providers.Upstream, 404: providers.NotFound, 408: providers.Timeout,
		413: providers.TooLarge, 429: providers.RateLimited, 500: providers.Upstream, 502: providers.Upstream, 503: providers.Unavailable,
		504: providers.Timeout, 529: providers.Unavailable,
	} {
		if got := f.ParseError(status, none, nil).Kind; got != want {
			t.Errorf("%d is %v, want %v", status, got, want)
		}
	}
}

// SameJSON says how two JSON texts differ in meaning: order of members, spaces
// and the spelling of numbers and strings aside.
func SameJSON(want, got []byte) error {
	var w, g any
	if err := json.Unmarshal(want, &w); err != nil {
		return err
	}
	if err := json.Unmarshal(got, &g); err != nil {
		return fmt.Errorf("%w in %q", err, got)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		return fmt.Errorf("(-want +got)\n%s", diff)
	}
	return nil
}

// SameButEdits says how after differs from before with the members of edits set
// and then change made.
func SameButEdits(before, after []byte, edits map[string]any, change func(map[string]any)) error {
	var w map[string]any
	if err := json.Unmarshal(before, &w); err != nil {
		return err
	}
	for k, v := range edits {
		w[k] = v
	}
	change(w)
	want, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return SameJSON(want, after)
}
