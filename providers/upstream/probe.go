package upstream

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Get asks a server on this machine or in this network for a small document:
// what answers at an address, and with which models. It takes no longer than
// timeout, never goes through a proxy, follows no redirect, and fails on any
// status but 200 and on an answer of more than maxBytes. header is what the
// server is shown besides, such as its key.
func Get(ctx context.Context, url string, timeout time.Duration, maxBytes int64, header ...[2]string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "farthing")
	for _, kv := range header {
		r.Header.Set(kv[0], kv[1])
	}
	t := &http.Transport{DialContext: (&net.Dialer{}).DialContext, DisableKeepAlives: true}
	resp, err := t.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxBytes+1))
	if err == nil && int64(len(b)) > maxBytes {
		err = fmt.Errorf("%s answered more than %d bytes", url, maxBytes)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}
