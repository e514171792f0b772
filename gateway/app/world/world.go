// Package world is what a file configures or this machine offers: the paid
// providers and the self-hosted engines that targets are reached through, each
// with why it is there, and what names can stand for in it.
//
//	world.go    providers: configured, or their key in the environment
//	engines.go  engines: configured, or found answering on this machine
//	process.go  the embedded engine's child process
//	names.go    targets, bare names, `auto` and `demo`
//	live.go     trying every key and server
//
// Start with New.
package world

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"farthing/gateway/config"
	"farthing/gateway/flow/send"
	"farthing/providers"
	"farthing/providers/catalog"
	"farthing/providers/openai"
	"farthing/providers/upstream"
)

// World is what is configured or was found. It does not change but for the
// models that engines serve.
type World struct {
	Book *catalog.Book
	Told []string // one line each for people: what was found, and why it is used

	providers map[string]*provider
	engines   map[string]*engine
	mistaken  map[string]bool // providers and engines whose part of the file is wrong, which has been said
}

// provider is one configured paid API.
type provider struct {
	name        string
	row         catalog.Provider
	config      providers.Config
	conn        *send.Conn
	fingerprint string
}

// New reaches out to nothing but the model servers of this machine: it
// finds keys in the environment and engines at their usual addresses where the
// file has no section that says otherwise. Connections of before are kept where
// their part of the file is the same.
func New(ctx context.Context, file *config.File, book *catalog.Book, before *World, start Starter) (*World, []providers.Problem) {
	w := &World{Book: book, providers: map[string]*provider{}, engines: map[string]*engine{}, mistaken: map[string]bool{}}
	configured := file.Providers
	if configured == nil {
		configured = w.fromEnvironment()
	}
	var problems []providers.Problem
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		p, found := newProvider(name, configured[name])
		problems = append(problems, found...)
		if p == nil {
			w.mistaken[name] = true
			continue
		}
		if before != nil && before.providers[name] != nil && before.providers[name].fingerprint == p.fingerprint {
			p.conn = before.providers[name].conn
		}
		w.providers[name] = p
	}
	return w, append(problems, w.addEngines(ctx, file, before, start)...)
}

// fromEnvironment configures the providers whose key is in the environment.
func (w *World) fromEnvironment() map[string]providers.Config {
	found := map[string]providers.Config{}
	for _, row := range catalog.ProviderRows() {
		env := setVariable(row.KeyEnvs)
		switch {
		case env == "" || row.Engine || row.URL == "":
		case !row.Served():
			w.tell("%s: %s is set, but %s", row.Name, env, row.Note)
		default:
			found[row.Name] = providers.Config{Key: providers.Secret{Env: env}}
			w.tell("%s: a provider, because %s is set", row.Name, env)
		}
	}
	return found
}

func (w *World) tell(format string, args ...any) {
	w.Told = append(w.Told, fmt.Sprintf(format, args...))
}

// setVariable is the first of the variables that is set, "" if none is.
func setVariable(names []string) string {
	for _, name := range names {
		if os.Getenv(name) != "" {
			return name
		}
	}
	return ""
}

// newProvider makes a provider from its part of the file.
func newProvider(name string, c providers.Config) (*provider, []providers.Problem) {
	path := "providers." + name
	kind := c.Type
	if kind == "" {
		kind = name
	}
	row, ok := catalog.ProviderRow(kind)
	switch {
	case !ok || row.Engine:
		return nil, []providers.Problem{providers.Problemf(path, "%q is no provider that this version knows; give it a type (openai-compatible, with a url), or put a self-hosted server under engines", kind)}
	case !row.Served():
		return nil, []providers.Problem{providers.Problemf(path, "%s", row.Note)}
	}
	url := row.URL
	if !c.URL.IsZero() {
		var err error
		if url, err = c.URL.Resolve(); err != nil {
			return nil, []providers.Problem{providers.Problemf(path+".url", "%v", err)}
		}
	}
	if url == "" {
		return nil, []providers.Problem{providers.Problemf(path, "it needs a url")}
	}
	secret, problem := providerKey(path, name, row, c)
	if problem != nil {
		return nil, []providers.Problem{*problem}
	}
	client, err := upstream.New(upstream.Options{URL: url, Header: authorization(row.Auth, secret), Timeouts: c.Timeouts})
	if err != nil {
		return nil, []providers.Problem{providers.Problemf(path+".url", "%v", err)}
	}
	return &provider{
		name: name, row: row, config: c,
		conn:        &send.Conn{Client: client, Path: row.ChatPath, Quirks: openai.KnownQuirks(row.Name), CancelStopsBilling: row.CancelStopsBilling, Discount: c.Discount},
		fingerprint: fmt.Sprintf("%s %s %s %v %d", row.Name, url, secret, c.Timeouts, c.Discount),
	}, nil
}

// providerKey finds the key: as the file says, else in <NAME>_API_KEY or the
// variables that the provider's own tools read.
func providerKey(path, name string, row catalog.Provider, c providers.Config) (string, *providers.Problem) {
	secret, path := c.Key, path+".key"
	if secret.IsZero() && len(c.Keys) > 0 {
		secret, path = c.Keys[0].Secret, path+"s[0]"
	}
	if secret.IsZero() {
		own := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name)) + "_API_KEY"
		env := setVariable(append([]string{own}, row.KeyEnvs...))
		switch {
		case env != "":
			secret.Env = env
		case row.Keyless() || row.Name == "openai-compatible":
			return "", nil
		default:
			p := providers.Problemf(path, "no key: set the environment variable %s, or write key: {env: NAME} or key: {file: PATH}", own)
			return "", &p
		}
	}
	key, err := secret.Resolve()
	if err != nil {
		p := providers.Problemf(path, "%v", err)
		return "", &p
	}
	return key, nil
}

func authorization(auth catalog.Auth, key string) [][2]string {
	switch {
	case key == "":
		return nil
	case auth == catalog.AuthXAPI || auth == catalog.AuthAPIKey || auth == catalog.AuthGoogle:
		return [][2]string{{string(auth), key}}
	}
	return [][2]string{{"Authorization", "Bearer " + key}}
}

// target is the provider's model of this name: the file's own entry, or the
// catalog's, or one that neither knows, which has no price.
func (p *provider) target(book *catalog.Book, model string) providers.Target {
	own, written := p.config.Models[model]
	id := model
	if own.ID != "" {
		id = own.ID
	}
	facts := book.Facts(p.row.Name, id)
	t := providers.Target{
		Name: p.name + "/" + model, Provider: p.name, Model: facts.Model, ID: id, Type: p.row.Name,
		DataIn: p.row.DataIn, Facts: facts.Facts,
	}
	if p.config.DataIn != "" {
		t.DataIn = p.config.DataIn
	}
	if written {
		override(&t.Facts, own)
	}
	return t
}

// override lays what the file states over the catalog's facts.
func override(f *providers.Facts, m providers.ModelConfig) {
	f.Chat = true
	if m.Context > 0 {
		f.Context = m.Context
	}
	if m.MaxOutput > 0 {
		f.MaxOutput = m.MaxOutput
	}
	if m.Reasoning != nil {
		f.Reasoning = *m.Reasoning
	}
	if m.Ability != nil {
		f.Ability = providers.Ability{Value: *m.Ability, Known: true, Source: "the file"}
	}
	for fact, stated := range map[*providers.Answer]*bool{&f.Tools: m.Tools, &f.Images: m.Images} {
		if stated != nil {
			*fact = answer(*stated)
		}
	}
}

func answer(yes bool) providers.Answer {
	if yes {
		return providers.Yes
	}
	return providers.No
}

// Conns are the connections by provider or engine.
func (w *World) Conns() map[string]*send.Conn {
	all := make(map[string]*send.Conn, len(w.providers)+len(w.engines))
	for name, p := range w.providers {
		all[name] = p.conn
	}
	for name, e := range w.engines {
		all[name] = e.conn
	}
	return all
}
