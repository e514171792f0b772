// Package key holds virtual keys: what an application shows to be let in, and
// what then holds for it (owner, team, tags, the names it may use, limits).
//
// A key is 256 random bits behind "fk-" and is kept as its SHA-256 only. Keys
// come from the file (Config) and from the store (Store); a Ring holds both in
// memory, so that a request is let in without asking anybody, and known keys go
// on working while the store is down.
//
// Start with Key, then Ring.Lookup.
package key
