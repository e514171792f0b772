// Package adapter knows how each kind of model server names its models, and
// finds the servers that answer on this machine. Only chat models count: a
// server's embedding models are left out.
//
//	ollama    GET /api/tags   (it unloads idle models, so /api/ps would not do)
//	others    GET /v1/models  (llama-server, vLLM, SGLang and what is like them)
package adapter

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"sort"
	"strings"
	"sync"
	"time"

	"farthing/providers/upstream"
)

// Model is a chat model of a server.
type Model struct {
	ID      string
	Context int64 // tokens; 0 where the server does not say
}

const (
	probeTime  = 2 * time.Second
	localTime  = 400 * time.Millisecond
	maxListing = 4 << 20
)

// Models asks the server of this type at base, with or without its /v1, for its
// chat models. header is what it wants to see, such as its key.
func Models(ctx context.Context, kind, base string, header ...[2]string) ([]Model, error) {
	return models(ctx, kind, base, probeTime, header...)
}

func models(ctx context.Context, kind, base string, limit time.Duration, header ...[2]string) ([]Model, error) {
	base = Root(base)
	if kind == "ollama" {
		body, err := upstream.Get(ctx, base+"/api/tags", limit, maxListing, header...)
		if err != nil {
			return nil, err
		}
		return ollamaModels(body)
	}
	body, err := upstream.Get(ctx, base+"/v1/models", limit, maxListing, header...)
	if err != nil {
		return nil, err
	}
	return openaiModels(body)
}

// Root is the server's address without the /v1 of its OpenAI-compatible API.
func Root(base string) string {
	return strings.TrimSuffix(strings.TrimRight(base, "/"), "/v1")
}

func ollamaModels(body []byte) ([]Model, error) {
	var tags struct {
		Models *[]struct {
			Name    string
			Details struct{ Family string }
		}
	}
	if err := json.Unmarshal(body, &tags); err != nil || tags.Models == nil {
		return nil, fmt.Errorf("not an Ollama server: /api/tags has no list of models")
	}
	var out []Model
	for _, m := range *tags.Models {
		if m.Name != "" && !embeds(m.Name) && !strings.Contains(m.Details.Family, "bert") {
			out = append(out, Model{ID: m.Name})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out, nil
}

func openaiModels(body []byte) ([]Model, error) {
	var list struct {
		Data *[]struct {
			ID          string
			MaxModelLen int64 `json:"max_model_len"` // vLLM
			Meta        struct {
				Context int64 `json:"n_ctx"` // llama-server
			}
		}
	}
	if err := json.Unmarshal(body, &list); err != nil || list.Data == nil {
		return nil, fmt.Errorf("not an OpenAI-compatible server: /v1/models has no list")
	}
	var out []Model
	for _, m := range *list.Data {
		if m.ID != "" && !embeds(m.ID) {
			out = append(out, Model{ID: m.ID, Context: max(m.MaxModelLen, m.Meta.Context)})
		}
	}
	return out, nil
}

// embeds recognises embedding and reranking models by the names that their
// makers give them; servers do not say.
func embeds(id string) bool {
	id = strings.ToLower(id)
	for _, word := range [...]string{"embed", "rerank", "bge-", "/bge", "gte-", "e5-", "minilm"} {
		if strings.Contains(id, word) {
			return true
		}
	}
	return false
}

// Found is a server that answered on this machine.
type Found struct {
	Type   string // also the engine's name
	URL    string
	Models []Model
}

// usual are the addresses where model servers listen unless told otherwise.
var usual = []Found{
	{Type: "ollama", URL: "http://127.0.0.1:11434"},
	{Type: "llamacpp", URL: "http://127.0.0.1:8080"},
	{Type: "vllm", URL: "http://127.0.0.1:8000"},
}

// Discover looks for servers at their usual addresses on this machine. own are
// the addresses that this gateway listens on, never taken for a server.
func Discover(ctx context.Context, own ...string) []Found {
	return discover(ctx, usual, own)
}

func discover(ctx context.Context, places []Found, own []string) []Found {
	found := make([]Found, len(places))
	var wg sync.WaitGroup
	for i, at := range places {
		if isOwn(at.URL, own) {
			continue
		}
		wg.Go(func() {
			list, err := models(ctx, at.Type, at.URL, localTime)
			if err == nil && len(list) > 0 {
				found[i] = Found{Type: at.Type, URL: at.URL, Models: list}
			}
		})
	}
	wg.Wait()
	var out []Found
	for _, f := range found {
		if f.URL != "" {
			out = append(out, f)
		}
	}
	return out
}

func isOwn(place string, own []string) bool {
	u, err := url.Parse(place)
	if err != nil {
		return true
	}
	for _, addr := range own {
		if _, port, err := net.SplitHostPort(addr); err == nil && port == u.Port() {
			return true
		}
	}
	return false
}
