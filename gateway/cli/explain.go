package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"farthing/gateway/app"
	"farthing/gateway/app/plan"
	"farthing/gateway/flow"
	"farthing/gateway/record"
	"farthing/policies/route"
	"farthing/providers"
)

// maxRequest bounds one request body on a command's input.
const maxRequest = 32 << 20

type explainCmd struct {
	Config  string            `short:"c" help:"The file; without one the built-in defaults decide." type:"existingfile"`
	JSONL   bool              `name:"jsonl" help:"One request body a line in, one receipt a line out."`
	JSON    bool              `help:"Write the receipt as JSON."`
	Key     string            `help:"The name of the key that asks." default:"local"`
	User    string            `help:"The user that asks."`
	Team    string            `help:"The team that asks."`
	Tag     map[string]string `help:"A tag of the request (app=ci)."`
	Session string            `help:"The session that the request belongs to."`
	File    string            `arg:"" optional:"" help:"The request bodies; without it they are read from standard input." type:"existingfile"`
}

func (c *explainCmd) Run(ctx context.Context, s streams) error {
	in, done, err := input(s, c.File)
	if err != nil {
		return err
	}
	defer done()
	found := app.Check(ctx, c.Config)
	if err := found.Err(); err != nil {
		return err
	}
	e, err := found.NewExplainer(ctx, plan.Asker{Key: c.Key, User: c.User, Team: c.Team, Tags: c.Tag})
	if err != nil {
		return err
	}
	refused := false
	err = bodies(in, c.JSONL, func(body []byte) error {
		r := e.Explain(ctx, &flow.Inbound{Endpoint: "chat.completions", Format: providers.FormatOpenAI, Body: body, Header: flow.Header{Session: c.Session}})
		refused = refused || r.Error != ""
		switch {
		case c.JSONL:
			return json.NewEncoder(s.out).Encode(r)
		case c.JSON:
			return printJSON(s.out, r)
		}
		return printReceipt(s.out, r)
	})
	if err == nil && refused {
		return errNo
	}
	return err
}

// input opens a command's input: a file, or standard input.
func input(s streams, path string) (io.Reader, func() error, error) {
	if path == "" {
		return s.in, func() error { return nil }, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	return f, f.Close, nil
}

// bodies calls do with the whole input, or with each of its lines.
func bodies(in io.Reader, lines bool, do func(body []byte) error) error {
	if !lines {
		body, err := io.ReadAll(io.LimitReader(in, maxRequest+1))
		switch {
		case err != nil:
			return err
		case len(body) > maxRequest:
			return fmt.Errorf("the input is longer than %d bytes", maxRequest)
		}
		return do(body)
	}
	return eachLine(in, maxRequest, do)
}

// printReceipt shows a decision in the order of a request's fate: key, model,
// policies, who can serve, value, budgets.
func printReceipt(out io.Writer, r *record.Receipt) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	say := func(what, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	say("key", "%s (user %s, team %s%s)", r.Key, r.User, cmp.Or(r.Team, "none"), tagsOf(r))
	say("model", "%s", r.Asked)
	if len(r.Candidates) > 0 {
		say("estimate", "%d tokens in (held as %d), likely %d out, at most %d", r.Estimate.Input, r.Estimate.InputBound, r.Estimate.OutputLikely, r.Estimate.OutputMost)
	}
	if d := r.Estimate.Difficulty; d != nil {
		say("difficulty", "%.2f (%s)", *d, r.Estimate.DifficultyModel)
	}
	say("policies", "%s", cmp.Or(strings.Join(r.Policies, ", "), "none applies"))
	for _, c := range r.Candidates {
		if c.WhyNot != "" {
			say("cannot serve", "%s: %s", c.Target, c.WhyNot)
		}
	}
	ranked := slices.DeleteFunc(slices.Clone(r.Candidates), func(c route.Explained) bool { return c.Rank == 0 })
	slices.SortFunc(ranked, func(a, b route.Explained) int { return a.Rank - b.Rank })
	for _, c := range ranked {
		say(fmt.Sprintf("%d.", c.Rank), "%s: value %.6f, costs about %s, quality %s, waits %d ms", c.Target, c.Value, c.Cost.USD(), qualityOf(c), c.WaitMS)
	}
	for _, b := range r.Budgets {
		say("charges", "%s (%s per %s)", b.Name, b.Limit.USD(), b.Per)
	}
	for _, n := range r.Notes {
		say("note", "%s", n)
	}
	if r.Error != "" {
		say("refused", "%s", r.Error)
	} else {
		say("decided", "%s, because %s", r.Target, r.Reason)
	}
	return w.Flush()
}

func tagsOf(r *record.Receipt) string {
	if len(r.Tags) == 0 {
		return ""
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.Tags)) {
		all = append(all, name+"="+r.Tags[name])
	}
	return ", tags " + strings.Join(all, " ")
}

func qualityOf(c route.Explained) string {
	if !c.Quality.Known {
		return "unknown"
	}
	return fmt.Sprintf("%.2f (%.2f to %.2f)", c.Quality.Value, c.Quality.Low, c.Quality.High)
}

// eachLine calls do with every line that is not blank.
func eachLine(in io.Reader, most int, do func(line []byte) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, most)
	for lines.Scan() {
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
			if err := do(bytes.Clone(line)); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return errors.Join(errors.New("the input could not be read"), err)
	}
	return nil
}
