package config

import (
	"maps"
	"slices"

	"farthing/providers"
)

// Entry is a field that this version reads and does not carry out. Where it
// guards money, access or privacy the file is refused, else a warning says what
// happens instead: nothing is silently ignored.
type Entry struct {
	Path    string // pattern, as strict.Document.Find takes it
	Value   string // only where the field has this value; "" any
	Guards  bool
	Instead string
}

const unlimited = "requests would not be limited"

// notCarriedOut shrinks with every version.
var notCarriedOut = []Entry{
	{Path: "server.tls", Guards: true, Instead: "the listener would speak plain HTTP; a proxy in front can speak TLS, with open_on_localhost: false"},
	{Path: "providers.*.keys[1]", Guards: true, Instead: "the second key would never be used; write one"},
	{Path: "providers.*.keys[*].weight", Instead: "one key takes everything"},
	{Path: "providers.*.keys[*].requests_per_minute", Guards: true, Instead: unlimited},
	{Path: "providers.*.keys[*].tokens_per_minute", Guards: true, Instead: unlimited},
	{Path: "engines.*.command", Guards: true, Instead: "the server would not be started; start it yourself and write its url"},
	{Path: "engines.*.urls[1]", Guards: true, Instead: "the second server would never be used; make it an engine of its own"},
	{Path: "engines.*.cost", Instead: "owned hardware counts as free"},
	{Path: "engines.*.moe", Instead: "what the server says of itself is used"},
	{Path: "models.*.unsupported", Value: "drop_and_report", Instead: "a field that a target cannot express is an error"},
	{Path: "budgets.*.alert_at", Instead: "no alert is sent"},
	{Path: "budgets.*.spread", Instead: "the limit can be spent at once"},
	{Path: "budgets.*.charge", Value: "paid_and_own", Guards: true, Instead: "owned engines would not be charged"},
	{Path: "budgets.*.requests_per_minute", Guards: true, Instead: unlimited},
	{Path: "budgets.*.tokens_per_minute", Guards: true, Instead: unlimited},
	{Path: "budgets.*.parallel", Guards: true, Instead: unlimited},
	{Path: "key_defaults.requests_per_minute", Guards: true, Instead: unlimited},
	{Path: "key_defaults.tokens_per_minute", Guards: true, Instead: unlimited},
	{Path: "key_defaults.parallel", Guards: true, Instead: unlimited},
	{Path: "keys.*.requests_per_minute", Guards: true, Instead: unlimited},
	{Path: "keys.*.tokens_per_minute", Guards: true, Instead: unlimited},
	{Path: "keys.*.parallel", Guards: true, Instead: unlimited},
	{Path: "alerts[*]", Instead: "no alert is sent"},
	{Path: "telemetry.prompts", Value: "true", Instead: "prompts stay out of the spans"},
}

// NotYet lists the fields that this version does not carry out.
func NotYet() []Entry { return slices.Clone(notCarriedOut) }

// notYet finds them in the file.
func (l *Loaded) notYet() []providers.Problem {
	var found []providers.Problem
	for _, e := range notCarriedOut {
		for _, place := range l.doc.Find(e.Path) {
			if e.Value != "" && e.Value != place.Value {
				continue
			}
			problem := providers.Problemf(place.Path, "is not carried out by this version: %s", e.Instead)
			problem.Warning = !e.Guards
			found = append(found, problem)
		}
	}
	return found
}

// sorted lists the names of a section.
func sorted[T any](section map[string]T) []string { return slices.Sorted(maps.Keys(section)) }
