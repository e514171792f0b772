package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
)

type budgetsCmd struct {
	List budgetsList `cmd:"" default:"withargs" help:"Every budget in its present window."`
}

type budgetsList struct{ operatorFlags }

func (c *budgetsList) Run(ctx context.Context, s streams) error {
	return c.operate(ctx, func(o operator) error {
		budgets, err := o.Budgets(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s.out, budgets)
		}
		if len(budgets) == 0 {
			_, err := fmt.Fprintln(s.out, "No budget limits what is spent: add `budgets: {all: {limit: $20 per month}}` to the file.")
			return err
		}
		w := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "BUDGET\tWINDOW\tLIMIT\tSPENT\tHELD\tUNCONFIRMED\tLEFT\tOVER\tMODE\t")
		for _, b := range budgets {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", b.Name, b.Window, b.Limit.USD(), b.Spent.USD(), b.Held.USD(),
				b.Unconfirmed.USD(), b.Left.USD(), b.Over.USD(), b.Mode)
		}
		return w.Flush()
	})
}
