package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers is the dependency order: a package may import what stands in an
// earlier line, and its neighbours in the same line only where the line is one
// folder that the rules below do not split.
var layers = [][]string{
	{"providers"},
	{"policies"},
	{"localengine"},
	{"dashboards"},
	{"gateway/telemetry"},
	{"gateway/config"},
	{"gateway/record"},
	{"gateway/flow"},
	{"gateway/admin", "gateway/edge", "gateway/alert", "gateway/replay"},
	{"gateway/app"},
	{"gateway/cli"},
	{"gateway/bench"},
	{"gateway"},
}

// worlds are the outside worlds and the one package through which each enters.
// An entry ending in / stands for everything below it.
var worlds = []struct {
	imports string
	through []string
}{
	{"github.com/gofiber/", []string{"gateway/edge"}},
	{"github.com/valyala/fasthttp", []string{"gateway/edge"}},
	{"github.com/redis/go-redis/", []string{"policies/store/redis"}},
	{"modernc.org/sqlite", []string{"policies/store/sqlite"}},
	{"github.com/pkoukk/", []string{"policies/estimate"}},
	{"cel.dev/", []string{"policies/match"}},
	{"github.com/ollama/", []string{"localengine/embedded"}},
	{"go.yaml.in/", []string{"gateway/config"}},
	{"github.com/alecthomas/kong", []string{"gateway/cli"}},
	{"go.opentelemetry.io/", []string{"gateway/telemetry"}},
	{"github.com/prometheus/", []string{"gateway/telemetry"}},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

// TestDependencies checks the order of the house and its doors.
func TestDependencies(t *testing.T) {
	pkgs := list(t)
	if len(pkgs) < 20 {
		t.Fatalf("go list found only %d packages", len(pkgs))
	}
	for _, p := range pkgs {
		from := strings.TrimPrefix(p.ImportPath, "farthing/")
		layer := layerOf(from)
		if layer < 0 {
			t.Errorf("%s stands in no layer: the house has no such room", from)
			continue
		}
		for _, imp := range p.Imports {
			checkImport(t, from, layer, imp)
		}
	}
}

func checkImport(t *testing.T, from string, layer int, imp string) {
	t.Helper()
	if to, ours := strings.CutPrefix(imp, "farthing/"); ours {
		if below := layerOf(to); below > layer || below == layer && room(from, layer) != room(to, layer) {
			t.Errorf("%s imports %s, against the order", from, to)
		}
		return
	}
	for _, w := range worlds {
		if strings.HasPrefix(imp, w.imports) && !slices.ContainsFunc(w.through, func(door string) bool { return under(from, door) }) {
			t.Errorf("%s imports %s, which enters through %v alone", from, imp, w.through)
		}
	}
	if imp == "net/http" && !slices.ContainsFunc(httpPackages, func(door string) bool { return under(from, door) }) {
		t.Errorf("%s imports net/http: clients live in providers/upstream, the server in localengine/embedded, handlers in gateway", from)
	}
}

// httpPackages may import net/http: the client, the embedded engine's server,
// and the places where http.Handler is the vocabulary of the operations surface.
var httpPackages = []string{"providers/upstream", "localengine/embedded", "gateway/edge", "gateway/admin", "gateway/telemetry", "gateway/app", "gateway/bench", "dashboards"}

func layerOf(path string) int {
	found, length := -1, -1
	for i, rooms := range layers {
		for _, r := range rooms {
			if under(path, r) && len(r) > length {
				found, length = i, len(r)
			}
		}
	}
	if found == len(layers)-1 && path != "gateway" {
		return -1
	}
	return found
}

func room(path string, layer int) string {
	best := ""
	for _, r := range layers[layer] {
		if under(path, r) && len(r) > len(best) {
			best = r
		}
	}
	return best
}

func under(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "farthing/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}
