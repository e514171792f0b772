package catalog

import "farthing/providers"

// Config is the file's `prices` section.
type Config struct {
	UnknownModel string      `yaml:"unknown_model"`  // refuse (default) | like_dearest_of_provider
	NoUpperBound string      `yaml:"no_upper_bound"` // "hold $0.50" (default) | refuse
	Rows         []RowConfig `yaml:"rows"`
}

// RowConfig is one price row of the operator's file, in dollars per million
// tokens. A nil price is missing, an explicit 0 is a price.
type RowConfig struct {
	Target     string                     `yaml:"target" json:"target"`
	From       string                     `yaml:"from" json:"from,omitempty"` // date, YYYY-MM-DD; "" from the beginning
	To         string                     `yaml:"to" json:"to,omitempty"`     // exclusive
	Rates      `yaml:",inline"`           // the row's own prices
	Above      map[int64]Rates            `yaml:"above" json:"above,omitempty"`       // context tiers: strictly above this many tokens of total input
	Tiers      map[string]TierConfig      `yaml:"tiers" json:"tiers,omitempty"`       // batch, flex, priority, fast
	OffPeak    []OffPeakConfig            `yaml:"off_peak" json:"off_peak,omitempty"` // windows of the day
	DataIn     map[string]string          `yaml:"data_in" json:"data_in,omitempty"`   // region → factor
	PerRequest *providers.Money           `yaml:"per_request" json:"per_request,omitempty"`
	PerSearch  map[string]providers.Money `yaml:"per_search" json:"per_search,omitempty"` // low, medium, high → dollars per call
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

// TierConfig is a service tier: a factor on the row's rates, or rates of its
// own.
type TierConfig struct {
	Factor string `yaml:"factor,shorthand" json:"factor,omitempty"` // decimal, e.g. 0.5
	Rates  `yaml:",inline"`
}

// OffPeakConfig is a window of the day with other prices.
type OffPeakConfig struct {
	Zone   string   `yaml:"zone" json:"zone"`
	Days   []string `yaml:"days" json:"days,omitempty"` // mon … sun; none: every day
	Hours  string   `yaml:"hours" json:"hours"`         // 16:30-00:30, start inclusive, end exclusive
	Factor string   `yaml:"factor" json:"factor,omitempty"`
	Rates  `yaml:",inline"`
}
