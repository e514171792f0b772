// Package admin is what an operator does with a running gateway, or with its
// store when none runs: make, list and revoke keys, look at budgets, prices,
// receipts and targets.
//
// Service holds the operations as plain functions; the commands call them
// directly on an opened store. Handler puts them behind /admin/v1/ as JSON for
// whoever shows the admin key. It knows net/http's words and no framework; the
// edge mounts it.
package admin
