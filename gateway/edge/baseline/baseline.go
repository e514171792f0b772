// Package baseline is the least that a gateway on fiber could do: fiber's own
// proxy middleware in front of one upstream. It reads no body, knows no prices
// and keeps no budget. It is the yardstick against which gateway/bench measures
// a whole request; nothing that serves uses it.
package baseline

import (
	"context"
	"fmt"
	"net"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/proxy"
	"github.com/valyala/fasthttp"
)

// Serve proxies every request to the same path of the upstream (http://host:port)
// until ctx ends. An answer is passed on as it comes, so that streams are
// streams. serving is called once, with the proxy's address.
func Serve(ctx context.Context, upstream string, serving func(address string)) error {
	client := &fasthttp.Client{
		NoDefaultUserAgentHeader: true, DisablePathNormalizing: true,
		StreamResponseBody: true, MaxConnsPerHost: 16384,
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(func(c *fiber.Ctx) error { return proxy.Do(c, upstream+c.OriginalURL(), client) })
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("the bare proxy cannot listen: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = app.Shutdown() })
	defer stop()
	serving(listener.Addr().String())
	return app.Listener(listener)
}
