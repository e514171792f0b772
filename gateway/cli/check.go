package cli

import (
	"context"
	"fmt"

	"farthing/gateway/app"
	"farthing/gateway/app/world"
	"farthing/gateway/config"
)

type checkCmd struct {
	Config string `short:"c" help:"The file; without one the built-in defaults are checked."`
	Live   bool   `help:"Try every provider's key and every engine."`
	Schema bool   `help:"Print the JSON Schema of the file, for editors, and do nothing else."`
	JSON   bool   `help:"Write JSON for programs."`
}

// checked is the command's answer for programs.
type checked struct {
	OK      bool         `json:"ok"`
	Found   []diagnostic `json:"found"`
	Targets []string     `json:"targets,omitempty"`
	Fails   []string     `json:"when_things_fail,omitempty"`
	Live    []world.Live `json:"live,omitempty"`
}

type diagnostic struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Warning bool   `json:"warning,omitempty"`
}

func (c *checkCmd) Run(ctx context.Context, s streams) error {
	if c.Schema {
		_, err := s.out.Write(config.Schema())
		return err
	}
	found := app.Check(ctx, c.Config)
	answer := checked{OK: found.Err() == nil, Targets: found.Targets, Fails: found.Fails, Found: []diagnostic{}}
	for _, d := range found.Found {
		answer.Found = append(answer.Found, diagnostic{d.File, d.Line, d.Column, d.Path, d.Message, d.Warning})
	}
	if c.Live && answer.OK {
		answer.Live = found.TryAll(ctx)
		for _, l := range answer.Live {
			answer.OK = answer.OK && l.OK
		}
	}
	if err := c.print(s, found, &answer); err != nil {
		return err
	}
	if !answer.OK {
		return errNo
	}
	return nil
}

func (c *checkCmd) print(s streams, found *app.Checked, answer *checked) error {
	if c.JSON {
		return printJSON(s.out, answer)
	}
	for _, d := range found.Found {
		fmt.Fprintln(s.out, d)
	}
	for _, line := range found.Told {
		fmt.Fprintln(s.out, "found:", line)
	}
	if found.Err() != nil {
		return nil
	}
	for _, t := range found.Targets {
		fmt.Fprintln(s.out, "target:", t)
	}
	fmt.Fprintln(s.out, "\nWhen things fail:")
	for _, line := range found.Fails {
		fmt.Fprintln(s.out, " ", line)
	}
	for _, l := range answer.Live {
		verdict := "works"
		if !l.OK {
			verdict = "FAILS"
		}
		fmt.Fprintf(s.out, "%s %s: %s\n", verdict, l.Name, l.Said)
	}
	return nil
}
