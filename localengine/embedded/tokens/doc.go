// Package tokens holds what happens between a model's tokens and text, apart
// from the model itself: rendering a conversation into a prompt (prompt.go),
// picking the next token (sampler.go), telling reasoning from answer
// (channel.go), and cutting text at stop texts and at whole characters
// (text.go).
//
// It knows neither the inference library nor HTTP, and nothing in it waits.
package tokens
