// Package route decides which targets may serve a request, in which order, and
// why.
//
// A Model, which policies/route/names finds for the name that the application
// sent, lists the candidates. Compile reads the file's `policies` into Rules;
// Rules.Decide applies them and ranks the candidates by what their answers are
// worth. Everything that the world knows comes in as values (prices, waits,
// health, estimates, a number drawn by the caller), so this package has no
// context, no clock and no I/O, and the same input always gives the same
// decision.
package route
