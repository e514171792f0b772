package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"farthing/gateway/admin"
)

type keysCmd struct {
	Create keysCreate `cmd:"" help:"Make a key. It is shown once."`
	List   keysList   `cmd:"" help:"List the keys."`
	Revoke keysRevoke `cmd:"" help:"Revoke a key; every replica knows within seconds."`
}

type keysCreate struct {
	operatorFlags
	Owner     string            `required:"" help:"The person or service that the key belongs to."`
	Team      string            `help:"The owner's team."`
	Name      string            `help:"The key's name; made from the owner if absent."`
	Tag       map[string]string `help:"A tag for everything the key does (app=ci)."`
	MayUse    []string          `help:"The model names that it may send (* as a wildcard); none: the file's default, else all."`
	Expires   string            `help:"A date, a time such as 90d, or never; default: the file's."`
	TrustUser bool              `name:"trust-user-header" help:"Believe x-farthing-user from this key."`
}

func (c *keysCreate) Run(ctx context.Context, s streams) error {
	return c.operate(ctx, func(o operator) error {
		made, err := o.CreateKey(ctx, admin.NewKey{Name: c.Name, Owner: c.Owner, Team: c.Team, Tags: c.Tag, MayUse: c.MayUse, Expires: c.Expires, TrustUserHeader: c.TrustUser})
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s.out, made)
		}
		fmt.Fprintf(s.out, "%s\n", made.Secret)
		fmt.Fprintf(s.err, "This is the key %s of %s. It is shown this once. %s\n", made.Key.Name, made.Key.Owner, expiry(made.Key))
		return nil
	})
}

func expiry(k admin.KeyView) string {
	if k.Expires.IsZero() {
		return "It does not expire."
	}
	return "It expires on " + k.Expires.Format("2006-01-02") + "."
}

type keysList struct{ operatorFlags }

func (c *keysList) Run(ctx context.Context, s streams) error {
	return c.operate(ctx, func(o operator) error {
		keys, err := o.ListKeys(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s.out, keys)
		}
		w := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tOWNER\tTEAM\tSTATE\tEXPIRES\tMAY USE\tFROM")
		for _, k := range keys {
			expires, mayUse := "never", "(default)"
			if !k.Expires.IsZero() {
				expires = k.Expires.Format("2006-01-02")
			}
			if len(k.MayUse) > 0 {
				mayUse = strings.Join(k.MayUse, ",")
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Name, k.Owner, k.Team, k.State, expires, mayUse, k.Source)
		}
		return w.Flush()
	})
}

type keysRevoke struct {
	operatorFlags
	Name string `arg:"" help:"The key's name, or the first digits of its hash."`
}

func (c *keysRevoke) Run(ctx context.Context, s streams) error {
	return c.operate(ctx, func(o operator) error {
		k, err := o.RevokeKey(ctx, c.Name)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s.out, k)
		}
		fmt.Fprintf(s.out, "%s is revoked.\n", k.Name)
		return nil
	})
}
