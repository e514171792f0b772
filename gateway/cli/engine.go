package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"farthing/localengine/embedded"
	"farthing/localengine/supervise"
)

type engineCmd struct {
	Listen     string `help:"Where to listen; port 0 takes any." default:"127.0.0.1:4711"`
	Model      string `help:"A GGUF file (qwen3moe or gptoss); without it the 2 MB demonstration model." type:"existingfile"`
	Threads    int    `help:"Threads that compute; 0: one less than there are cores."`
	Context    int    `help:"The most tokens of prompt and answer together; 0: the model's own, at most 8192."`
	Queue      int    `help:"Requests that may wait while one runs; 0: 64."`
	Supervised bool   `help:"Run as the child of a gateway: say on standard output where it listens, and end with standard input." hidden:""`
}

func (c *engineCmd) Run(ctx context.Context, s streams) error {
	if err := embedded.Available(); err != nil {
		return err
	}
	level := slog.LevelInfo
	if c.Supervised { // what the library tells of its loading is noise in a gateway's log
		level = slog.LevelWarn
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level})))
	o := embedded.Options{Listen: c.Listen, ModelPath: c.Model, Threads: c.Threads, Context: c.Context, Queue: c.Queue}
	o.Ready = func(address, model string) { c.announce(s.out, address, model) }
	if c.Supervised {
		o.ParentPipe = os.Stdin
	}
	return embedded.Serve(ctx, o)
}

func (c *engineCmd) announce(out io.Writer, address, model string) {
	if c.Supervised {
		if err := supervise.Announce(out, address, model); err != nil {
			slog.Error("the gateway cannot be told that the engine is ready", "error", err)
		}
		return
	}
	note := ""
	if model == embedded.ModelName {
		note = " (a 2 MB demonstration, not a model to work with)"
	}
	fmt.Fprintf(out, "serving %s%s at http://%s/v1\n", model, note, address)
}
