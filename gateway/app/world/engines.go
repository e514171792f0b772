package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"farthing/gateway/config"
	"farthing/gateway/flow/send"
	"farthing/localengine"
	"farthing/localengine/adapter"
	"farthing/localengine/capacity"
	"farthing/localengine/embedded"
	"farthing/providers"
	"farthing/providers/catalog"
	"farthing/providers/openai"
	"farthing/providers/upstream"
)

const (
	embeddedType = "embedded"
	demoModel    = "demo"
	engineQueue  = 256 // requests that may wait for a place at one engine
)

// engine is one self-hosted model server.
type engine struct {
	name        string
	row         catalog.Provider
	config      localengine.Config
	url         string
	header      [][2]string // its key, where it wants one
	conn        *send.Conn
	models      atomic.Pointer[[]providers.Target] // nil: the server has not said yet
	fingerprint string
}

// Starter gives the address of the embedded engine's process, "" while it is
// still starting, and what says whether it is up. Commands that only look at a
// file do not start it.
type Starter func() (url string, ready func() error, err error)

// addEngines takes the file's engines, or without that section the servers that
// answer on this machine, or without any the embedded engine.
func (w *World) addEngines(ctx context.Context, file *config.File, before *World, start Starter) (problems []providers.Problem) {
	configured := file.Engines
	if configured == nil {
		configured = w.discover(ctx, file)
	}
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		if w.providers[name] != nil {
			problems = append(problems, providers.Problemf("engines."+name, "a provider has the same name"))
			continue
		}
		e, found := w.newEngine(name, configured[name], start)
		problems = append(problems, found...)
		if e == nil {
			w.mistaken[name] = true
			continue
		}
		if before != nil && before.engines[name] != nil && before.engines[name].fingerprint == e.fingerprint {
			e.conn = before.engines[name].conn
		}
		e.refresh(ctx, w.Book)
		w.engines[name] = e
	}
	return problems
}

// discover finds the model servers of this machine.
func (w *World) discover(ctx context.Context, file *config.File) map[string]localengine.Config {
	found := map[string]localengine.Config{}
	for _, f := range adapter.Discover(ctx, file.Server.Listen, file.Server.Admin.Listen) {
		found[f.Type] = localengine.Config{Type: f.Type, URL: providers.Secret{Value: f.URL}}
		w.tell("%s: an engine, because it answers at %s with %d chat model(s)", f.Type, f.URL, len(f.Models))
	}
	if len(found) > 0 {
		return found
	}
	if err := embedded.Available(); err != nil {
		w.tell("%s: left out: %v", embeddedType, err)
		return found
	}
	found[embeddedType] = localengine.Config{Type: embeddedType}
	w.tell("%s: the demonstration engine, because no model server answers on this machine", embeddedType)
	return found
}

func (w *World) newEngine(name string, c localengine.Config, start Starter) (*engine, []providers.Problem) {
	path := "engines." + name
	kind := c.Type
	if kind == "" {
		kind = name
	}
	row, ok := catalog.ProviderRow(kind)
	if !ok || !row.Engine && kind != "openai-compatible" {
		return nil, []providers.Problem{providers.Problemf(path+".type", "%q is no engine type: vllm, sglang, llamacpp, lmstudio, ollama, gpustack, openai-compatible or embedded", kind)}
	}
	row.Engine = true
	e := &engine{name: name, row: row, config: c, conn: &send.Conn{Path: row.ChatPath, Quirks: openai.KnownQuirks(row.Name), CancelStopsBilling: providers.Yes}}
	if problem := e.reach(path, start); problem != nil {
		return nil, []providers.Problem{*problem}
	}
	secret := ""
	if !c.Key.IsZero() {
		var err error
		if secret, err = c.Key.Resolve(); err != nil {
			return nil, []providers.Problem{providers.Problemf(path+".key", "%v", err)}
		}
	}
	e.header = authorization(row.Auth, secret)
	if e.url != "" {
		client, err := upstream.New(upstream.Options{URL: adapter.Root(e.url) + "/v1", Header: e.header, Timeouts: c.Timeouts})
		if err != nil {
			return nil, []providers.Problem{providers.Problemf(path+".url", "%v", err)}
		}
		e.conn.Client = client
	}
	places, problem := e.places(path)
	if problem != nil {
		return nil, []providers.Problem{*problem}
	}
	e.conn.Gate = capacity.NewGate(name, places, engineQueue)
	e.fingerprint = fmt.Sprintf("%s %s %s %d %v", row.Name, e.url, secret, places, c.Timeouts)
	return e, nil
}

// reach finds the engine's address: the file's, the embedded engine's, or the
// usual one of its type.
func (e *engine) reach(path string, start Starter) *providers.Problem {
	secret := e.config.URL
	if secret.IsZero() && len(e.config.URLs) > 0 {
		secret = e.config.URLs[0]
	}
	var err error
	switch {
	case e.row.Name == embeddedType:
		e.url, e.conn.Ready, err = start()
	case !secret.IsZero():
		e.url, err = secret.Resolve()
	default:
		e.url = e.row.URL
	}
	if err == nil && e.url == "" && e.row.Name != embeddedType {
		err = errors.New("it needs a url")
	}
	if err != nil && !secret.IsZero() {
		path += ".url"
	}
	if err != nil {
		p := providers.Problemf(path, "%v", err)
		return &p
	}
	return nil
}

// places are how many requests the engine serves at once: pinned by the file,
// one for the embedded engine, else left to the server.
func (e *engine) places(path string) (int, *providers.Problem) {
	switch m := e.config.MaxConcurrent; {
	case m != "" && m != "auto":
		n, err := strconv.Atoi(m)
		if err != nil || n < 1 {
			p := providers.Problemf(path+".max_concurrent", "write auto or a whole number from 1")
			return 0, &p
		}
		return n, nil
	case e.row.Name == embeddedType:
		return 1, nil
	}
	return 0, nil
}

// refresh asks the server for its chat models. One that does not answer keeps
// what it said last.
func (e *engine) refresh(ctx context.Context, book *catalog.Book) (changed bool) {
	var list []providers.Target
	switch {
	case len(e.config.Models) > 0:
		for _, ours := range slices.Sorted(maps.Keys(e.config.Models)) {
			list = append(list, e.target(book, ours, 0))
		}
	case e.row.Name == embeddedType:
		list = []providers.Target{e.target(book, demoModel, 0)}
	default:
		served, err := adapter.Models(ctx, e.row.Name, e.url, e.header...)
		if err != nil {
			return false
		}
		for _, m := range served {
			list = append(list, e.target(book, m.ID, m.Context))
		}
	}
	old := e.models.Swap(&list)
	return old == nil || !slices.EqualFunc(*old, list, func(a, b providers.Target) bool { return a.Name == b.Name && a.Facts.Context == b.Facts.Context })
}

func (e *engine) chatModels() []providers.Target {
	if list := e.models.Load(); list != nil {
		return *list
	}
	return nil
}

// lookup finds a model of the engine. While the server has not said what it
// has, every name may be one.
func (e *engine) lookup(book *catalog.Book, model string) (providers.Target, bool) {
	list := e.models.Load()
	if list == nil {
		return e.target(book, model, 0), true
	}
	i := slices.IndexFunc(*list, func(t providers.Target) bool { return t.Name == e.name+"/"+model })
	if i < 0 {
		return providers.Target{}, false
	}
	return (*list)[i], true
}

// target is one model of the engine. context is what the server says of it.
func (e *engine) target(book *catalog.Book, model string, context int64) providers.Target {
	own := e.config.Models[model]
	id := model
	if own.ID != "" {
		id = own.ID
	}
	facts := book.Facts(e.row.Name, id)
	t := providers.Target{
		Name: e.name + "/" + model, Provider: e.name, Model: facts.Model, ID: id, Type: e.row.Name,
		SelfHosted: true, DataIn: e.config.DataIn, Facts: facts.Facts,
	}
	if context > 0 {
		t.Facts.Context = context
	}
	override(&t.Facts, providers.ModelConfig{Context: own.Context, MaxOutput: own.MaxOutput, Tools: own.Tools, Images: own.Images, Ability: own.Ability})
	if e.row.Name == embeddedType {
		t.Facts.Tools, t.Facts.Images, t.Facts.Schema = providers.No, providers.No, providers.No
	}
	return t
}

// describe is the engine in one line of a log.
func (e *engine) describe() string {
	var names []string
	for _, t := range e.chatModels() {
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return e.name + " (does not answer yet)"
	}
	return strings.Join(names, ", ")
}

// Found says whether a model server answers on this machine that was not there
// when this world was made of what was found.
func (w *World) Found(ctx context.Context, file *config.File) bool {
	if file.Engines != nil {
		return false
	}
	for _, f := range adapter.Discover(ctx, file.Server.Listen, file.Server.Admin.Listen) {
		if w.engines[f.Type] == nil {
			return true
		}
	}
	return false
}

// Refresh asks the engines for their models and describes those whose models
// have changed.
func (w *World) Refresh(ctx context.Context) (changed []string) {
	for _, name := range slices.Sorted(maps.Keys(w.engines)) {
		if e := w.engines[name]; e.refresh(ctx, w.Book) {
			changed = append(changed, e.describe())
		}
	}
	return changed
}
