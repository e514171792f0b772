// Package supervise runs a model server as a child process of the gateway: it
// starts the command, learns from it where it listens, keeps its last log
// lines, starts it again when it falls, and stops it with its parent.
//
// A child says that it is ready by one line on its standard output,
//
//	{"listening":"127.0.0.1:39121","model":"demo"}
//
// so that no HTTP client is needed to wait for it. Everything else that it
// writes, on either stream, is taken for log lines.
//
// A child never outlives its parent: its standard input is a pipe that the
// parent holds open, whose end tells the child to go; on Linux the kernel also
// kills it when the parent dies.
//
// The package knows nothing of models or of the inference library, so that the
// gateway's process can import it at no cost.
package supervise
