package telemetry

import "farthing/providers"

// Config is the file's `telemetry` section.
type Config struct {
	OTLP    providers.Secret `yaml:"otlp"`    // endpoint of an OTLP/HTTP collector; unset: none
	Prompts bool             `yaml:"prompts"` // put prompts and answers into spans; off unless asked
}
