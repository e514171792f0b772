// Package match decides whether a rule's `when` holds for a request. It is the
// one place that knows CEL, the expression language of `when`.
//
// An expression is compiled once, when the file is loaded (Compile), and
// matched against Vars as often as wanted by any number of goroutines
// (Program.Match). A match costs some hundred nanoseconds, no more than finding
// a remembered result by the values it depends on would cost: nothing is
// cached. What an expression does not use need not be known: ask Program.Uses
// before estimating anything for its sake.
//
// Start with Vars and Compile.
package match
