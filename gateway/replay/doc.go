// Package replay puts recorded traffic through another file: what it would have
// cost, what it would have refused, how much would have stayed at home. This
// version can do so for requests at hand: farthing explain --jsonl.
package replay
