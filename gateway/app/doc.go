// Package app puts the gateway together and is the only package that sees every
// other: New opens the store, compiles the file and wires the parts; Run serves
// until its context ends and then drains; a changed file is compiled whole and
// swapped in, or not at all. A file becomes what serves in package plan, its
// providers and engines in package world.
//
//	app.go       New, Run
//	reload.go    a changed file, engines' changed models
//	store.go     Redis or SQLite
//	data.go      the data folder and the admin key
//	learned.go   what the estimator has learned, across restarts
//	banner.go    what is printed at the start, who is let in
//	operate.go   the operator's side of a running gateway; readiness; gauges
//	operator.go  where a running gateway is, and its store without one
//	check.go     a file looked at and not served
package app
