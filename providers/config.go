package providers

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Config is the file's `providers` section: what is configured for one paid API
// or OpenAI-compatible server. A known name brings its own type, URL and
// <NAME>_API_KEY.
type Config struct {
	Type     string                 `yaml:"type"` // row of providers/catalog; "" means the name itself
	URL      Secret                 `yaml:"url"`
	Key      Secret                 `yaml:"key"`
	Keys     []KeyConfig            `yaml:"keys"`
	Timeouts Timeouts               `yaml:"timeouts"`
	DataIn   string                 `yaml:"data_in"`
	Discount Percent                `yaml:"discount"`
	Models   map[string]ModelConfig `yaml:"models"`
}

// KeyConfig is one of several keys of a provider.
type KeyConfig struct {
	Secret            `yaml:",inline"`
	Weight            int64 `yaml:"weight"`
	RequestsPerMinute int64 `yaml:"requests_per_minute"`
	TokensPerMinute   int64 `yaml:"tokens_per_minute"`
}

// ModelConfig states what the catalog cannot know of a model.
type ModelConfig struct {
	ID        string   `yaml:"id"` // what the upstream calls it; "" means the same
	Context   int64    `yaml:"context"`
	MaxOutput int64    `yaml:"max_output"`
	Tools     *bool    `yaml:"tools"`
	Images    *bool    `yaml:"images"`
	Reasoning *bool    `yaml:"reasoning"`
	Ability   *float64 `yaml:"ability"` // 0 … 1
}

// Timeouts bound an upstream call. Zero means the default: reasoning models
// think for minutes before a byte comes.
type Timeouts struct {
	Connect      Duration `yaml:"connect"`
	FirstByte    Duration `yaml:"first_byte"`
	BetweenBytes Duration `yaml:"between_bytes"`
	Total        Duration `yaml:"total"`
}

// WithDefaults fills in 5 s to connect, 15 min to the first byte and between
// bytes, and 60 min in all.
func (t Timeouts) WithDefaults() Timeouts {
	or := func(d, def Duration) Duration {
		if d == 0 {
			return def
		}
		return d
	}
	return Timeouts{
		Connect:      or(t.Connect, Duration(5*time.Second)),
		FirstByte:    or(t.FirstByte, Duration(15*time.Minute)),
		BetweenBytes: or(t.BetweenBytes, Duration(15*time.Minute)),
		Total:        or(t.Total, Duration(time.Hour)),
	}
}

// Secret is a value that may stand in the environment or in a file instead of
// in the configuration. The zero Secret is unset.
type Secret struct {
	Value string `yaml:"value,shorthand"` // written out: works, and earns a warning where it is a secret
	Env   string `yaml:"env"`
	File  string `yaml:"file"`
}

// IsZero says that nothing was given.
func (s Secret) IsZero() bool { return s == Secret{} }

// Resolve reads the value. An unset variable or an unreadable file is an error
// that names it.
func (s Secret) Resolve() (string, error) {
	switch {
	case s.Env != "":
		v := os.Getenv(s.Env)
		if v == "" {
			return "", fmt.Errorf("the environment variable %s is not set", s.Env)
		}
		return v, nil
	case s.File != "":
		b, err := os.ReadFile(s.File)
		return strings.TrimSpace(string(b)), err
	}
	return s.Value, nil
}

// Duration is a time.Duration that also reads days ("90d").
type Duration time.Duration

// UnmarshalText reads 250ms, 10m, 1h30m or 90d.
func (d *Duration) UnmarshalText(b []byte) error {
	if days, ok := strings.CutSuffix(string(b), "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err != nil || n < 0 || n > 100_000 {
			return fmt.Errorf("not a duration: %q (write 250ms, 10m, 12h or 90d)", b)
		}
		*d = Duration(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("not a duration: %q (write 250ms, 10m, 12h or 90d)", b)
	}
	*d = Duration(v)
	return nil
}

// String is the duration as Go writes it.
func (d Duration) String() string { return time.Duration(d).String() }

// Percent is a share in millionths: 1 % is 10,000.
type Percent int64

// UnmarshalText reads "12%" or "0.5%", at most four decimals.
func (p *Percent) UnmarshalText(b []byte) error {
	s, ok := strings.CutSuffix(string(b), "%")
	n, exact, err := scaled(strings.TrimSpace(s), 4)
	if !ok || err != nil || !exact {
		return fmt.Errorf("not a percentage: %q (write 12%%)", b)
	}
	*p = Percent(n)
	return nil
}

// String writes the percentage ("12%").
func (p Percent) String() string { return decimal(int64(p), 4) + "%" }

// Problem is something wrong with a configuration value. Path is where it
// stands, in the file's own words: models.auto.from[2].
type Problem struct {
	Path    string
	Message string
	Warning bool // works, but is probably not meant
}

// Problemf makes an error at path.
func Problemf(path, format string, args ...any) Problem {
	return Problem{Path: path, Message: fmt.Sprintf(format, args...)}
}

// Warningf makes a warning at path.
func Warningf(path, format string, args ...any) Problem {
	return Problem{Path: path, Message: fmt.Sprintf(format, args...), Warning: true}
}
