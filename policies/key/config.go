package key

import "farthing/providers"

// Defaults is the file's `key_defaults`: what holds for a key that does not say
// otherwise.
type Defaults struct {
	MayUse            []string           `yaml:"may_use"`
	Expires           providers.Duration `yaml:"expires"`
	RequestsPerMinute int64              `yaml:"requests_per_minute"`
	TokensPerMinute   int64              `yaml:"tokens_per_minute"`
	Parallel          int64              `yaml:"parallel"`
}

// Config is one entry of the file's `keys`, under the key's name. The name
// `local` stands for requests from this machine without a key.
type Config struct {
	SHA256            string            `yaml:"sha256"` // hex of the key's SHA-256
	Owner             string            `yaml:"owner"`
	Team              string            `yaml:"team"`
	Tags              map[string]string `yaml:"tags"`
	MayUse            []string          `yaml:"may_use"`
	Expires           string            `yaml:"expires"` // a date, YYYY-MM-DD
	TrustUserHeader   bool              `yaml:"trust_user_header"`
	RequestsPerMinute int64             `yaml:"requests_per_minute"`
	TokensPerMinute   int64             `yaml:"tokens_per_minute"`
	Parallel          int64             `yaml:"parallel"`
}
