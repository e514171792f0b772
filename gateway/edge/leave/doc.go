// Package leave notices when the peer of a connection goes away while nobody
// reads from it: an HTTP server works on an answer, and its client has closed.
//
// The rule: a FIN counts as leaving, as it does for Go's own server and for
// nginx, since nothing tells it from a close until a write fails. A client that
// half-closes after its request gets no answer to it. Bytes that a client sends
// ahead (pipelining) are no leaving, and on Linux do not hide a FIN behind them.
//
// One Poller serves all connections of a process. Connections are known to it by
// numbers, not by file descriptors, which the system uses again at once.
package leave
