// Package alert tells people what needs them: a budget near its end, a provider
// or engine that fails, a store that is away. This version logs these instead,
// and warns of an `alerts` section that it cannot carry out (config.NotYet).
package alert
