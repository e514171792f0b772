// Package picture reads how large an image is, which is what providers count its
// tokens by, from the head of its bytes: PNG, JPEG, GIF and WebP.
package picture

import (
	"bufio"
	"encoding/binary"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
)

// maxSide is the largest width or height that is believed.
const maxSide = 1 << 20

// Size reads width and height in pixels, no more of r than it must. Both are 0
// where the format is unknown or the head is broken.
func Size(r io.Reader) (width, height int) {
	b := bufio.NewReader(r)
	head, err := b.Peek(30)
	if err != nil && len(head) < 12 {
		return 0, 0
	}
	var c image.Config
	switch {
	case string(head[:4]) == "\x89PNG":
		c, err = png.DecodeConfig(b)
	case string(head[:2]) == "\xff\xd8":
		c, err = jpeg.DecodeConfig(b)
	case string(head[:4]) == "GIF8":
		c, err = gif.DecodeConfig(b)
	case string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP" && len(head) == 30:
		c, err = webp(head), nil
	default:
		return 0, 0
	}
	if err != nil || c.Width <= 0 || c.Height <= 0 || c.Width > maxSide || c.Height > maxSide {
		return 0, 0
	}
	return c.Width, c.Height
}

// webp reads the three kinds of WebP head; layouts after RFC 9649 §2.5–2.7 and
// RFC 6386 §9.1.
func webp(head []byte) (c image.Config) {
	le := binary.LittleEndian
	switch string(head[12:16]) {
	case "VP8 ": // lossy: 14 bits each after the start code
		c.Width, c.Height = int(le.Uint16(head[26:])&0x3fff), int(le.Uint16(head[28:])&0x3fff)
	case "VP8L": // lossless: 14 bits each, minus one, after the signature byte
		bits := le.Uint32(head[21:])
		c.Width, c.Height = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
	case "VP8X": // extended: 24 bits each, minus one
		c.Width, c.Height = int(le.Uint32(head[23:])>>8)+1, int(le.Uint32(head[26:])>>8)+1
	}
	return c
}
