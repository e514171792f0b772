// Package config reads the file: it composes the sections that the other
// packages declare (File), decodes them strictly, says what is wrong with the
// line and column of each mistake, and loads the file anew when it changes,
// whole or not at all.
//
// Load and Parse make a Loaded. What only another package can judge (dangling
// names, cycles, prices) is judged there and comes back as providers.Problem;
// Loaded.Diagnostics finds their places in the file. Watch follows the file,
// NotYet lists the fields that this version reads and does not carry out,
// Failures says what a file means when things fail, and Schema describes it to
// editors. YAML itself stays in the subpackage strict.
package config

import (
	"time"
	_ "time/tzdata" // a container without zone files knows Europe/Berlin too

	"farthing/gateway/telemetry"
	"farthing/localengine"
	"farthing/policies/budget"
	"farthing/policies/key"
	"farthing/policies/route"
	"farthing/policies/store"
	"farthing/providers"
	"farthing/providers/catalog"
)

// File is the whole configuration file.
type File struct {
	Timezone    string                        `yaml:"timezone,empty"` // IANA name; of every budget window, hour and weekday
	Server      Server                        `yaml:"server,empty"`
	Data        string                        `yaml:"data,empty"` // folder of the journal, receipts and SQLite
	Store       store.Config                  `yaml:"store,empty"`
	Providers   map[string]providers.Config   `yaml:"providers,empties"`
	Engines     map[string]localengine.Config `yaml:"engines,empties"`
	Models      map[string]route.ModelConfig  `yaml:"models,empty"`
	Policies    map[string]route.PolicyConfig `yaml:"policies,empty"`
	Budgets     map[string]budget.Config      `yaml:"budgets,empty"`
	KeyDefaults key.Defaults                  `yaml:"key_defaults,empty"`
	Keys        map[string]key.Config         `yaml:"keys,empties"`
	Prices      catalog.Config                `yaml:"prices,empty"`
	Alerts      []Alert                       `yaml:"alerts,empty"`
	Telemetry   telemetry.Config              `yaml:"telemetry,empty"`
}

// Server is the `server` section: where the gateway listens and who is let in.
type Server struct {
	Listen          string `yaml:"listen"`            // host:port
	OpenOnLocalhost *bool  `yaml:"open_on_localhost"` // nil means true
	TLS             TLS    `yaml:"tls"`
	Admin           Admin  `yaml:"admin"`
}

// TLS names the certificate and the key of the listeners, as PEM files.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Admin moves the operations surface to a listener of its own and pins its
// key. Without a key one is made and kept in the data folder.
type Admin struct {
	Listen string           `yaml:"listen"` // host:port; "" means the data plane's listener
	Key    providers.Secret `yaml:"key"`
}

// Alert sends what happens to a Slack channel or a webhook.
type Alert struct {
	Slack   providers.Secret `yaml:"slack"`
	Webhook providers.Secret `yaml:"webhook"`
	About   []string         `yaml:"about"` // budget, provider, engine, store, price; none: all
}

// What holds where the file says nothing.
const (
	defaultTimezone = "UTC"
	defaultListen   = "127.0.0.1:4700"
	defaultData     = "./farthing-data"
)

func (f *File) setDefaults() {
	for _, d := range []struct {
		field *string
		value string
	}{{&f.Timezone, defaultTimezone}, {&f.Server.Listen, defaultListen}, {&f.Data, defaultData}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
}

// Location is the zone of every window, hour and weekday. A Loaded without
// errors has a valid one.
func (f *File) Location() *time.Location {
	zone, err := time.LoadLocation(f.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Open says whether requests from this machine may come without a key while
// every listener is loopback.
func (s Server) Open() bool { return s.OpenOnLocalhost == nil || *s.OpenOnLocalhost }
