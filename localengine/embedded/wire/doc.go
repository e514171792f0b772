// Package wire is OpenAI's chat completions as the embedded engine speaks them:
// reading and checking requests (request.go), whole and streamed replies
// (reply.go), and refusals in OpenAI's error shape (error.go).
package wire
