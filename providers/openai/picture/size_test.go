package picture

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"
)

func TestSize(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 37, 11))
	made := map[string]func(io.Writer) error{
		"png":  func(w io.Writer) error { return png.Encode(w, m) },
		"jpeg": func(w io.Writer) error { return jpeg.Encode(w, m, nil) },
		"gif":  func(w io.Writer) error { return gif.Encode(w, m, nil) },
		"VP8": func(w io.Writer) error {
			_, err := io.WriteString(w, "RIFF\x00\x00\x00\x00WEBPVP8 \x00\x00\x00\x00\x30\x01\x00\x9d\x01\x2a\x25\x00\x0b\x40")
			return err
		},
		"VP8L": func(w io.Writer) error {
			_, err := io.WriteString(w, "RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00\x2f\x24\x80\x02\x00\x00\x00\x00\x00\x00")
			return err
		},
		"VP8X": func(w io.Writer) error {
			_, err := io.WriteString(w, "RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x24\x00\x00\x0a\x00\x00")
			return err
		},
	}
	for name, make := range made {
		var b bytes.Buffer
		if err := make(&b); err != nil {
			t.Fatal(err)
		}
		whole := b.Bytes()
		if w, h := Size(bytes.NewReader(whole)); w != 37 || h != 11 {
			t.Errorf("%s: %d×%d, want 37×11", name, w, h)
		}
		for i := range min(len(whole), 29) {
			if w, h := Size(bytes.NewReader(whole[:i])); w != 0 && w != 37 || h != 0 && h != 11 {
				t.Errorf("%s cut at %d: %d×%d", name, i, w, h)
			}
		}
	}
	for _, in := range []string{"", "hello", strings.Repeat("x", 100), "\x89PNG" + strings.Repeat("\xff", 60)} {
		if w, h := Size(strings.NewReader(in)); w != 0 || h != 0 {
			t.Errorf("%q: %d×%d", in, w, h)
		}
	}
}
