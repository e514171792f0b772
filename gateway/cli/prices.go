package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"farthing/gateway/admin"
	"farthing/providers"
	"farthing/providers/catalog/price"
)

type pricesCmd struct {
	List pricesList `cmd:"" help:"What targets cost today, in dollars per million tokens."`
	Show pricesShow `cmd:"" help:"Everything known of one target's prices, by date."`
}

type pricesList struct {
	operatorFlags
	Match string `help:"Only targets whose name contains this."`
}

func (c *pricesList) Run(ctx context.Context, s streams) error {
	return c.operateBook(func(o operator) error {
		list, err := o.Prices(ctx, c.Match)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s.out, list)
		}
		w := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "TARGET\tINPUT\tCACHE READ\tCACHE WRITE\tOUTPUT\tFROM\tSOURCE")
		for _, p := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Target, dollars(p.Input), dollars(p.CacheRead), dollars(p.CacheWrite), dollars(p.Output), p.From, p.Source)
		}
		return w.Flush()
	})
}

func dollars(p *providers.Price) string {
	if p == nil {
		return "–"
	}
	return "$" + p.String()
}

type pricesShow struct {
	operatorFlags
	Target string `arg:"" help:"provider/model."`
}

func (c *pricesShow) Run(ctx context.Context, s streams) error {
	return c.operateBook(func(o operator) error {
		h, err := o.PriceOf(ctx, c.Target)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s.out, h)
		}
		return printPrices(s.out, &h)
	})
}

func printPrices(out io.Writer, h *admin.PriceHistory) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "%s, dollars per million tokens (price book %s)\n", h.Target, h.Book)
	for _, row := range h.Own {
		printRow(w, "the file's own row", &row)
	}
	for _, row := range h.Rows {
		printRow(w, "the book's row", &row)
	}
	return w.Flush()
}

func printRow(w io.Writer, whose string, r *price.RowConfig) {
	from := "from the beginning"
	if r.From != "" {
		from = "from " + r.From
	}
	if r.To != "" {
		from += " to " + r.To
	}
	fmt.Fprintf(w, "\n%s, %s\n", whose, from)
	if r.Source != "" {
		fmt.Fprintf(w, "  source: %s\n", r.Source)
	}
	r.Each(func(class price.Class, p providers.Price) { fmt.Fprintf(w, "  %s\t$%s\n", class, p) })
	for _, tokens := range slices.Sorted(maps.Keys(r.Above)) {
		r.Above[tokens].Each(func(class price.Class, p providers.Price) {
			fmt.Fprintf(w, "  %s above %d tokens\t$%s\n", class, tokens, p)
		})
	}
	for _, tier := range slices.Sorted(maps.Keys(r.Tiers)) {
		fmt.Fprintf(w, "  tier %s\thas prices of its own (--json shows them)\n", tier)
	}
	if len(r.OffPeak) > 0 {
		fmt.Fprintf(w, "  off-peak\t%d window(s) of the day (--json shows them)\n", len(r.OffPeak))
	}
}
