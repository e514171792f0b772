package route

import "farthing/providers"

// ModelConfig is one entry of the file's `models`: what a name that
// applications send stands for. A string or a list is its `from`.
type ModelConfig struct {
	From            []string           `yaml:"from,shorthand"`
	Listed          bool               `yaml:"-"`    // written as a bare name or list, which is tried in order; set by the decoder
	Pick            string             `yaml:"pick"` // best_value (default; in_order for a bare list) | cheapest | best_quality | in_order
	GoodAnswerWorth *providers.Money   `yaml:"good_answer_worth"`
	WaitingCosts    *MoneyPerSecond    `yaml:"waiting_costs"`
	MaxQueueWait    providers.Duration `yaml:"max_queue_wait"`
	MinQuality      float64            `yaml:"min_quality"`
	Strict          bool               `yaml:"strict"`
	Baseline        string             `yaml:"baseline"`
	Rollout         string             `yaml:"rollout"` // 100% (default) | 5% | 0% | when_learned
	Explore         providers.Percent  `yaml:"explore"`
	Unsupported     string             `yaml:"unsupported"` // error (default) | drop_and_report
}

// PolicyConfig is one entry of the file's `policies`: a rule over every
// request, whatever it calls its model.
type PolicyConfig struct {
	When   *string     `yaml:"when"` // CEL; nil: always
	Only   *OnlyConfig `yaml:"only"`
	Prefer []string    `yaml:"prefer"` // targets, * as a wildcard
}

// OnlyConfig restricts who may serve. All conditions of one entry are required.
type OnlyConfig struct {
	SelfHosted *bool            `yaml:"self_hosted"`
	Providers  []string         `yaml:"providers"` // engines too
	Targets    []string         `yaml:"targets"`
	DataIn     []string         `yaml:"data_in"`
	MaxPrice   *MaxPriceConfig  `yaml:"max_price"`
	MaxCost    *providers.Money `yaml:"max_cost"`
}

// MaxPriceConfig bounds a target's list price, in dollars per million tokens.
type MaxPriceConfig struct {
	Input  *providers.Price `yaml:"input"`
	Output *providers.Price `yaml:"output"`
}

// MoneyPerSecond is what a second of waiting costs, read from
// "$0.001 per second".
type MoneyPerSecond providers.Money
