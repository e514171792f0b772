// Package budget says which counters a request charges, and in which windows.
// It is pure arithmetic: it holds no money and asks no store; policies/ledger
// does both with what this package names.
//
// The file's `budgets` are compiled into a Tree. For the values of a request
// the tree gives its Path: a Node for every budget that the request matches,
// and for all their ancestors. Each limit of a node has a Window, and a Window
// cuts time into Spans whose labels are part of the counters' names, so that
// nothing has ever to be reset.
//
// Start with Config, then Tree.Path and Window.At.
package budget
