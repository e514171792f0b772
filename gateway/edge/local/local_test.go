package local

import "testing"

// TestLocal starts from a request that is local and changes one thing at a time.
func TestLocal(t *testing.T) {
	cases := map[string]struct {
		change func(*Request)
		want   bool
	}{
		"as it is":                {func(*Request) {}, true},
		"from another machine":    {func(r *Request) { r.Peer = false }, false},
		"HTTP/1.0":                {func(r *Request) { r.HTTP11 = false }, false},
		"behind a proxy":          {func(r *Request) { r.Forwarded = true }, false},
		"host without port":       {func(r *Request) { r.Host = "localhost" }, true},
		"host in capitals":        {func(r *Request) { r.Host = "LOCALHOST:1" }, true},
		"host 127/8":              {func(r *Request) { r.Host = "127.8.9.1:4700" }, true},
		"host IPv6":               {func(r *Request) { r.Host = "[::1]:4700" }, true},
		"host IPv6 without port":  {func(r *Request) { r.Host = "[::1]" }, true},
		"no host":                 {func(r *Request) { r.Host = "" }, false},
		"a rebound name":          {func(r *Request) { r.Host = "evil.example:4700" }, false},
		"a name that begins so":   {func(r *Request) { r.Host = "localhost.evil.example" }, false},
		"127.0.0.1 as a label":    {func(r *Request) { r.Host = "127.0.0.1.evil.example" }, false},
		"host of the network":     {func(r *Request) { r.Host = "192.168.1.2:4700" }, false},
		"port that is none":       {func(r *Request) { r.Host = "localhost:x" }, false},
		"user in host":            {func(r *Request) { r.Host = "localhost@evil.example" }, false},
		"origin of this machine":  {func(r *Request) { r.Origin = "http://localhost:3000" }, true},
		"origin 127.0.0.1":        {func(r *Request) { r.Origin = "https://127.0.0.1" }, true},
		"foreign origin":          {func(r *Request) { r.Origin = "https://evil.example" }, false},
		"null origin":             {func(r *Request) { r.Origin = "null" }, false},
		"origin of another kind":  {func(r *Request) { r.Origin = "file://localhost" }, false},
		"origin with a user":      {func(r *Request) { r.Origin = "http://localhost@evil.example" }, false},
		"origin that is no URL":   {func(r *Request) { r.Origin = "http://%zz" }, false},
		"body as text":            {func(r *Request) { r.ContentType = "text/plain" }, false},
		"body as form":            {func(r *Request) { r.ContentType = "application/x-www-form-urlencoded" }, false},
		"body without type":       {func(r *Request) { r.ContentType = "" }, false},
		"body as JSON, with more": {func(r *Request) { r.ContentType = "Application/JSON ; charset=utf-8" }, true},
		"type that begins so":     {func(r *Request) { r.ContentType = "application/jsonp" }, false},
		"type named in another":   {func(r *Request) { r.ContentType = "text/plain; a=application/json" }, false},
		"no body, no type":        {func(r *Request) { r.Body, r.ContentType = false, "" }, true},
	}
	for name, tc := range cases {
		r := Request{Peer: true, Host: "127.0.0.1:4700", ContentType: "application/json", Body: true, HTTP11: true}
		tc.change(&r)
		if got := r.Local(); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:4700": true, "localhost:0": true, "[::1]:4700": true, ":4700": false, "0.0.0.0:4700": false, "[::]:1": false, "10.0.0.1:1": false, "": false, "127.0.0.1": false} {
		if got := Loopback(addr); got != want {
			t.Errorf("%q: %v, want %v", addr, got, want)
		}
	}
}
