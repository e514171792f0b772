// Package rate bounds requests and tokens per minute and parallel requests, for
// keys, budgets and provider keys, leased from the store like budgets. This
// version has no rates: a file that asks for one is refused (config.NotYet),
// since a limit that does not hold is worse than none.
package rate
