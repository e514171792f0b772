package price

import "farthing/providers"

// RowConfig is one price row, in the operator's file and in the embedded book
// alike, in dollars per million tokens. A nil price is missing, an explicit 0 is
// a price.
type RowConfig struct {
	Target     string                     `yaml:"target" json:"target,omitempty"`
	From       string                     `yaml:"from" json:"from,omitempty"` // date YYYY-MM-DD (UTC) or RFC 3339 moment; "" from the beginning
	To         string                     `yaml:"to" json:"to,omitempty"`     // exclusive
	Rates      `yaml:",inline"`           // the row's own prices
	Above      map[int64]Rates            `yaml:"above" json:"above,omitempty"`       // context tiers: strictly above this many tokens of total input
	Tiers      map[string]TierConfig      `yaml:"tiers" json:"tiers,omitempty"`       // batch, flex, priority, fast
	OffPeak    []OffPeakConfig            `yaml:"off_peak" json:"off_peak,omitempty"` // windows of the day
	DataIn     map[string]string          `yaml:"data_in" json:"data_in,omitempty"`   // region → factor
	PerRequest *providers.Money           `yaml:"per_request" json:"per_request,omitempty"`
	PerSearch  map[string]providers.Money `yaml:"per_search" json:"per_search,omitempty"` // low, medium, high, or any → dollars per call
	Source     string                     `yaml:"source" json:"source,omitempty"`
}

// Rates are the token prices of one row or tier.
type Rates struct {
	Input          *providers.Price `yaml:"input" json:"input,omitempty"`
	CacheRead      *providers.Price `yaml:"cache_read" json:"cache_read,omitempty"`
	CacheWrite     *providers.Price `yaml:"cache_write" json:"cache_write,omitempty"`
	CacheWrite1h   *providers.Price `yaml:"cache_write_1h" json:"cache_write_1h,omitempty"`
	Output         *providers.Price `yaml:"output" json:"output,omitempty"`
	Reasoning      *providers.Price `yaml:"reasoning" json:"reasoning,omitempty"`
	AudioIn        *providers.Price `yaml:"audio_in" json:"audio_in,omitempty"`
	AudioCacheRead *providers.Price `yaml:"audio_cache_read" json:"audio_cache_read,omitempty"`
	AudioOut       *providers.Price `yaml:"audio_out" json:"audio_out,omitempty"`
	ImageIn        *providers.Price `yaml:"image_in" json:"image_in,omitempty"`
	ImageCacheRead *providers.Price `yaml:"image_cache_read" json:"image_cache_read,omitempty"`
	ImageOut       *providers.Price `yaml:"image_out" json:"image_out,omitempty"`
	VideoIn        *providers.Price `yaml:"video_in" json:"video_in,omitempty"`
	VideoOut       *providers.Price `yaml:"video_out" json:"video_out,omitempty"`
	Citation       *providers.Price `yaml:"citation" json:"citation,omitempty"`
}

// TierConfig is a service tier: a factor on the row's rates, rates of its own,
// or both (the factor then holds for the classes without a rate of their own).
// A class with its own rate and no context tier of its own grows above a
// threshold as the row's does: tier and context multiply.
type TierConfig struct {
	Factor string `yaml:"factor,shorthand" json:"factor,omitempty"` // decimal, e.g. 0.5
	Rates  `yaml:",inline"`
	Above  map[int64]Rates `yaml:"above" json:"above,omitempty"`
}

// OffPeakConfig is a window of the day with other prices. Rates of its own hold
// whatever the context and the service tier; a factor multiplies the row's
// rates of the request's context, and replaces the service tier's.
type OffPeakConfig struct {
	Zone   string   `yaml:"zone" json:"zone"`           // "" or UTC, else an IANA name
	Days   []string `yaml:"days" json:"days,omitempty"` // mon … sun, the day on which the window starts; none: every day
	Hours  string   `yaml:"hours" json:"hours"`         // 16:30-00:30, start inclusive, end exclusive; equal: the whole day
	Factor string   `yaml:"factor" json:"factor,omitempty"`
	Rates  `yaml:",inline"`
}
