package cli

import (
	"context"
	"fmt"
	"time"

	"farthing/gateway/app"
	"farthing/providers/upstream"
)

type healthyCmd struct {
	Config string `short:"c" help:"The gateway's file: where it listens." type:"existingfile"`
}

func (c *healthyCmd) Run(ctx context.Context, s streams) error {
	place, err := app.Locate(c.Config)
	if err != nil {
		return err
	}
	said, err := upstream.Get(ctx, place.URL+"/readyz", 3*time.Second, 4096)
	if err != nil {
		return fmt.Errorf("%s is not ready: %w", place.URL, err)
	}
	_, err = s.out.Write(said)
	return err
}
