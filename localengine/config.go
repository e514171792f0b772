package localengine

import "farthing/providers"

// Config is the file's `engines` section: one self-hosted model server, either
// attached to (URLs) or supervised (Command).
type Config struct {
	Type          string                 `yaml:"type"` // vllm | sglang | llamacpp | ollama | openai-compatible | embedded
	URL           providers.Secret       `yaml:"url"`
	URLs          []providers.Secret     `yaml:"urls"`
	Command       []string               `yaml:"command"`
	Key           providers.Secret       `yaml:"key"`
	Models        map[string]ModelConfig `yaml:"models"` // our name: the server's; none: its chat models under their own names
	Cost          CostConfig             `yaml:"cost"`
	MaxConcurrent string                 `yaml:"max_concurrent"` // auto (default) or an integer
	MoE           map[string]string      `yaml:"moe"`
	Timeouts      providers.Timeouts     `yaml:"timeouts"`
	DataIn        string                 `yaml:"data_in"`
}

// ModelConfig names a model of the server, with facts that override the
// catalog's.
type ModelConfig struct {
	ID        string   `yaml:"id,shorthand"`
	Context   int64    `yaml:"context"`
	MaxOutput int64    `yaml:"max_output"`
	Tools     *bool    `yaml:"tools"`
	Images    *bool    `yaml:"images"`
	Ability   *float64 `yaml:"ability"`
}

// CostConfig says what the hardware costs.
type CostConfig struct {
	GPUs    int64           `yaml:"gpus"`
	GPUHour providers.Money `yaml:"gpu_hour"`
	Billed  string          `yaml:"billed"` // always (default) | while_busy
}
