// Command bench measures what Farthing costs and prints one table of it: the
// estimate against tiktoken-go, the decision, a hold with its settlement against
// the barest write to the same store, and whole requests and streams through the
// gateway against a bare fiber proxy and against no proxy at all.
//
// Machines are shared and noisy. So whatever is compared takes turns: a round
// measures each of them once for a moment, there are several rounds, and a row
// is the median over the rounds with the tenth and the ninetieth percentile
// beside it. A ratio is made within each round, from two figures that saw the
// same machine, and then treated alike.
//
// The upstream, the bare proxy and each gateway are processes of their own, this
// same binary started again; the clients are in this process, and all
// share the machine's cores. A gateway is what `farthing serve` runs: app.New
// and Run on a file.
//
//	main.go   flags, groups, rounds
//	drive.go  some clients doing something for a while
//	estimate.go decide.go hold.go requests.go  the groups; house.go and note.go of the last
//	author.go texts to count
//	table     figures, rounds and quantiles → the table
//	traffic   the clients and the provider that answers
//	part      processes beside this one
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"farthing/gateway/app"
	"farthing/gateway/bench/part"
	"farthing/gateway/bench/table"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command runs the command line and returns the exit code.
func command(args []string, in io.Reader, out, errOut io.Writer) int {
	if len(args) > 0 && args[0] == part.Command {
		return exit(part.Serve(parts, args[1:], in, out), errOut)
	}
	b := &bench{progress: errOut}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.StringVar(&b.json, "json", "", "write the table to this file as JSON too")
	flags.BoolVar(&b.short, "short", false, "run every row with a handful of operations; the figures mean little")
	flags.IntVar(&b.rounds, "rounds", 11, "rounds of each group")
	flags.DurationVar(&b.moment, "moment", 400*time.Millisecond, "how long each figure is measured in a round")
	flags.StringVar(&b.folder, "folder", "", "folder for the stores' files (default: a temporary one); its disk decides what a commit costs")
	flags.StringVar(&b.only, "only", "", "comma-separated groups to run: "+strings.Join(names(), ", "))
	flags.StringVar(&b.profile, "profile", "", "write CPU and allocation profiles of the gateways to this folder")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return exit(b.run(ctx, out), errOut)
}

func exit(err error, errOut io.Writer) int {
	if err != nil {
		fmt.Fprintln(errOut, "bench:", err)
		return 1
	}
	return 0
}

// bench is one run.
type bench struct {
	json, folder, only, profile string
	short                       bool
	rounds                      int
	moment                      time.Duration // of one measurement
	least                       int           // operations of one, however long they take
	progress                    io.Writer
}

// group is a part of the table: what its rows are about, and what opens it.
type group struct {
	name, about string
	open        func(context.Context, *bench) (turns, error)
}

// turns measures everything of a group once for each call of round.
type turns interface {
	round(ctx context.Context, s *table.Sheet) error
	close() error
}

var groups = []group{
	{"estimate", "policies/estimate reads a chat and counts it for one target; one goroutine, its CPU time with garbage collection", openEstimate},
	{"decide", "route.Rules.Decide under two policies; one goroutine, its CPU time", openDecide},
	{"hold", "ledger.Hold and Settle over three budgets with four limits; the yardstick commits one number", openHold},
	{"request", "a chat with a small answer; added: more than the same quantile without a proxy", openRequests},
	{"stream", "a chat with 200 events, one every 2 ms for one client, else as fast as they go; delay: from the upstream's clock in the event to the client", openStreams},
}

func names() (list []string) {
	for _, g := range groups {
		list = append(list, g.name)
	}
	return list
}

// run measures the chosen groups, prints the table and writes the file.
func (b *bench) run(ctx context.Context, out io.Writer) (err error) {
	b.least = 1
	if b.short {
		b.rounds, b.moment = 2, 0
	}
	chosen := names()
	if b.only != "" {
		chosen = strings.Split(b.only, ",")
	}
	for _, name := range chosen {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("there is no group %q, only %s", name, strings.Join(names(), ", "))
		}
	}
	if b.rounds < 1 {
		return errors.New("there must be some rounds")
	}
	parent := b.folder
	if b.folder, err = os.MkdirTemp(parent, "farthing-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.folder)
	t := table.New(app.Version, b.rounds, b.moment, b.short)
	for _, g := range groups {
		if !slices.Contains(chosen, g.name) {
			continue
		}
		s := new(table.Sheet)
		if err := b.measure(ctx, g, s); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		t.Groups = append(t.Groups, table.Group{Name: g.name, About: g.about, Rows: s.Rows()})
	}
	t.Took = time.Since(t.Began).Round(time.Second).String()
	if err := t.Print(out); err != nil {
		return err
	}
	return t.Write(b.json)
}

// measure opens a group, takes one round to warm up, unless the run is short, and
// then those that count.
func (b *bench) measure(ctx context.Context, g group, s *table.Sheet) (err error) {
	t, err := g.open(ctx, b)
	if err != nil {
		return err
	}
	defer func() {
		if e := t.close(); err == nil {
			err = e
		}
	}()
	if !b.short {
		if err := t.round(ctx, new(table.Sheet)); err != nil {
			return err
		}
	}
	for n := range b.rounds {
		fmt.Fprintf(b.progress, "\r%-9s round %d of %d ", g.name, n+1, b.rounds)
		if err := t.round(ctx, s); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	fmt.Fprintf(b.progress, "\r%-9s done          \n", g.name)
	return nil
}
