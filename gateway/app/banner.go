package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"farthing/gateway/admin"
	"farthing/gateway/app/plan"
	"farthing/gateway/config"
	"farthing/gateway/edge/local"
	"farthing/policies/route"
)

// letIn finds or makes the admin key, and refuses to listen to other machines
// while nobody has a key.
func (a *App) letIn(file *config.File) (string, error) {
	known, _, err := adminKey(file.Server.Admin.Key, file.Data, false)
	if err != nil {
		return "", err
	}
	if !plan.LoopbackOnly(file) && known == "" && a.keys.Count() == 0 && !a.o.FirstKey {
		open := file.Server.Listen
		if local.Loopback(open) {
			open = file.Server.Admin.Listen
		}
		return "", fmt.Errorf("%s is open to other machines, and there is neither a key nor an admin key: make one first with `farthing keys create --owner NAME`, set %s, or start with --first-key",
			open, adminKeyEnv)
	}
	key, path, err := adminKey(file.Server.Admin.Key, file.Data, true)
	a.adminKeyPath = path
	return key, err
}

// banner tells people what serves and where, and how to try it.
func (a *App) banner(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	level, warnings, err := describe(limited, a.store)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		a.log.Warn("store: " + w)
	}
	now := a.serving()
	secret, err := a.firstKey(limited)
	if err != nil {
		return err
	}
	data, operations := a.edge.Addr()
	w := tabwriter.NewWriter(a.o.Out, 0, 4, 2, ' ', 0)
	say := func(what, format string, args ...any) {
		fmt.Fprintf(w, "  %s\t%s\n", what, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(w, "farthing %s\n", Version)
	say("listens", "%s%s", scheme(&now.Loaded.File), reachable(data))
	if operations != data {
		say("admin", "%s%s", scheme(&now.Loaded.File), reachable(operations))
	}
	say("store", "%s", level)
	for _, line := range now.World.Told {
		say("found", "%s", line)
	}
	for _, t := range now.Targets() {
		say("target", "%s", t.Name)
	}
	if a.adminKeyPath != "" {
		say("admin key", "%s", a.adminKeyPath)
	}
	a.sayBudgets(say, now)
	a.sayLearning(say, now)
	a.sayDoor(say, now)
	if err := w.Flush(); err != nil {
		return err
	}
	return a.sayCurl(now, secret)
}

func (a *App) sayBudgets(say func(string, string, ...any), now *plan.Plan) {
	budgets := now.Loaded.File.Budgets
	switch {
	case now.Loaded.Path == "":
		say("budget", "$5 per day over everything, because there is no file; write `budgets: {default: {limit: $5 per day}}` into one to change it (serve -c FILE)")
	case len(budgets) == 0:
		say("budget", "none: nothing limits what is spent; add `budgets: {all: {limit: $20 per month}}` to the file")
	default:
		say("budgets", "%s", strings.Join(slices.Sorted(maps.Keys(budgets)), ", "))
	}
}

func (a *App) sayLearning(say func(string, string, ...any), now *plan.Plan) {
	for _, name := range now.State.Names.Names() {
		m, err := now.State.Names.Resolve(name)
		if err == nil && m.Pick == route.BestValue && len(m.Targets) > 1 {
			say("quality", "not learned yet: best_value goes by the targets' published abilities")
			return
		}
	}
}

func (a *App) sayDoor(say func(string, string, ...any), now *plan.Plan) {
	keys := a.keys.Count()
	switch {
	case now.State.Open && keys > 0:
		say("keys", "%d; programs on this machine need none (open_on_localhost)", keys)
	case now.State.Open:
		say("keys", "none needed from this machine (open_on_localhost)")
	default:
		say("keys", "%d; every request needs one", keys)
	}
}

// sayCurl prints a line that works as it stands, with the first key if one was
// made, or what is missing for one.
func (a *App) sayCurl(now *plan.Plan, secret string) error {
	if len(now.Targets()) == 0 && len(now.Loaded.File.Models) == 0 {
		_, err := fmt.Fprintln(a.o.Out, "\nnothing can answer yet: set OPENAI_API_KEY, DEEPSEEK_API_KEY or another provider's key, or start a model server such as Ollama on this machine")
		return err
	}
	url := a.o.PublicURL
	if url == "" {
		data, _ := a.edge.Addr()
		url = scheme(&now.Loaded.File) + reachable(data)
	}
	authorization := ""
	switch {
	case secret != "":
		authorization = fmt.Sprintf(" \\\n    -H 'Authorization: Bearer %s'", secret)
	case !now.State.Open:
		authorization = " \\\n    -H 'Authorization: Bearer fk-…'"
	}
	model := "auto"
	if names := now.State.Names.Names(); len(names) > 0 && !slices.Contains(names, model) {
		model = names[0]
	}
	_, err := fmt.Fprintf(a.o.Out, "\ntry it:\n  curl %s/v1/chat/completions%s \\\n    -H 'Content-Type: application/json' \\\n    -d '{\"model\": \"%s\", \"messages\": [{\"role\": \"user\", \"content\": \"What is the capital of France?\"}]}'\n",
		strings.TrimRight(url, "/"), authorization, model)
	return err
}

// firstKey makes a key where one was asked for and there is none.
func (a *App) firstKey(ctx context.Context) (string, error) {
	if !a.o.FirstKey || a.keys.Count() > 0 {
		return "", nil
	}
	made, err := a.admin.CreateKey(ctx, admin.NewKey{Owner: "first"})
	if err != nil {
		return "", errors.Join(errors.New("the first key could not be made"), err)
	}
	return made.Secret, nil
}
