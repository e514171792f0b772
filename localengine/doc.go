// Package localengine is the room for self-hosted model servers, each seen by
// the rest of the gateway as one more target.
//
//   - adapter asks a server which models it has, and finds the servers that answer
//     on this machine.
//   - capacity lets in as many requests as an engine serves at once and keeps the
//     rest in a bounded queue.
//   - cost is the room for what owned hardware comes to.
//   - supervise starts a model server as a child process, learns its address,
//     keeps its last log lines, starts it again when it falls and stops it
//     with its parent.
//   - embedded is a model server of our own: a Mixture-of-Experts engine that
//     answers OpenAI chat requests. It runs in a child process, because the
//     inference library ends the whole process when something inside it fails.
//
// The gateway's own process imports supervise and never embedded's engine
// room: only the command `farthing engine` calls embedded.Serve.
package localengine
