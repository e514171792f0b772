package budget

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"farthing/policies/match"
	"farthing/providers"
)

// Compile builds the tree, or says everything that is wrong with it. With an
// error among the problems the tree is nil; warnings alone leave it usable. The
// tree keeps the configs, which must not be changed afterwards. A nil zone is
// UTC.
func Compile(cfg map[string]Config, zone *time.Location) (*Tree, []providers.Problem) {
	if zone == nil {
		zone = time.UTC
	}
	var problems []providers.Problem
	programs := map[string]*match.Program{}
	for _, name := range slices.Sorted(maps.Keys(cfg)) {
		config := cfg[name]
		c := checker{path: "budgets." + name, config: &config}
		c.check(name)
		if config.When != nil {
			program, err := match.Compile(*config.When, match.Budget)
			if err != nil {
				c.problems = append(c.problems, match.Problems(c.path+".when", err)...)
			}
			programs[name] = program
		}
		problems = append(problems, c.problems...)
	}
	order, wrong := arrange(cfg)
	problems = append(problems, wrong...)
	if slices.ContainsFunc(problems, func(p providers.Problem) bool { return !p.Warning }) {
		return nil, problems
	}
	return build(cfg, order, programs, zone), problems
}

func build(cfg map[string]Config, order []string, programs map[string]*match.Program, zone *time.Location) *Tree {
	t := &Tree{zone: zone}
	for _, name := range order {
		config := cfg[name]
		e := entry{name: name, config: &config, parent: slices.Index(order, config.Inside), when: programs[name]}
		if config.Each == "" {
			e.single = &Node{Name: name, Budget: name, Limits: config.Limit, Config: &config}
		} else {
			e.each, _ = dimensionOf(config.Each)
			e.nodes = newInterned()
		}
		t.needsTarget = t.needsTarget || config.Each == "target" || e.when != nil && e.when.UsesTarget()
		t.entries = append(t.entries, e)
	}
	return t
}

// arrange orders the entries, parents before children and otherwise by name,
// and finds parents that are not there or run in a circle.
func arrange(cfg map[string]Config) (order []string, problems []providers.Problem) {
	children := map[string][]string{}
	names := slices.Sorted(maps.Keys(cfg))
	for _, name := range names {
		inside := cfg[name].Inside
		if _, known := cfg[inside]; inside != "" && !known {
			problems = append(problems, providers.Problemf("budgets."+name+".inside",
				"there is no budget %q; budgets are %s", inside, strings.Join(names, " ")))
		}
		children[inside] = append(children[inside], name)
	}
	var visit func(name string)
	visit = func(name string) {
		for _, child := range children[name] {
			order = append(order, child)
			visit(child)
		}
	}
	visit("")
	for _, name := range names {
		if circle := circleFrom(cfg, name); circle != nil && slices.Min(circle) == name {
			problems = append(problems, providers.Problemf("budgets."+name+".inside",
				"budgets inside each other in a circle: %s", strings.Join(append(circle, name), " inside ")))
		}
	}
	return order, problems
}

// circleFrom follows `inside` from name; it is nil unless that leads back.
func circleFrom(cfg map[string]Config, name string) []string {
	circle := []string{name}
	for at := cfg[name].Inside; at != "" && len(circle) <= len(cfg); at = cfg[at].Inside {
		if at == name {
			return circle
		}
		circle = append(circle, at)
	}
	return nil
}

// checker looks at one entry by itself.
type checker struct {
	path     string
	config   *Config
	problems []providers.Problem
}

func (c *checker) errorf(field, format string, args ...any) {
	c.problems = append(c.problems, providers.Problemf(c.path+field, format, args...))
}

func (c *checker) warnf(field, format string, args ...any) {
	c.problems = append(c.problems, providers.Warningf(c.path+field, format, args...))
}

func (c *checker) check(name string) {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return strings.ContainsRune("/|%", r) || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}) {
		c.errorf("", "a budget's name has at least one character, and no spaces, / | or %%")
	}
	if len(name) > maxValue {
		c.errorf("", "a budget's name has at most %d bytes", maxValue)
	}
	cfg := c.config
	if len(cfg.Limit) == 0 && cfg.RequestsPerMinute == 0 && cfg.TokensPerMinute == 0 && cfg.Parallel == 0 {
		c.errorf("", "a budget needs a limit, such as `limit: $25 per day`, or a rate")
	}
	c.limits(".limit", cfg.Limit)
	c.words(".mode", cfg.Mode, "enforce", "warn")
	c.words(".spread", cfg.Spread, "evenly")
	c.words(".charge", cfg.Charge, "paid", "paid_and_own")
	c.each()
	c.whenSpent()
	c.numbers()
}

// words checks a field that is empty or one of a few words.
func (c *checker) words(field, value string, words ...string) {
	if value != "" && !slices.Contains(words, value) {
		c.errorf(field, "%q is not known here: write %s", value, strings.Join(words, " or "))
	}
}

func (c *checker) limits(field string, limits Limits) {
	seen := map[Window]Limit{}
	for i, l := range limits {
		path := field
		if len(limits) > 1 {
			path = fmt.Sprintf("%s[%d]", field, i)
		}
		if l.Amount < 0 || l.Amount > providers.MaxMoney {
			c.errorf(path, "a limit is at least $0 and at most %s", providers.MaxMoney.USD())
		}
		if other, twice := seen[l.Window]; twice {
			c.errorf(path, "two limits for one window: %s and %s", other, l)
		}
		seen[l.Window] = l
	}
}

func (c *checker) each() {
	cfg := c.config
	if _, ok := dimensionOf(cfg.Each); cfg.Each != "" && !ok {
		c.errorf(".each", "%q is not known here: write key, user, team, session, model, target or tags.NAME", cfg.Each)
	}
	if cfg.Each == "" && len(cfg.Except) > 0 {
		c.errorf(".except", "except names values of `each`, and this budget has none")
	}
	for _, value := range slices.Sorted(maps.Keys(cfg.Except)) {
		path := ".except." + value
		switch {
		case value == "" || value == None:
			c.errorf(path, "a missing value always has the plain limit: give except a value")
		case len(cfg.Except[value]) == 0:
			c.errorf(path, "an exception needs a limit, such as $50 per day")
		}
		c.limits(path, cfg.Except[value])
	}
}

func (c *checker) whenSpent() {
	cfg, spent := c.config, c.config.WhenSpent
	c.words(".when_spent", spent.Action, SelfHosted, Refuse, "{model: NAME}")
	if spent.Action != "" && spent.Model != "" {
		c.errorf(".when_spent", "write one of %s and {model: %s}", spent.Action, spent.Model)
	}
	if cfg.Charge == "paid_and_own" && spent.Action == SelfHosted {
		c.errorf(".when_spent", "self_hosted cannot serve once this budget is spent: `charge: paid_and_own` makes it charge self-hosted targets too; write refuse")
	}
	if cfg.Mode == "warn" && spent != (WhenSpent{}) {
		c.warnf(".when_spent", "has no effect: a budget of `mode: warn` refuses nothing")
	}
}

func (c *checker) numbers() {
	cfg := c.config
	for i, share := range cfg.AlertAt {
		if share <= 0 {
			c.errorf(fmt.Sprintf(".alert_at[%d]", i), "an alert comes at more than 0%%")
		}
	}
	c.rate(".requests_per_minute", cfg.RequestsPerMinute)
	c.rate(".tokens_per_minute", cfg.TokensPerMinute)
	c.rate(".parallel", cfg.Parallel)
	windowed := slices.ContainsFunc(cfg.Limit, func(l Limit) bool { return l.Window != Total })
	if cfg.Spread == "evenly" && !windowed {
		c.warnf(".spread", "has no effect: no limit here has a window to spread it over")
	}
}

func (c *checker) rate(field string, rate int64) {
	if rate < 0 {
		c.errorf(field, "cannot be negative")
	}
}
