// Package baseline counts tokens with tiktoken-go as its documentation says to.
// It is the yardstick against which gateway/bench measures policies/estimate;
// nothing that serves uses it.
package baseline

import (
	"fmt"

	"github.com/pkoukk/tiktoken-go"
	loader "github.com/pkoukk/tiktoken-go-loader"
)

// Counter counts in one encoding.
type Counter struct{ encoder *tiktoken.Tiktoken }

// New reads the encoding's vocabulary from the embedded copy. It sets the loader
// of the whole process, which nothing else of Farthing uses.
func New(encoding string) (*Counter, error) {
	tiktoken.SetBpeLoader(loader.NewOfflineLoader())
	encoder, err := tiktoken.GetEncoding(encoding)
	if err != nil {
		return nil, fmt.Errorf("tiktoken-go has no encoding %s: %w", encoding, err)
	}
	return &Counter{encoder}, nil
}

// Tokens is the number of tokens of all texts together.
func (c *Counter) Tokens(texts []string) (n int64) {
	for _, text := range texts {
		n += int64(len(c.encoder.EncodeOrdinary(text)))
	}
	return n
}
