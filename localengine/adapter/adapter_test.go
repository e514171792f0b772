package adapter

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func server(t *testing.T, path, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestModels(t *testing.T) {
	tests := []struct {
		name, kind, path, body string
		want                   []Model
		fails                  bool
	}{
		{
			"ollama leaves embeddings out", "ollama", "/api/tags",
			`{"models":[{"name":"qwen3:8b","details":{"family":"qwen3"}},{"name":"nomic-embed-text:latest","details":{"family":"nomic-bert"}},{"name":"all:33m","details":{"family":"bert"}}]}`,
			[]Model{{ID: "qwen3:8b"}},
			false,
		},
		{"ollama without models", "ollama", "/api/tags", `{"models":[]}`, nil, false},
		{"not ollama", "ollama", "/api/tags", `<html>`, nil, true},
		{
			"vllm says its context", "vllm", "/v1/models", `{"object":"list","data":[{"id":"deepseek-ai/DeepSeek-R1","max_model_len":163840},{"id":"BAAI/bge-m3"}]}`,
			[]Model{{ID: "deepseek-ai/DeepSeek-R1", Context: 163840}},
			false,
		},
		{
			"llama-server says it elsewhere", "llamacpp", "/v1/models", `{"models":[],"data":[{"id":"tiny","meta":{"n_ctx":2048}}]}`,
			[]Model{{ID: "tiny", Context: 2048}},
			false,
		},
		{"some other server", "vllm", "/v1/models", `{"ok":true}`, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Models(context.Background(), tt.kind, server(t, tt.path, tt.body)+"/v1")
			if (err != nil) != tt.fails {
				t.Fatalf("error = %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestModelsShowsKey asks a server that tells nobody without its key.
func TestModelsShowsKey(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"data":[{"id":"tiny"}]}`))
	}))
	t.Cleanup(s.Close)
	if _, err := Models(context.Background(), "vllm", s.URL); err == nil {
		t.Error("it told without a key")
	}
	got, err := Models(context.Background(), "vllm", s.URL, [2]string{"Authorization", "Bearer secret"})
	if diff := cmp.Diff([]Model{{ID: "tiny"}}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestDiscoverSkipsOurselvesAndTheSilent(t *testing.T) {
	list := `{"data":[{"id":"m"}]}`
	a, b := server(t, "/v1/models", list), server(t, "/v1/models", list)
	places := []Found{{Type: "llamacpp", URL: a}, {Type: "vllm", URL: b}, {Type: "ollama", URL: "http://127.0.0.1:1"}}
	got := discover(context.Background(), places, []string{strings.TrimPrefix(a, "http://")})
	if diff := cmp.Diff([]Found{{Type: "vllm", URL: b, Models: []Model{{ID: "m"}}}}, got); diff != "" {
		t.Error(diff)
	}
}
