// Package embedded is a real Mixture-of-Experts model server inside the
// farthing binary. It speaks OpenAI chat completions and is meant to run in a
// process of its own (`farthing engine`), started and watched by
// localengine/supervise.
//
// It stands on the Go inference engine of Ollama (github.com/ollama/ollama,
// packages model, kvcache, tokenizer and ml/backend/ggml) and is the only
// package that imports it. That library has no promise of a stable API, and
// its C code (ggml) aborts the process on a failed assertion; both are reasons
// to keep it behind this wall.
//
// A request's way: server.go takes it in, chat.go takes a place in the queue
// (queue.go), wire checks it, tokens renders its messages into the model's chat
// template, engine.go reads that prompt and writes tokens one at a time, which
// tokens picks and turns into text, and wire sends.
//
// The model that comes with the binary (demo.gguf, 2 MB, two million weights,
// 8 experts of which 2 answer each token) is a DEMONSTRATION. It was trained by
// the scripts in train/ on a few hundred made-up questions; it makes a gateway
// answer on a bare machine and does not stand in for a real model. A real one
// is given by Options.ModelPath: a GGUF file of the architecture qwen3moe or
// gptoss. Other architectures are refused, because nobody has compared their
// tokens with a reference.
//
// One request runs at a time, the others wait in a bounded queue.
//
// The engine needs cgo. Without it the package still builds, and Available
// says what is missing.
package embedded

import "io"

// ModelName is the id of the demonstration model, in requests and in
// GET /v1/models.
const ModelName = "demo"

// ownerDemo is the owned_by and the system_fingerprint of the demonstration,
// so that no reply of it can be taken for that of a real model.
const ownerDemo = "farthing-demonstration"

// Defaults of Options where a field is zero.
const (
	DefaultQueue   = 64   // requests that may wait
	DefaultContext = 8192 // tokens, where the model allows as many
)

// Options say what to serve and where. The zero value is usable.
type Options struct {
	// Listen is the TCP address; empty means 127.0.0.1:0 (0: any free port).
	Listen string
	// ModelPath is a GGUF file; empty means the embedded demonstration model.
	ModelPath string
	// Threads that compute; 0 means one less than there are cores, at least
	// one. ggml's threads spin while they wait, so a thread without a core
	// of its own slows all the others down.
	Threads int
	// Context is the greatest sum of prompt and answer in tokens. 0 means
	// the model's own limit or DefaultContext, whichever is less. More than
	// the model was made for is an error.
	Context int
	// Queue is how many requests may wait while one runs; the next is
	// refused with 429. 0 means DefaultQueue, less than 0 that none waits.
	Queue int
	// Ready is called once, when the model is loaded, with the address that
	// the server listens on and the model's id.
	Ready func(addr, model string)
	// ParentPipe, when set, is read until its end: that the parent has died.
	// Serve then stops at once, without waiting for running requests.
	ParentPipe io.Reader
}
