package sse

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

type frame struct {
	Raw, Event, Data string
	HasData          bool
}

func readAll(t *testing.T, src io.Reader, limit int) ([]frame, error) {
	t.Helper()
	var out []frame
	r := NewReader(src, limit)
	for {
		f, err := r.Next()
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return out, err
		}
		if f.DataAt >= 0 && !bytes.HasPrefix(f.Raw[f.DataAt:], f.Data) {
			t.Errorf("DataAt %d is not where %q stands in %q", f.DataAt, f.Data, f.Raw)
		}
		out = append(out, frame{string(f.Raw), string(f.Event), string(f.Data), f.Data != nil})
	}
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", 300<<10)
	for _, c := range []struct {
		name, in string
		want     []frame
	}{
		{"empty", "", nil},
		{"two", "data: a\n\ndata: b\n\n", []frame{{"data: a\n\n", "", "a", true}, {"data: b\n\n", "", "b", true}}},
		{"named", "event: error\ndata: {}\nid: 7\n\n", []frame{{"event: error\ndata: {}\nid: 7\n\n", "error", "{}", true}}},
		{"no space", "data:a\n\n", []frame{{"data:a\n\n", "", "a", true}}},
		{"two spaces", "data:  a\n\n", []frame{{"data:  a\n\n", "", " a", true}}},
		{"empty data", "data\n\ndata:\n\n", []frame{{"data\n\n", "", "", true}, {"data:\n\n", "", "", true}}},
		{"many lines", "data: a\ndata: b\ndata\ndata: c\n\n", []frame{{"data: a\ndata: b\ndata\ndata: c\n\n", "", "a\nb\n\nc", true}}},
		{"comment", ": OPENROUTER PROCESSING\n\ndata: a\n\n", []frame{{": OPENROUTER PROCESSING\n\n", "", "", false}, {"data: a\n\n", "", "a", true}}},
		{"comment inside", ": x\ndata: a\n\n", []frame{{": x\ndata: a\n\n", "", "a", true}}},
		{"blank lines", "\n\ndata: a\n\n\n", []frame{{"\n", "", "", false}, {"\n", "", "", false}, {"data: a\n\n", "", "a", true}, {"\n", "", "", false}}},
		{"no last blank line", "data: a\n\ndata: b\n", []frame{{"data: a\n\n", "", "a", true}, {"data: b\n", "", "b", true}}},
		{"no last line end", "data: a\n\ndata: b", []frame{{"data: a\n\n", "", "a", true}, {"data: b", "", "b", true}}},
		{"byte order mark", "\xef\xbb\xbfdata: a\n\n", []frame{{"\xef\xbb\xbfdata: a\n\n", "", "a", true}}},
		{"long line", "data: " + long + "\n\n", []frame{{"data: " + long + "\n\n", "", long, true}}},
		{"utf-8", "data: é→😀\n\n", []frame{{"data: é→😀\n\n", "", "é→😀", true}}},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "one byte": iotest.OneByteReader,
			"half": iotest.HalfReader, "data and EOF": iotest.DataErrReader,
		} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				got, err := readAll(t, wrap(strings.NewReader(c.in)), 0)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// TestLineEnds reads one stream with each line end. How a \r\n that closes an
// event is shared between two frames may differ; bytes and data may not.
func TestLineEnds(t *testing.T) {
	const in = ": hi\n\nevent: e\ndata: a\ndata: b\n\ndata: c\n\n\ndata: d\n\n"
	for _, end := range []string{"\n", "\r\n", "\r"} {
		stream := strings.ReplaceAll(in, "\n", end)
		for _, src := range []io.Reader{strings.NewReader(stream), iotest.OneByteReader(strings.NewReader(stream)), iotest.HalfReader(strings.NewReader(stream))} {
			frames, err := readAll(t, src, 0)
			if err != nil {
				t.Fatal(err)
			}
			var raw, data string
			for _, f := range frames {
				raw += f.Raw
				if f.HasData {
					data += f.Event + "=" + f.Data + ";"
				}
			}
			if raw != stream || data != "e=a\nb;=c;=d;" {
				t.Errorf("line end %q: data %q, raw %q", end, data, raw)
			}
		}
	}
}

// TestAtOnce checks that an event is given as soon as its blank line is there,
// without waiting for the next byte.
func TestAtOnce(t *testing.T) {
	for _, event := range []string{"data: a\n\n", "data: a\r\n\r\n", "data: a\r\r"} {
		broken := errors.New("broken")
		r := NewReader(io.MultiReader(strings.NewReader(event), iotest.ErrReader(broken)), 0)
		f, err := r.Next()
		if err != nil || string(f.Data) != "a" {
			t.Errorf("%q: %q, %v", event, f.Data, err)
		}
		if _, err := r.Next(); err != broken {
			t.Errorf("%q: then %v, want the source's error", event, err)
		}
	}
}

func TestBound(t *testing.T) {
	in := "data: " + strings.Repeat("x", 100_000) + "\n\n"
	if _, err := readAll(t, strings.NewReader(in), len(in)); err != nil {
		t.Errorf("an event of exactly the bound: %v", err)
	}
	for _, src := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
		if _, err := readAll(t, src, len(in)-1); err != ErrTooLong {
			t.Errorf("one byte over the bound: %v", err)
		}
	}
	if _, err := readAll(t, strings.NewReader("data: a\n\ndata: "+strings.Repeat("y", 50)), 20); err != ErrTooLong {
		t.Errorf("last event over the bound: %v", err)
	}
}

func TestSourceFails(t *testing.T) {
	src := io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(io.ErrUnexpectedEOF))
	got, err := readAll(t, src, 0)
	if err != io.ErrUnexpectedEOF || len(got) != 1 {
		t.Errorf("got %v, %v: the unfinished event must not be given", got, err)
	}
	if _, err := readAll(t, stuck{}, 0); err != io.ErrNoProgress {
		t.Errorf("a source without bytes: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func FuzzReader(f *testing.F) {
	for _, s := range []string{"data: a\n\n", "event: e\r\ndata:b\r\n\r\n: c\r\r", "\xef\xbb\xbfdata\n\n\n", "data: a\ndata: b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, err := readAll(t, bytes.NewReader(in), 0)
		if err != nil {
			t.Fatal(err)
		}
		single, err := readAll(t, iotest.OneByteReader(bytes.NewReader(in)), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, frames := range [][]frame{whole, single} {
			var raw string
			for _, f := range frames {
				raw += f.Raw
			}
			if raw != string(in) {
				t.Fatalf("frames put together are %q, want %q", raw, in)
			}
		}
		if diff := cmp.Diff(data(whole), data(single)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func data(frames []frame) (out []string) {
	for _, f := range frames {
		if f.HasData {
			out = append(out, f.Event+"="+f.Data)
		}
	}
	return out
}

func BenchmarkNext(b *testing.B) {
	event := "data: " + strings.Repeat("x", 300) + "\n\n"
	stream := strings.Repeat(event, 1000)
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	r := NewReader(strings.NewReader(stream), 0)
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			r = NewReader(strings.NewReader(stream), 0)
		}
	}
}
