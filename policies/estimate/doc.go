// Package estimate says what a request will need before it is sent: how many
// tokens go in, how many are likely to come out and how many at most, and how
// hard the question is.
//
// Start with Estimator.Read, which takes a request's Brief and returns a
// Request: what is asked of it is computed when it is first asked for and kept,
// so that a request with one candidate costs one count and no difficulty.
// Request.For gives the Estimate for a target, Request.Quality the probability
// that the target's answer is good enough. Estimator.Observe takes what a
// settled answer really used, from which the lengths of answers and the
// corrections for vendors whose tokenizer is not public are learned.
//
// Tokens are counted by policies/estimate/bpe, which gives exactly what
// tiktoken-go gives. What surrounds the texts is by rule: templates and tools in
// chat.go, images in images.go. What is learned stands in learned.go, and the
// measure of difficulty in difficulty.go.
package estimate

import "farthing/policies/estimate/bpe"

// Tokens is the exact number of tokens of text in a tiktoken encoding, for
// counting an answer whose provider reported no usage. For an encoding that is
// not tiktoken's it counts in o200k_base.
func Tokens(encoding, text string) int {
	if !bpe.Known(encoding) {
		encoding = defaultEncoding
	}
	return bpe.Tokens(encoding, text)
}
