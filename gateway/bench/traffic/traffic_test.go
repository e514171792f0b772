package traffic

import (
	"context"
	"testing"
	"time"
)

// TestLinesInPieces cuts a stream at every place.
func TestLinesInPieces(t *testing.T) {
	text := "data: " + `{"content":"12 "}` + "\n\n: a comment\n\n" + "data: " + `{"delta":{}}` + "\n\ndata: [DONE]\n\n"
	for at := range len(text) {
		c := Client{sent: time.Now()}
		c.take([]byte(text[:at]))
		c.take([]byte(text[at:]))
		if len(c.Delays) != 1 || c.First <= 0 || !c.complete || time.Since(time.Unix(0, 12)).Nanoseconds()-c.Delays[0] > int64(time.Minute) {
			t.Fatalf("cut at %d: %+v", at, c)
		}
	}
}

// TestBothEnds lets the client ask the upstream.
func TestBothEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	address, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- ServeUpstream(ctx, func(a string) { address <- a }) }()
	at := <-address
	for _, q := range []Chat{{Model: Fast, Question: "Why?"}, {Model: Fast, Question: "Why?", Stream: true}, {Model: Paced, Question: "Why?", Stream: true}} {
		c, err := Dial(t.Context(), at, q, 41)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			began := time.Now()
			if err := c.Do(); err != nil {
				t.Errorf("%+v: %v", q, err)
			}
			took := time.Since(began)
			if q.Stream && (len(c.Delays) != Events || c.First <= 0 || c.First > int64(took)) {
				t.Errorf("%+v: %d events, the first after %d ns of %v", q, len(c.Delays), c.First, took)
			}
			if q.Model == Paced && took < (Events-1)*Pace/2 {
				t.Errorf("a paced stream took %v", took)
			}
		}
		if string(c.serial) != "000000000000002b" {
			t.Errorf("the second question has number %s, want 43 in hex", c.serial)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
