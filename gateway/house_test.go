package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a reader can take in: the sizes that the house keeps to, tests aside.
const (
	maxFunction = 80
	maxFile     = 400
	maxPackage  = 1200
)

// TestHouse checks sizes and that every package opens with a comment.
func TestHouse(t *testing.T) {
	packages, documented := map[string]int{}, map[string]bool{}
	for _, path := range sources(t) {
		set := token.NewFileSet()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(set, path, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		lines := bytes.Count(text, []byte("\n"))
		packages[dir] += lines
		documented[dir] = documented[dir] || file.Doc != nil && len(file.Doc.Text()) > 60
		if lines > maxFile {
			t.Errorf("%s has %d lines, more than %d", path, lines, maxFile)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if n := set.Position(d.End()).Line - set.Position(d.Pos()).Line + 1; ok && n > maxFunction {
				t.Errorf("%s: %s has %d lines, more than %d", path, f.Name.Name, n, maxFunction)
			}
			if ok && f.Name.Name == "init" && f.Recv == nil {
				t.Errorf("%s: init hides what it does; wire it in gateway/app", path)
			}
		}
	}
	for dir, lines := range packages {
		if lines > maxPackage {
			t.Errorf("%s has %d lines, more than %d", dir, lines, maxPackage)
		}
		if !documented[dir] {
			t.Errorf("%s does not open with a comment that a newcomer can start from", dir)
		}
		if name := filepath.Base(dir); slices.Contains([]string{"internal", "pkg", "common", "utils", "util", "types", "helpers", "manager"}, name) {
			t.Errorf("%s: a package is named for what it means", dir)
		}
	}
}

func sources(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 || d.Name() == "node_modules" || d.Name() == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) < 50 {
		t.Fatalf("found only %d source files", len(paths))
	}
	return paths
}
