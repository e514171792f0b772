package budget

import "farthing/providers"

// Config is one entry of the file's `budgets`.
type Config struct {
	Limit             []Limit             `yaml:"limit"` // one or a list
	Inside            string              `yaml:"inside"`
	Each              string              `yaml:"each"` // key | user | team | session | model | target | tags.NAME
	Except            map[string]Limits   `yaml:"except"`
	When              *string             `yaml:"when"` // CEL; nil: every request
	WhenSpent         WhenSpent           `yaml:"when_spent"`
	Mode              string              `yaml:"mode"` // enforce (default) | warn
	AlertAt           []providers.Percent `yaml:"alert_at"`
	Spread            string              `yaml:"spread"` // evenly
	Charge            string              `yaml:"charge"` // paid (default) | paid_and_own
	RequestsPerMinute int64               `yaml:"requests_per_minute"`
	TokensPerMinute   int64               `yaml:"tokens_per_minute"`
	Parallel          int64               `yaml:"parallel"`
}

// Limits is one limit or a list of them.
type Limits []Limit

// Limit is an amount per window, read from "$25 per day" or, without a window,
// "$100" in total.
type Limit struct {
	Amount providers.Money
	Window Window
}

// Window is the calendar window of a limit.
type Window uint8

// The windows. Total never ends.
const (
	Total Window = iota
	Minute
	Hour
	Day
	Week
	Month
	Quarter
	Year
)

// WhenSpent says what happens once no paid hold fits.
type WhenSpent struct {
	Action string `yaml:"action,shorthand"` // self_hosted (default) | refuse
	Model  string `yaml:"model"`            // decide anew as this model
}
