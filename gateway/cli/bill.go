package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"farthing/providers"
	"farthing/providers/catalog"
	"farthing/providers/catalog/bill"
	"farthing/providers/openai"
	"farthing/providers/openai/relay"
)

type billCmd struct {
	JSONL bool   `name:"jsonl" help:"One object a line in, one bill a line out."`
	JSON  bool   `help:"Write the bill as JSON."`
	File  string `arg:"" optional:"" help:"The input {id, provider, model, format?, time?, service_tier?, usage | response, prices?}; without it standard input is read." type:"existingfile"`
}

// billError stands in a line's place in --jsonl output where it has no bill.
type billError struct {
	ID    json.RawMessage `json:"id,omitempty"`
	Error string          `json:"error"`
}

func (c *billCmd) Run(_ context.Context, s streams) error {
	in, done, err := input(s, c.File)
	if err != nil {
		return err
	}
	defer done()
	book, failed := catalog.Embedded(), false
	err = bodies(in, c.JSONL, func(body []byte) error {
		id, out, err := billOne(book, body)
		switch {
		case err != nil && c.JSONL:
			failed = true
			return json.NewEncoder(s.out).Encode(billError{id, err.Error()})
		case err != nil:
			return err
		case c.JSONL:
			return json.NewEncoder(s.out).Encode(out)
		case c.JSON:
			return printJSON(s.out, out)
		}
		return printBill(s.out, &out)
	})
	if err == nil && failed {
		return errNo
	}
	return err
}

// billOne bills one input. Its id comes back with an error too.
func billOne(book *catalog.Book, body []byte) (id json.RawMessage, out bill.Output, err error) {
	var in bill.Input
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, out, fmt.Errorf("the input is not a JSON object of the form that --help shows: %w", err)
	}
	out, err = bill.One(book, in, time.Now(), decode)
	return in.ID, out, err
}

// decode reads a provider's raw response.
func decode(format providers.Format, provider string, body []byte) (providers.Meter, error) {
	if format != providers.FormatOpenAI {
		return providers.Meter{}, fmt.Errorf("responses of the format %s cannot be read by this version; give usage instead", format)
	}
	r := relay.New(openai.KnownQuirks(provider), true)
	if _, err := r.Body(body); err != nil {
		return providers.Meter{}, err
	}
	if !r.Meter().HasUsage {
		return providers.Meter{}, errors.New("the response has no usage")
	}
	return *r.Meter(), nil
}

func printBill(out io.Writer, b *bill.Output) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "%s/%s, priced by: %s\n", b.Provider, b.Model, b.Source)
	for _, l := range b.Lines {
		each := l.Price + " per million"
		if l.Each != "" {
			each = l.Each + " each"
		}
		fmt.Fprintf(w, "%s\t%d\t× $%s\t= $%s\t\n", l.Class, l.Count, each, l.CostUSD)
	}
	fmt.Fprintf(w, "total\t\t\t$%s\t\n", b.CostUSD)
	if err := w.Flush(); err != nil {
		return err
	}
	for _, warning := range b.Warnings {
		fmt.Fprintln(out, "warning:", warning)
	}
	return nil
}
