//go:build cgo

package embedded

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	fsggml "github.com/ollama/ollama/fs/ggml"
	"github.com/ollama/ollama/ml"
	"github.com/ollama/ollama/model"
	"github.com/ollama/ollama/model/input"
	_ "github.com/ollama/ollama/model/models/gptoss" // registers the architecture
	_ "github.com/ollama/ollama/model/models/qwen3"  // registers the architecture
	"github.com/ollama/ollama/tokenizer"

	"farthing/localengine/embedded/tokens"
)

//go:embed demo.gguf
var demoGGUF []byte

// Available is nil: this build has the engine.
func Available() error { return nil }

// header is what is read from a GGUF file before any of it is loaded.
type header struct {
	arch         string
	family       tokens.Family
	context      int
	chatTemplate string
}

// readHeader refuses what the engine cannot be trusted with.
func readHeader(path string) (h header, err error) {
	// The decoder is made for good files and may panic over bad ones.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s is not a readable GGUF file: %v", path, p)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return h, err
	}
	defer f.Close()
	meta, err := fsggml.Decode(f, 0)
	if err != nil {
		return h, fmt.Errorf("%s is not a readable GGUF file: %w", path, err)
	}
	kv := meta.KV()
	h = header{arch: kv.Architecture(), context: int(kv.ContextLength()), chatTemplate: kv.ChatTemplate()}
	var known bool
	if h.family, known = tokens.FamilyOf(h.arch); !known {
		return h, fmt.Errorf("%s has the architecture %q: the embedded engine serves qwen3moe and gptoss only. "+
			"Serve it with llama-server, Ollama or vLLM and add that as an engine", path, h.arch)
	}
	if kind := kv.String("tokenizer.ggml.model"); kind != "gpt2" {
		return h, fmt.Errorf("%s has a tokenizer of the kind %q, and %s needs gpt2", path, kind, h.arch)
	}
	return h, nil
}

// modelFile returns the path to load and a function that removes it again if
// it was only written for this.
func modelFile(path string) (string, func(), error) {
	if path != "" {
		return path, func() {}, nil
	}
	// The library opens a file by its name, several times, while it loads.
	f, err := os.CreateTemp("", "farthing-demo-*.gguf")
	if err != nil {
		return "", nil, err
	}
	_, err = f.Write(demoGGUF)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name()) // the write's error is the one to tell
		return "", nil, fmt.Errorf("write the demonstration model: %w", err)
	}
	return f.Name(), func() {
		if err := os.Remove(f.Name()); err != nil {
			slog.Warn("temporary model file stays", "err", err)
		}
	}, nil
}

// load reads the model into memory. ctx ends it early.
func load(ctx context.Context, o Options) (e *engine, err error) {
	path, remove, err := modelFile(o.ModelPath)
	if err != nil {
		return nil, err
	}
	defer remove()
	h, err := readHeader(path)
	if err != nil {
		return nil, err
	}
	size, err := contextSize(o.Context, h.context)
	if err != nil {
		return nil, err
	}
	// Too little memory and missing tensors come as panics.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("load %s: %v", path, p)
		}
	}()
	started := time.Now()
	threads := threadCount(o.Threads)
	m, err := model.New(path, ml.BackendParams{AllocMemory: true, NumThreads: threads, FlashAttention: ml.FlashAttentionEnabled})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	tok, ok := m.(tokenizer.Tokenizer)
	if !ok {
		return nil, fmt.Errorf("load %s: the model brings no tokenizer", path)
	}
	e = newEngine(m, tok, h, size)
	if o.ModelPath == "" {
		e.name, e.owner = ModelName, ownerDemo
	} else {
		e.name, e.owner = strings.TrimSuffix(filepath.Base(path), ".gguf"), "farthing-embedded"
		e.defaultTemperature = 1
	}
	if err := e.reserve(); err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	if err := m.Backend().Load(ctx, func(float32) {}); err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	slog.Info("model loaded", "model", e.name, "architecture", h.arch, "demonstration", o.ModelPath == "",
		"context", size, "threads", threads, "took", time.Since(started).Round(time.Millisecond))
	return e, nil
}

func contextSize(asked, limit int) (int, error) {
	if limit < 1 {
		return 0, errors.New("the model file names no context length")
	}
	switch {
	case asked < 0:
		return 0, fmt.Errorf("a context of %d tokens cannot be", asked)
	case asked == 0:
		return min(limit, DefaultContext), nil
	case asked > limit:
		return 0, fmt.Errorf("a context of %d tokens was asked for, and the model was made for at most %d", asked, limit)
	}
	return asked, nil
}

func threadCount(asked int) int {
	if asked > 0 {
		return asked
	}
	return max(1, runtime.NumCPU()-1)
}

// reserve lets the library lay out memory for the largest step there will be,
// so that too little memory shows at the start and not in some request.
func (e *engine) reserve() error {
	e.cache.Init(e.model.Backend(), ml.DTypeF16, 1, e.context, batchSize)
	ctx := e.model.Backend().NewContext()
	defer ctx.Close()
	b := input.Batch{Positions: make([]int32, batchSize), Sequences: make([]int, batchSize)}
	for i := range b.Positions {
		b.Positions[i] = int32(i)
	}
	b.Inputs = ctx.Input().FromInts(make([]int32, batchSize), batchSize)
	b.Outputs = ctx.Input().Empty(ml.DTypeI32, 1)
	if err := e.cache.StartForward(ctx, b, true); err != nil {
		return err
	}
	out, err := e.model.Forward(ctx, b)
	if err != nil {
		return err
	}
	ctx.SetBatchSize(batchSize)
	ctx.Forward(out).Reserve()
	return nil
}
