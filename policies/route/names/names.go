// Package names finds what the name stands for that an application sends as its
// model: an entry of the file's `models`, one of their patterns, or, where the
// file has none, a name of the catalog. Start with Compile and Table.Resolve.
package names

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"farthing/policies/route"
	"farthing/providers"
)

// Catalog is what names can stand for, as the rest of the gateway knows it:
// configured providers and engines, the price book's models, and what engines
// serve now. The functions are called while a table is made and while a name is
// resolved; they must be quick and safe for concurrent use.
type Catalog struct {
	// Lookup finds provider/model or engine/model. It is false where the
	// provider is not configured or is known not to have the model.
	Lookup func(target string) (providers.Target, bool)
	// Configured says whether a provider or an engine has this name.
	Configured func(name string) bool
	// EngineModels lists the chat models of an engine; false if the name is no
	// engine's. An engine that is not up yet has none.
	EngineModels func(engine string) ([]providers.Target, bool)
	// Bare places a catalog name without a provider: own is the target at its
	// maker's API, "" where that is not configured; others are the targets of
	// the same model at other configured providers. Both are empty for a name
	// that the catalog does not have.
	Bare func(model string) (own string, others []string)
	// Names lists the bare names whose maker is configured.
	Names func() []string
	// Auto lists the candidates of `auto` where the file has no `models`.
	Auto func() []providers.Target
	// Demo is the embedded engine's model, where that engine runs.
	Demo func() (providers.Target, bool)
}

// Table is a file's models, ready for use. It is immutable.
type Table struct {
	catalog  Catalog
	configs  map[string]route.ModelConfig
	open     bool // the file has no `models` section
	exact    map[string]*route.Model
	patterns []pattern
}

// pattern is an entry of `models` with a `*`, the longest fixed part first.
type pattern struct{ entry, prefix, suffix string }

func (p pattern) fixed() int { return len(p.prefix) + len(p.suffix) }

// match returns what the `*` stands for.
func (p pattern) match(name string) (star string, ok bool) {
	if len(name) < p.fixed() || !strings.HasPrefix(name, p.prefix) || !strings.HasSuffix(name, p.suffix) {
		return "", false
	}
	return name[len(p.prefix) : len(name)-len(p.suffix)], true
}

// overlaps says that some name matches both.
func (p pattern) overlaps(q pattern) bool {
	return (strings.HasPrefix(p.prefix, q.prefix) || strings.HasPrefix(q.prefix, p.prefix)) &&
		(strings.HasSuffix(p.suffix, q.suffix) || strings.HasSuffix(q.suffix, p.suffix))
}

// Compile reads the file's models against what is configured. A nil map means
// that the file has no `models`: then every catalog name of a configured
// provider works. All mistakes are returned together; the table is usable if
// none of them is an error.
func Compile(models map[string]route.ModelConfig, c Catalog) (*Table, []providers.Problem) {
	t := &Table{catalog: c, configs: models, open: models == nil}
	problems := t.readPatterns()
	for _, entry := range slices.Sorted(maps.Keys(models)) {
		problems = append(problems, t.checkModel(entry)...)
	}
	t.exact = t.expandAll()
	return t, problems
}

// Refresh is the same table over a new catalog: for when an engine came up or
// its models changed.
func (t *Table) Refresh(c Catalog) *Table {
	n := *t
	n.catalog = c
	n.exact = n.expandAll()
	return &n
}

func (t *Table) readPatterns() (problems []providers.Problem) {
	for _, entry := range slices.Sorted(maps.Keys(t.configs)) {
		prefix, suffix, star := strings.Cut(entry, "*")
		if entry == "" || strings.Contains(suffix, "*") {
			problems = append(problems, providers.Problemf("models."+entry, "a name is not empty and has at most one *"))
			continue
		}
		if !star {
			continue
		}
		p := pattern{entry, prefix, suffix}
		for _, q := range t.patterns {
			if p.fixed() == q.fixed() && p.overlaps(q) {
				problems = append(problems, providers.Problemf("models."+entry, "is as long as the pattern %q and matches the same names", q.entry))
			}
		}
		t.patterns = append(t.patterns, p)
	}
	slices.SortStableFunc(t.patterns, func(a, b pattern) int { return cmp.Compare(b.fixed(), a.fixed()) })
	return problems
}

func (t *Table) expandAll() map[string]*route.Model {
	all := make(map[string]*route.Model, len(t.configs))
	for entry, config := range t.configs {
		if !strings.Contains(entry, "*") {
			all[entry] = t.build(entry, entry, "", &config)
		}
	}
	return all
}

// build expands an entry for one name; what cannot be found is left out, as
// checkModel has reported it.
func (t *Table) build(name, entry, star string, config *route.ModelConfig) *route.Model {
	m := config.Model(name, entry)
	x := expansion{table: t}
	for _, item := range config.From {
		_ = x.item(entry, item, star)
	}
	m.Targets = x.targets
	m.Baseline = t.baseline(config, star)
	return &m
}

// baseline is the baseline's full name: it may be written as a bare catalog
// name, or with the `*` of the pattern.
func (t *Table) baseline(config *route.ModelConfig, star string) string {
	name := strings.Replace(config.Baseline, "*", star, 1)
	if name == "" || strings.Contains(name, "/") {
		return name
	}
	if own, _ := t.catalog.Bare(name); own != "" {
		return own
	}
	return name
}

// Resolve finds what a name stands for: exactly, then by the pattern with the
// longest fixed part. Without a `models` section it is a catalog name, a target,
// `auto` or `demo`. The error is a *providers.Error for the client: NotFound,
// with the line to add, or Unavailable where the model's engine serves nothing
// yet.
func (t *Table) Resolve(name string) (*route.Model, error) {
	m, err := t.find(name)
	if err != nil {
		return nil, err
	}
	if len(m.Targets) == 0 {
		return nil, &providers.Error{
			Kind: providers.Unavailable, Code: "model_not_ready", Param: "model",
			Message: fmt.Sprintf("the model %q has no target now: %s", route.ShortName(name), t.waitsFor(m)),
		}
	}
	return m, nil
}

func (t *Table) find(name string) (*route.Model, error) {
	if m := t.exact[name]; m != nil {
		return m, nil
	}
	for _, p := range t.patterns {
		if star, ok := p.match(name); ok {
			config := t.configs[p.entry]
			if m := t.build(name, p.entry, star, &config); len(m.Targets) > 0 {
				return m, nil
			}
			return nil, t.notFound(name, p.entry)
		}
	}
	if t.open {
		return t.findOpen(name)
	}
	return nil, t.notFound(name, "")
}

// findOpen resolves a name where the file has no `models`.
func (t *Table) findOpen(name string) (*route.Model, error) {
	config := route.ModelConfig{}
	m := config.Model(name, "")
	switch name {
	case "auto":
		m.Targets = pointers(t.catalog.Auto())
		return &m, nil
	case "demo":
		if demo, ok := t.catalog.Demo(); ok {
			m.Targets = []*providers.Target{&demo}
			return &m, nil
		}
	}
	full := name
	if own, _ := t.catalog.Bare(name); own != "" {
		full = own
	}
	if target, ok := t.catalog.Lookup(full); ok {
		m.Targets = []*providers.Target{&target}
		return &m, nil
	}
	return nil, t.notFound(name, "")
}

func pointers(targets []providers.Target) []*providers.Target {
	all := make([]*providers.Target, len(targets))
	for i := range targets {
		all[i] = &targets[i]
	}
	return all
}

// waitsFor says what an empty model waits for.
func (t *Table) waitsFor(m *route.Model) string {
	if m.Entry == "" {
		return "no engine was found and no provider is configured"
	}
	return "its engine serves no chat model yet (" + strings.Join(t.configs[m.Entry].From, ", ") + ")"
}

// Names lists the names that GET /v1/models shows, sorted: the file's names,
// and for its patterns the catalog's names that they match and can serve;
// without a `models` section every name that works.
func (t *Table) Names() []string {
	var names []string
	for name := range t.exact {
		names = append(names, name)
	}
	if len(t.patterns) > 0 || t.open {
		for _, name := range t.catalog.Names() {
			if _, err := t.Resolve(name); err == nil {
				names = append(names, name)
			}
		}
	}
	if t.open {
		names = append(names, t.openNames()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (t *Table) openNames() (names []string) {
	auto := t.catalog.Auto()
	if len(auto) > 0 {
		names = append(names, "auto")
	}
	for _, target := range auto {
		names = append(names, target.Name)
	}
	if _, ok := t.catalog.Demo(); ok {
		names = append(names, "demo")
	}
	return names
}
