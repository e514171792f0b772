package names

import (
	"fmt"
	"slices"
	"strings"

	"farthing/policies/route"
	"farthing/providers"
)

// expansion gathers the targets of one entry, following other models' names.
type expansion struct {
	table   *Table
	targets []*providers.Target
	trail   []string // the entries being expanded, from the outermost
}

// dangling is an item of `from` that stands for nothing. cycle tells a name
// that leads back to itself from one that does not exist.
type dangling struct {
	message string
	cycle   bool
}

// item adds what one item of an entry's `from` stands for; star is what the
// entry's own `*` matched. In this order: the engine's models, another entry's
// exact name, a target, a bare catalog name, a name that a pattern matches.
func (x *expansion) item(entry, item, star string) *dangling {
	t := x.table
	if strings.Contains(item, "*") {
		if !strings.Contains(entry, "*") {
			return x.engine(item)
		}
		item = strings.Replace(item, "*", star, 1)
	}
	if config, ok := t.configs[item]; ok && item != entry && !strings.Contains(item, "*") {
		return x.entry(item, "", &config)
	}
	if provider, _, slash := providers.SplitTarget(item); slash && t.catalog.Configured(provider) {
		target, ok := t.catalog.Lookup(item)
		if !ok {
			return &dangling{message: t.missing(item, nil)}
		}
		x.add(&target)
		return nil
	}
	own, others := t.catalog.Bare(item)
	if target, ok := t.catalog.Lookup(own); ok && own != "" {
		x.add(&target)
		return nil
	}
	if item == entry && len(others) == 0 {
		return &dangling{message: fmt.Sprintf("%q stands for itself", item), cycle: true}
	}
	for _, p := range t.patterns {
		if matched, ok := p.match(item); ok && item != entry {
			config := t.configs[p.entry]
			return x.entry(p.entry, matched, &config)
		}
	}
	return &dangling{message: t.missing(item, others)}
}

// entry expands another entry in the place of its name.
func (x *expansion) entry(entry, star string, config *route.ModelConfig) *dangling {
	step := entry + "\x00" + star
	if slices.Contains(x.trail, step) || len(x.trail) > len(x.table.configs) {
		return &dangling{message: fmt.Sprintf("%q leads back to itself", entry), cycle: true}
	}
	x.trail = append(x.trail, step)
	var bad *dangling
	before := len(x.targets)
	for _, item := range config.From {
		if d := x.item(entry, item, star); d != nil && (bad == nil || d.cycle) {
			bad = d
		}
	}
	x.trail = x.trail[:len(x.trail)-1]
	if star != "" && bad != nil && !bad.cycle && len(x.targets) > before {
		return nil // a pattern need not find every name everywhere
	}
	return bad
}

// engine adds the chat models of `engine/*`.
func (x *expansion) engine(item string) *dangling {
	name, rest, _ := strings.Cut(item, "/")
	models, ok := x.table.catalog.EngineModels(name)
	switch {
	case rest != "*":
		return &dangling{message: fmt.Sprintf("%q: a * on the right needs one on the left, or stands alone after an engine's name (ENGINE/*)", item)}
	case !ok && x.table.catalog.Configured(name):
		return &dangling{message: fmt.Sprintf("%q is a provider: only an engine's models can be listed by *", name)}
	case !ok:
		return &dangling{message: fmt.Sprintf("no engine is named %q", name)}
	}
	for i := range models {
		x.add(&models[i])
	}
	return nil
}

// add keeps a target once, at its first place.
func (x *expansion) add(target *providers.Target) {
	if !slices.ContainsFunc(x.targets, func(t *providers.Target) bool { return t.Name == target.Name }) {
		x.targets = append(x.targets, target)
	}
}

// missing says why an item stands for nothing.
func (t *Table) missing(item string, others []string) string {
	if len(others) > 0 {
		return fmt.Sprintf("the maker of %q is not configured: write %s", item, strings.Join(others, " or "))
	}
	provider, model, slash := providers.SplitTarget(item)
	switch {
	case slash && t.catalog.Configured(provider):
		return fmt.Sprintf("%q has no model %q", provider, model)
	case slash:
		return fmt.Sprintf("no provider or engine is named %q", provider)
	}
	return fmt.Sprintf("no model, target or catalog name is %q%s", item, t.suggest(item))
}

// checkModel reports what is wrong with one entry, its names included.
func (t *Table) checkModel(entry string) []providers.Problem {
	config, path := t.configs[entry], "models."+entry
	problems := config.Check(path)
	star := "" // a pattern is tried with a stand-in, for cycles; its other names are checked when they are used
	if strings.Contains(entry, "*") {
		star = "x"
	}
	x := expansion{table: t, trail: []string{entry + "\x00" + star}}
	for i, item := range config.From {
		d := x.item(entry, item, star)
		if d == nil {
			continue
		}
		if star != "" && !d.cycle && strings.Contains(item, "*") {
			d = t.checkStarred(item)
		}
		if d != nil {
			problems = append(problems, providers.Problemf(fmt.Sprintf("%s.from[%d]", path, i), "%s", d.message))
		}
	}
	problems = append(problems, t.checkBaseline(path, entry, &config, x.targets)...)
	return append(problems, t.checkShadow(path, entry, x.targets)...)
}

// checkStarred checks the part of a pattern's right side that is fixed.
func (t *Table) checkStarred(item string) *dangling {
	if strings.Count(item, "*") > 1 {
		return &dangling{message: fmt.Sprintf("%q has more than one *", item)}
	}
	provider, _, slash := providers.SplitTarget(item)
	if slash && !strings.Contains(provider, "*") && !t.catalog.Configured(provider) {
		return &dangling{message: fmt.Sprintf("no provider or engine is named %q", provider)}
	}
	return nil
}

func (t *Table) checkBaseline(path, entry string, config *route.ModelConfig, targets []*providers.Target) []providers.Problem {
	if config.Baseline == "" {
		return nil
	}
	if strings.Contains(entry, "*") && (slices.Contains(config.From, config.Baseline) || strings.Contains(config.Baseline, "*")) {
		return nil
	}
	baseline := t.baseline(config, "")
	for _, target := range targets {
		if target.Name == baseline {
			return nil
		}
	}
	provider, _, _ := providers.SplitTarget(baseline)
	if slices.Contains(config.From, provider+"/*") {
		return nil // the engine may not be up yet
	}
	return []providers.Problem{providers.Problemf(path+".baseline", "%q is not one of the model's targets", config.Baseline)}
}

// checkShadow warns where a catalog's name is made to stand for another model.
func (t *Table) checkShadow(path, entry string, targets []*providers.Target) []providers.Problem {
	own, others := t.catalog.Bare(entry)
	if own == "" && len(others) == 0 {
		return nil
	}
	if own == "" {
		own = others[0]
	}
	real, ok := t.catalog.Lookup(own)
	if !ok {
		return nil
	}
	for _, target := range targets {
		if target.Model != real.Model {
			return []providers.Problem{providers.Warningf(path, "is the name of a model in the catalog, and stands here for %s", target.Name)}
		}
	}
	return nil
}
