// Package local decides whether a request comes from a program on this machine,
// and not from a web page or through a proxy. Such a request may go without a key.
package local

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// Request is what decides it.
type Request struct {
	Peer        bool   // the connection comes from a loopback address
	Host        string // the Host header
	Origin      string // the Origin header; "" if there was none
	ContentType string // the Content-Type header
	Body        bool   // the request has a body
	Forwarded   bool   // a Forwarded, X-Forwarded-* or X-Real-IP header says that a proxy stands between
	HTTP11      bool   // HTTP/1.1; proxies of old speak 1.0
}

// Local says yes only if nothing speaks against it. A web page can send a
// request to this machine, but neither with a loopback Host after rebinding a
// name, nor without its Origin, nor as application/json without asking first.
func (r *Request) Local() bool {
	switch {
	case !r.Peer, !r.HTTP11, r.Forwarded:
		return false
	case !loopbackHost(r.Host):
		return false
	case r.Origin != "" && !loopbackOrigin(r.Origin):
		return false
	case r.Body && !isJSON(r.ContentType):
		return false
	}
	return true
}

func isJSON(contentType string) bool {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(t), "application/json")
}

// loopbackHost reads localhost, 127.0.0.0/8 or ::1, with or without a port.
func loopbackHost(host string) bool {
	name := host
	if h, port, err := net.SplitHostPort(host); err == nil {
		if !digits(port) {
			return false
		}
		name = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		name = host[1 : len(host)-1]
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

func digits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

func loopbackOrigin(from string) bool {
	u, err := url.Parse(from)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && loopbackHost(u.Host)
}

// Loopback says whether a listen address ("127.0.0.1:4700", "localhost:0")
// takes connections from this machine only. An address without a host does not.
func Loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && host != "" && loopbackHost(host)
}
