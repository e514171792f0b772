package cli

import (
	"context"
	"log/slog"

	"farthing/gateway/app"
)

type serveCmd struct {
	Config    string `short:"c" help:"The file; without one built-in defaults serve." type:"existingfile"`
	FirstKey  bool   `help:"Make a key if the store has none, and print it once in a curl line."`
	PublicURL string `help:"The address under which people reach the gateway, for the printed curl line."`
	LogLevel  string `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`
	JSONLogs  bool   `name:"json-logs" help:"Write the log as JSON lines."`
}

func (c *serveCmd) Run(ctx context.Context, s streams) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return usageError{err}
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(s.err, options)
	if c.JSONLogs {
		handler = slog.NewJSONHandler(s.err, options)
	}
	log := slog.New(handler)
	slog.SetDefault(log) // for libraries that log by themselves
	a, err := app.New(ctx, app.Options{Config: c.Config, FirstKey: c.FirstKey, PublicURL: c.PublicURL, Log: log, Out: s.out})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}
