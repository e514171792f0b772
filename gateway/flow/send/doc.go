// Package send carries one attempt: one request to one target, from its place at
// the engine to its settlement. Attempt.Send (attempt.go) is that story: enter,
// splice, send, read the answer up to what the client may see. An answer that
// was streamed goes on in stream.go, pulled by whoever serves the client.
//
// An attempt is settled exactly once, in Attempt.finish (settle.go), on every
// path: the end, an error, a client that leaves, a shutdown. What it is settled
// at is one table, in bill.go.
package send
