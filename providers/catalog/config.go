package catalog

import "farthing/providers/catalog/price"

// Config is the file's `prices` section.
type Config struct {
	UnknownModel string      `yaml:"unknown_model"`  // refuse (default) | like_dearest_of_provider
	NoUpperBound string      `yaml:"no_upper_bound"` // "hold $0.50" (default) | refuse
	Rows         []RowConfig `yaml:"rows"`
}

// RowConfig is one price row of the operator's file; see price.RowConfig.
type RowConfig = price.RowConfig

// Rates are the token prices of one row or tier.
type Rates = price.Rates

// TierConfig is a service tier of a row.
type TierConfig = price.TierConfig

// OffPeakConfig is a window of the day with other prices.
type OffPeakConfig = price.OffPeakConfig
