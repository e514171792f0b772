package edge

import "farthing/providers"

// Config is the file's `server` section.
type Config struct {
	Listen          string      `yaml:"listen"`
	OpenOnLocalhost *bool       `yaml:"open_on_localhost"` // default true
	TLS             TLSConfig   `yaml:"tls"`
	Admin           AdminConfig `yaml:"admin"`
}

// TLSConfig names the certificate of the listener.
type TLSConfig struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// AdminConfig moves the operations surface to a listener of its own and pins
// its key. Without a key one is made and kept in the data folder.
type AdminConfig struct {
	Listen string           `yaml:"listen"`
	Key    providers.Secret `yaml:"key"`
}
