package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"farthing/policies/budget"
	"farthing/policies/route"
	"farthing/providers"
)

// Failures says in plain sentences what each choice of the file means when
// something fails or runs out: who is let in, the store, each provider, each
// engine, each model, each budget. It expects a file without errors, with its
// defaults.
func Failures(f File) []string {
	return slices.Concat(f.doorFails(), f.storeFails(), f.providersFail(), f.enginesFail(), f.modelsFail(), f.budgetsRunOut())
}

func (f *File) doorFails() []string {
	if !f.Server.Open() {
		return []string{"server: every request needs a key, from this machine too."}
	}
	return []string{fmt.Sprintf("server: while every listener is loopback (%s), programs on this machine need no key; behind a proxy on this machine set open_on_localhost: false.", f.Server.Listen)}
}

func (f *File) storeFails() []string {
	if f.Store.Redis.IsZero() {
		return []string{fmt.Sprintf("store: SQLite in %s, for one process. If the folder is lost, so are spend, keys and receipts; on a full disk %s", f.Data, f.paidWithoutStore())}
	}
	return []string{fmt.Sprintf("store: while Redis cannot be reached, %s Known keys work from memory, unknown ones get 503.", f.paidWithoutStore())}
}

func (f *File) paidWithoutStore() string {
	then := "are refused"
	if paid := f.Store.WhenDown.Paid; paid != "" && paid != "refuse" {
		then = fmt.Sprintf("may spend %s, which no budget covers", paid)
	}
	return fmt.Sprintf("paid targets go on with the money already drawn and then %s; self-hosted targets serve on.", then)
}

func (f *File) providersFail() []string {
	var lines []string
	for _, name := range sorted(f.Providers) {
		t := f.Providers[name].Timeouts.WithDefaults()
		lines = append(lines, fmt.Sprintf("providers.%s: given up after %s to connect, %s to the first byte, %s between bytes, %s in all; a request that was sent and not answered is charged at its hold.",
			name, short(t.Connect), short(t.FirstByte), short(t.BetweenBytes), short(t.Total)))
	}
	return lines
}

func (f *File) enginesFail() []string {
	var lines []string
	for _, name := range sorted(f.Engines) {
		if rest := f.withOthers(name); len(rest) > 0 {
			lines = append(lines, fmt.Sprintf("engines.%s: while it is down, other targets serve %s, which may cost money.", name, strings.Join(rest, ", ")))
		}
		if alone := f.onlyOn(name); len(alone) > 0 {
			lines = append(lines, fmt.Sprintf("engines.%s: while it is down, nothing serves %s: 503.", name, strings.Join(alone, ", ")))
		}
	}
	return lines
}

// onlyOn lists the models that nothing but the engine serves, withOthers those
// that it serves among others.
func (f *File) onlyOn(engine string) []string {
	return f.modelsWhere(func(on []string) bool { return len(on) == 1 && on[0] == engine })
}

func (f *File) withOthers(engine string) []string {
	return f.modelsWhere(func(on []string) bool { return len(on) > 1 && slices.Contains(on, engine) })
}

func (f *File) modelsWhere(holds func(on []string) bool) []string {
	var names []string
	for _, name := range sorted(f.Models) {
		on := map[string]bool{}
		for _, target := range f.targets(name, map[string]bool{}) {
			where, _, _ := strings.Cut(target, "/")
			on[where] = true
		}
		if holds(sorted(on)) {
			names = append(names, name)
		}
	}
	return names
}

// targets follows a model's `from` through other models' names, each once. A
// cycle is reported elsewhere.
func (f *File) targets(name string, seen map[string]bool) []string {
	seen[name] = true
	var all []string
	for _, from := range f.Models[name].From {
		if seen[from] {
			continue
		}
		seen[from] = true
		if _, model := f.Models[from]; model {
			all = append(all, f.targets(from, seen)...)
		} else {
			all = append(all, from)
		}
	}
	return all
}

func (f *File) modelsFail() []string {
	var lines []string
	for _, name := range sorted(f.Models) {
		m, targets := f.Models[name], f.targets(name, map[string]bool{})
		switch {
		case len(targets) > 1 || len(targets) == 1 && strings.HasSuffix(targets[0], "/*"):
			lines = append(lines, fmt.Sprintf("models.%s: before the first byte a failure goes on to the next of %s (%s); after it, the client sees the error.%s", name, strings.Join(targets, ", "), ranked(m), f.patience(m, targets)))
		case len(targets) == 1:
			lines = append(lines, fmt.Sprintf("models.%s: only %s serves it, so its failure is the client's.", name, targets[0]))
		}
	}
	return lines
}

func ranked(m route.ModelConfig) string {
	if m.Listed && m.Pick == "" {
		return string(route.InOrder)
	}
	return cmp.Or(m.Pick, string(route.BestValue))
}

// patience says how long a busy engine among the targets is waited for.
func (f *File) patience(m route.ModelConfig, targets []string) string {
	for _, t := range targets {
		where, _, _ := strings.Cut(t, "/")
		if _, own := f.Engines[where]; own {
			wait := cmp.Or(m.MaxQueueWait, providers.Duration(route.DefaultQueueWait))
			return fmt.Sprintf(" A busy engine is waited for %s at most.", short(wait))
		}
	}
	return ""
}

func (f *File) budgetsRunOut() []string {
	if len(f.Budgets) == 0 {
		return []string{"budgets: there are none, so nothing limits what is spent."}
	}
	var lines []string
	for _, name := range sorted(f.Budgets) {
		b := f.Budgets[name]
		lines = append(lines, fmt.Sprintf("budgets.%s: %s%s: %s", name, limits(b.Limit), each(b), spent(b)))
	}
	return lines
}

func each(b budget.Config) string {
	if b.Each == "" {
		return ""
	}
	return " for each " + b.Each
}

func spent(b budget.Config) string {
	switch {
	case b.Mode == "warn":
		return "past it, requests are served all the same and a warning is recorded."
	case b.WhenSpent.Model != "":
		return fmt.Sprintf("once no paid hold fits, the request is decided anew as %s.", b.WhenSpent.Model)
	case b.WhenSpent.Action == "refuse":
		return "once no paid hold fits, nothing serves the request: 429."
	}
	return "once no paid hold fits, the model's self-hosted targets serve; where it has none, 429."
}

func limits(all []budget.Limit) string {
	if len(all) == 0 {
		return "no limit of its own"
	}
	texts := make([]string, len(all))
	for i, l := range all {
		texts[i] = l.String()
	}
	return strings.Join(texts, " and ")
}

// short writes a duration without the zero units of time.Duration (15m, not
// 15m0s).
func short(d providers.Duration) string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
