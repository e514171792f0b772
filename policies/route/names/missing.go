package names

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"farthing/policies/route"
	"farthing/providers"
)

// longestName bounds what is compared of a name that nobody knows.
const longestName = 80

// notFound is the error for a name that stands for nothing: with the line to
// add and the names that come close. entry is the pattern that matched, if one
// did.
func (t *Table) notFound(name, entry string) error {
	shown := route.ShortName(name)
	message := fmt.Sprintf("no model %q. ", shown)
	_, others := t.catalog.Bare(name)
	switch {
	case entry != "":
		message = fmt.Sprintf("the model %q matches %q of the file, which leads to nothing: %s. ", shown, entry, t.leadsTo(name, entry))
	case len(others) > 0 && t.open:
		message += fmt.Sprintf("Its maker is not configured; it can be had as %s. ", strings.Join(others, " or "))
	case t.open:
		message += "Without a `models` section a catalog name of a configured provider works, or provider/model. "
	}
	target := "PROVIDER/MODEL"
	if own, _ := t.catalog.Bare(name); own != "" {
		target = own
	} else if len(others) > 0 {
		target = others[0]
	}
	message += fmt.Sprintf("To add it to the file: models: {%s: %s}", quoted(shown), target)
	return &providers.Error{Kind: providers.NotFound, Code: "model_not_found", Param: "model", Message: message + t.suggest(name)}
}

// leadsTo says why a pattern's right side found nothing.
func (t *Table) leadsTo(name, entry string) string {
	x, config := expansion{table: t}, t.configs[entry]
	for _, p := range t.patterns {
		if star, ok := p.match(name); ok && p.entry == entry {
			for _, item := range config.From {
				if d := x.item(entry, item, route.ShortName(star)); d != nil {
					return d.message
				}
			}
		}
	}
	return "its engine serves no model yet"
}

// suggest names at most three known names close to one that is not.
func (t *Table) suggest(name string) string {
	type near struct {
		name     string
		distance int
	}
	var all []near
	known := t.catalog.Names()
	if t.open {
		known = append(slices.Clone(known), t.openNames()...)
	} else {
		known = nil
		for entry := range t.configs {
			known = append(known, entry)
		}
	}
	name = route.ShortName(name)
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d <= max(2, len(name)/3) || len(name) > 3 && strings.Contains(k, name) {
			all = append(all, near{k, d})
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.SortFunc(all, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	names := make([]string, 0, 3)
	for _, n := range all[:min(3, len(all))] {
		names = append(names, n.name)
	}
	return ". Close to it: " + strings.Join(names, ", ")
}

// distance is the number of letters to change, add or leave out (Levenshtein),
// over at most longestName bytes of each.
func distance(a, b string) int {
	a, b = a[:min(len(a), longestName)], b[:min(len(b), longestName)]
	var row [longestName + 1]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// quoted writes a YAML key, in quotes where it needs them.
func quoted(name string) string {
	plain := name != ""
	for _, r := range name {
		plain = plain && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._/", r))
	}
	if plain {
		return name
	}
	return fmt.Sprintf("%q", name)
}
