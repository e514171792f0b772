package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// keepAlive finds a dead peer within a minute and a quarter even while a
// reasoning model is silent for minutes.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}

const maxHeader = 1 << 20 // bytes of an answer's header

// netWire is net/http's transport: HTTP/2 where TLS offers it.
type netWire struct{ t *http.Transport }

func newNetWire(connect time.Duration, maxIdle int) *netWire {
	d := &net.Dialer{Timeout: connect, KeepAliveConfig: keepAlive}
	return &netWire{&http.Transport{
		Proxy:                  proxy,
		DialContext:            d.DialContext,
		TLSHandshakeTimeout:    connect,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        60 * time.Second,
		ExpectContinueTimeout:  time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}}
}

// proxy honours HTTPS_PROXY and NO_PROXY for https. An engine is reached by
// plain http and an address of one's own; a proxy there would be a surprise.
func proxy(r *http.Request) (*url.URL, error) {
	if r.URL.Scheme != "https" || loopback(r.URL.Hostname()) {
		return nil, nil
	}
	return http.ProxyFromEnvironment(r)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// roundTrip sends r. GetBody stays unset, so that the transport repeats the
// call only where it knows that nothing was written.
func (n *netWire) roundTrip(ctx context.Context, r *http.Request, body []byte, sent *atomic.Bool) (*http.Response, error) {
	trace := &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { sent.Store(false) },
		WroteHeaders: func() { sent.Store(true) },
	}
	r = r.WithContext(httptrace.WithClientTrace(ctx, trace))
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
	}
	return n.t.RoundTrip(r)
}

func (n *netWire) closeIdle() { n.t.CloseIdleConnections() }
