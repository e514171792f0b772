package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"farthing/gateway/admin"
	"farthing/gateway/app"
	"farthing/providers"
	"farthing/providers/upstream"
)

// operatorFlags are common to the commands that an operator runs against a
// gateway.
type operatorFlags struct {
	Config string `short:"c" help:"The gateway's file: where it listens and what its store is." type:"existingfile"`
	JSON   bool   `help:"Write JSON for programs."`
}

// operator is what those commands need: the admin API of a running gateway, or
// the service on a store opened here.
type operator interface {
	keyKeeper
	bookkeeper
}

type keyKeeper interface {
	CreateKey(ctx context.Context, n admin.NewKey) (admin.MadeKey, error)
	ListKeys(ctx context.Context) ([]admin.KeyView, error)
	RevokeKey(ctx context.Context, name string) (admin.KeyView, error)
}

type bookkeeper interface {
	Budgets(ctx context.Context) ([]admin.BudgetView, error)
	Prices(ctx context.Context, match string) ([]admin.PriceView, error)
	PriceOf(ctx context.Context, target string) (admin.PriceHistory, error)
}

// operate runs do with the running gateway if there is one, else with the store.
func (f operatorFlags) operate(ctx context.Context, do func(operator) error) error {
	return f.ask(do, func() error {
		service, closeStore, err := app.OpenService(ctx, f.Config)
		if err != nil {
			return fmt.Errorf("no gateway answers, and its store cannot be opened: %w", err)
		}
		return errors.Join(do(service), closeStore())
	})
}

// operateBook runs do with the running gateway if there is one, else with the
// price book of this binary and the file's rows.
func (f operatorFlags) operateBook(do func(operator) error) error {
	return f.ask(do, func() error {
		service, err := app.OpenBook(f.Config)
		if err != nil {
			return err
		}
		return do(service)
	})
}

// ask runs do with the running gateway, and otherwise where none answers.
func (f operatorFlags) ask(do func(operator) error, otherwise func() error) error {
	place, keyless := app.Locate(f.Config)
	if place.URL == "" {
		return keyless
	}
	remote, err := newRemote(place, keyless)
	if err != nil {
		return err
	}
	if err := do(remote); !notRunning(err) {
		return err
	}
	return otherwise()
}

// notRunning says that nobody listens at the gateway's address.
func notRunning(err error) bool {
	var f *upstream.Failure
	return errors.As(err, &f) && !f.Sent
}

// remote is the admin API of a running gateway.
type remote struct {
	client  *upstream.Client
	url     string
	keyless error // why there is no admin key to show
}

// newRemote makes the client. That the admin key cannot be read here matters
// only to a gateway that runs.
func newRemote(place app.Place, keyless error) (remote, error) {
	if place.AdminKey == "" && keyless == nil {
		keyless = errors.New("there is none in the data folder or in FARTHING_ADMIN_KEY")
	}
	client, err := upstream.New(upstream.Options{URL: place.URL, Header: [][2]string{{"Authorization", "Bearer " + place.AdminKey}}})
	return remote{client, place.URL, keyless}, err
}

func (r remote) CreateKey(ctx context.Context, n admin.NewKey) (m admin.MadeKey, err error) {
	err = r.call(ctx, "POST", "/admin/v1/keys", n, &m)
	return m, err
}

func (r remote) ListKeys(ctx context.Context) (k []admin.KeyView, err error) {
	err = r.call(ctx, "GET", "/admin/v1/keys", nil, &k)
	return k, err
}

func (r remote) RevokeKey(ctx context.Context, name string) (k admin.KeyView, err error) {
	err = r.call(ctx, "DELETE", "/admin/v1/keys/"+url.PathEscape(name), nil, &k)
	return k, err
}

func (r remote) Budgets(ctx context.Context) (b []admin.BudgetView, err error) {
	err = r.call(ctx, "GET", "/admin/v1/budgets", nil, &b)
	return b, err
}

func (r remote) Prices(ctx context.Context, match string) (p []admin.PriceView, err error) {
	err = r.call(ctx, "GET", "/admin/v1/prices?match="+url.QueryEscape(match), nil, &p)
	return p, err
}

func (r remote) PriceOf(ctx context.Context, target string) (h admin.PriceHistory, err error) {
	err = r.call(ctx, "GET", "/admin/v1/prices/"+url.PathEscape(target), nil, &h)
	return h, err
}

// call sends one operation. An answer that is not a success is an error with
// the gateway's own words.
func (r remote) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	response, err := r.client.Do(ctx, upstream.Call{Method: method, Path: path, Body: body, Header: [][2]string{{"Content-Type", "application/json"}}})
	if err != nil {
		return err
	}
	answer, err := upstream.ReadAll(response, 64<<20)
	if err != nil {
		return err
	}
	switch {
	case response.Status == 401 && r.keyless != nil:
		return fmt.Errorf("a gateway runs at %s and wants its admin key (401): %w", r.url, r.keyless)
	case response.Status == 401:
		return fmt.Errorf("a gateway runs at %s and refuses this admin key (401): it was started with another file, data folder or FARTHING_ADMIN_KEY", r.url)
	case response.Status != 200:
		var problem struct{ Error string }
		if json.Unmarshal(answer, &problem) != nil || problem.Error == "" {
			problem.Error = fmt.Sprintf("the gateway answered %d", response.Status)
		}
		return &providers.Error{Kind: providers.Invalid, Message: problem.Error}
	}
	return json.Unmarshal(answer, out)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
