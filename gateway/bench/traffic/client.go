// Package traffic is both ends of what goes through a gateway under
// measurement: a client that costs next to nothing, and an upstream that answers
// like a provider of OpenAI's format.
//
// Start with Dial and ServeUpstream.
package traffic

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Client speaks just as much HTTP as the answers here need, on one kept
// connection and without allocating, so that what is measured is not the client.
type Client struct {
	// Of the last answer, if it was a stream: ns from sending to its first event,
	// and of each event from the upstream's clock to here.
	First  int64
	Delays []int64

	conn    net.Conn
	reader  *bufio.Reader
	request []byte
	serial  []byte // where in the request its number stands, in hex
	number  uint64
	streams bool

	rest     []byte // the beginning of a line whose end has not come
	sent     time.Time
	complete bool // the stream's last event has come
}

// Key is the virtual key of every request; the gateways' files have its
// SHA-256.
const Key = "fk-bench-0000000000000000000000000000000000000"

// serialDigits are in the question of every request, so that it is new to
// everybody who remembers questions.
const serialDigits = "0123456789abcdef"

// Chat is what a client asks again and again.
type Chat struct {
	Model            string // Paced or Fast
	System, Question string
	Stream           bool
}

func (q *Chat) body() ([]byte, error) {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	return json.Marshal(struct {
		Model    string    `json:"model"`
		Messages []message `json:"messages"`
		Stream   bool      `json:"stream,omitempty"`
	}{q.Model, []message{{"system", q.System}, {"user", serialDigits + " " + q.Question}}, q.Stream})
}

// Dial connects to a server that speaks OpenAI's format. Each question gets a
// number, which counts up from first.
func Dial(ctx context.Context, address string, q Chat, first uint64) (*Client, error) {
	body, err := q.body()
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, reader: bufio.NewReaderSize(conn, 16<<10), number: first, streams: q.Stream}
	c.request = fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		address, Key, len(body), body)
	at := bytes.Index(c.request, []byte(serialDigits))
	c.serial = c.request[at : at+len(serialDigits)]
	return c, nil
}

// Do sends the request once more and reads its answer to the end.
func (c *Client) Do() error {
	c.number++
	for i, n := len(c.serial)-1, c.number; i >= 0; i, n = i-1, n>>4 {
		c.serial[i] = serialDigits[n&15]
	}
	c.First, c.complete, c.rest, c.Delays = 0, false, c.rest[:0], c.Delays[:0]
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	c.sent = time.Now()
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	length, err := c.head()
	if err != nil {
		return err
	}
	if length >= 0 {
		return c.body(length)
	}
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimRight(line, "\r\n")), 16, 32)
		if err != nil {
			return fmt.Errorf("the size of a chunk: %w", err)
		}
		if err := c.body(int(size)); err != nil {
			return err
		}
		if _, err := c.reader.Discard(2); err != nil {
			return err
		}
		if size == 0 {
			return c.check()
		}
	}
}

// check says whether the stream was whole.
func (c *Client) check() error {
	if c.streams && (!c.complete || len(c.Delays) != Events) {
		return fmt.Errorf("the stream had %d events of %d, and its end: %t", len(c.Delays), Events, c.complete)
	}
	return nil
}

// head reads to the end of the header. The length is -1 where the body comes in
// chunks.
func (c *Client) head() (length int, err error) {
	length = -1
	for n := 0; ; n++ {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if n == 0 && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			return 0, fmt.Errorf("the answer is %q", line)
		}
		if len(line) == 0 {
			return length, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
}

// body takes so many bytes of the answer as they come.
func (c *Client) body(size int) error {
	for size > 0 {
		if c.reader.Buffered() == 0 {
			if _, err := c.reader.Peek(1); err != nil {
				return err
			}
		}
		part, err := c.reader.Peek(min(size, c.reader.Buffered()))
		if err != nil {
			return err
		}
		if c.streams {
			c.take(part)
		}
		size -= len(part)
		if _, err := c.reader.Discard(len(part)); err != nil {
			return err
		}
	}
	return nil
}

// take reads the lines of a stream in whatever pieces they come.
func (c *Client) take(part []byte) {
	now := time.Now()
	for {
		line, after, whole := bytes.Cut(part, []byte("\n"))
		if !whole {
			c.rest = append(c.rest, part...)
			return
		}
		if len(c.rest) > 0 {
			c.rest = append(c.rest, line...)
			line = c.rest
		}
		c.line(line, now)
		c.rest, part = c.rest[:0], after
	}
}

// line notes when an event came and how long it was on its way.
func (c *Client) line(line []byte, now time.Time) {
	data, ok := bytes.CutPrefix(line, []byte("data: "))
	if !ok {
		return
	}
	if c.First == 0 {
		c.First = int64(now.Sub(c.sent))
	}
	if bytes.Equal(data, []byte("[DONE]")) {
		c.complete = true
		return
	}
	_, text, ok := bytes.Cut(data, []byte(`"content":"`))
	if !ok {
		return
	}
	at := int64(0)
	for _, d := range text {
		if d < '0' || d > '9' {
			break
		}
		at = at*10 + int64(d-'0')
	}
	c.Delays = append(c.Delays, now.UnixNano()-at)
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }
