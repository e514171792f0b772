// Package record keeps receipts: what happened to each request. A receipt is
// written once, when its request has ended, by Recorder.Keep, which never waits
// for the store: receipts go through a bounded queue, are compressed, and are
// appended in batches by one goroutine. Until they are stored they can be read
// from memory, so that an id can be looked up the moment a client has it.
package record
