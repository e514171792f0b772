// Package translate turns requests in OpenAI's chat completions into the shared
// words and back (DecodeRequest, EncodeRequest). It serves traffic between
// different formats; between equal ones the bytes go through openai.Splice.
// Answers are the matter of package events.
//
// Nothing is lost on the way there and back: what the shared words have no place
// for stands in an Extra field of its request, turn or part, or in an Opaque
// part. An Extra field that names a member which the words also carry says how
// that member was written; writing uses it.
package translate
