// Package cli is the command line: each command is a small struct whose fields
// are its flags and whose Run does it, in a file of its name. Commands about
// keys, budgets and prices go through the running gateway's admin API; with none
// running they open the store themselves (see operator.go).
//
// Exit codes: 0 done, 1 the answer is no, 2 used wrongly.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"farthing/gateway/app"
)

// grammar is the whole command line.
type grammar struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Start the gateway (the default)."`
	Check   checkCmd   `cmd:"" help:"Validate a file: print every mistake with its line, and what each choice means when things fail."`
	Explain explainCmd `cmd:"" help:"Request bodies in, receipts out: what would be decided, and why. Sends nothing."`
	Bill    billCmd    `cmd:"" help:"Usage in, dollars out, with a line per class of tokens."`
	Keys    keysCmd    `cmd:"" help:"Make, list and revoke keys."`
	Budgets budgetsCmd `cmd:"" help:"Show what budgets have spent, held and left."`
	Prices  pricesCmd  `cmd:"" help:"Show the price book."`
	Engine  engineCmd  `cmd:"" help:"Run the embedded engine alone, as an OpenAI-compatible server."`
	Healthy healthyCmd `cmd:"" help:"Ask the running gateway whether it is ready; for health checks."`

	Version kong.VersionFlag `help:"Print the version and do nothing else."`
}

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// errNo ends a command with exit code 1 after it has said why itself.
var errNo = errors.New("no")

// usageError ends a command with exit code 2.
type usageError struct{ error }

// Main runs the command line and returns the exit code.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var g grammar
	exited := -1
	parser, err := kong.New(&g,
		kong.Name("farthing"),
		kong.Description("A cost-aware LLM routing gateway with budgets that cannot be overspent."),
		kong.Vars{"version": "farthing " + app.Version}, kong.Writers(out, errOut), kong.Exit(func(code int) { exited = code }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(streams{in, out, errOut}))
	if err != nil {
		fmt.Fprintln(errOut, "farthing:", err)
		return 2
	}
	command, err := parser.Parse(args)
	if exited >= 0 { // --help or --version has been written
		return exited
	}
	if err != nil {
		fmt.Fprintln(errOut, "farthing:", err, "(see farthing --help)")
		return 2
	}
	return code(command.Run(), errOut)
}

// code turns a command's error into the exit code and says what went wrong.
func code(err error, errOut io.Writer) int {
	var wrong usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNo):
		return 1
	case errors.As(err, &wrong):
		fmt.Fprintln(errOut, "farthing:", err)
		return 2
	}
	fmt.Fprintln(errOut, "farthing:", err)
	return 1
}
