// Package app puts the gateway together and is the only package that sees every
// other: New opens the store, compiles the file and wires the parts; Run serves
// until its context ends and then drains; a changed file is compiled whole and
// swapped in, or not at all.
//
//	world.go    providers and engines: what is configured or found, and how it is reached
//	compile.go  a file and a world → the flow's State
//	app.go      New, Run
//	data.go     the data folder and the admin key
//	banner.go   what is printed at the start
//	operator.go where a running gateway is, and its store without one
package app
