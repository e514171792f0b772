// Package flow carries one request in one direction:
//
//	parse → estimate → decide → hold → translate → send, metering → settle → record
//
// Flow.Chat (chat.go) is that story, top to bottom. A call is one request on its
// way; an attempt (package send) is one send to one target, with its own id and
// its own hold, settled exactly once. A fallback is a new attempt and only
// happens before the first byte has gone to the client.
//
// Everything that a loaded file says stands in one State, swapped whole. flow
// knows no server (gateway/edge copies requests in and streams answers out) and
// no file (gateway/app compiles it).
package flow
