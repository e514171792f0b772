// Package store says where the durable record lives: Redis, or a SQLite file in
// the data folder when there is no Redis. The two subpackages redis and sqlite
// do the same work behind the small interfaces that their users declare
// (ledger.Store, key.Store, record.Log); storetest proves that they do.
package store

import "farthing/providers"

// Config is the file's `store` section.
type Config struct {
	Redis    providers.Secret `yaml:"redis"` // redis:// or rediss:// URL; unset: SQLite in the data folder
	WhenDown WhenDown         `yaml:"when_down"`
}

// WhenDown says what paid targets do while the store cannot be reached.
type WhenDown struct {
	Paid string `yaml:"paid"` // refuse (default) | "up to $50 per replica"
}
