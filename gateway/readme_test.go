package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"farthing/gateway/app"
	"farthing/gateway/cli"
	"farthing/policies/store/storetest"
)

// TestFilesOnPaper looks at every file that people copy: the YAML blocks of the
// README, the example, and the file inside docker-compose.yml.
func TestFilesOnPaper(t *testing.T) {
	files := map[string]string{"farthing.example.yaml": read(t, "../farthing.example.yaml")}
	for i, block := range fenced(read(t, "../README.md"), "yaml") {
		files[fmt.Sprintf("README.md, YAML block %d", i+1)] = block
	}
	if len(files) < 7 {
		t.Fatalf("found only %d files: the README's blocks are gone", len(files))
	}
	_, inside, _ := strings.Cut(read(t, "../docker-compose.yml"), "content: |\n")
	inside, _, _ = strings.Cut(inside, "\n\n")
	files["docker-compose.yml"] = strings.ReplaceAll(inside, "$$", "$")
	for name, text := range files {
		t.Run(name, func(t *testing.T) {
			setVariables(t, text)
			path := filepath.Join(t.TempDir(), "farthing.yaml")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := app.Check(t.Context(), path).Err(); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

// variable is an environment variable that a file or its comments name.
var variable = regexp.MustCompile(`\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b`)

func setVariables(t *testing.T, text string) {
	t.Helper()
	for _, name := range variable.FindAllString(text, -1) {
		switch {
		case name == "REDIS_URL":
			t.Setenv(name, storetest.Redis(t))
		case strings.HasSuffix(name, "_ENDPOINT"):
			t.Setenv(name, "http://127.0.0.1:4318")
		default:
			t.Setenv(name, "a-key")
		}
	}
}

// TestCommandsOnPaper holds every farthing command that the README and the
// example show against the command line: the command is there, and so is each
// of its flags.
func TestCommandsOnPaper(t *testing.T) {
	text := read(t, "../README.md") + strings.ReplaceAll(read(t, "../farthing.example.yaml"), "\n#   ", "\n")
	shown := regexp.MustCompile("(?m)^farthing ([^\n]*)|`farthing ([^`]*)`").FindAllStringSubmatch(text, -1)
	if len(shown) < 12 {
		t.Fatalf("found only %d commands", len(shown))
	}
	for _, m := range shown {
		line, _, _ := strings.Cut(m[1]+m[2], " #")
		var help bytes.Buffer
		if code := cli.Main(append(commandOf(line), "--help"), strings.NewReader(""), &help, &help); code != 0 {
			t.Errorf("farthing %s: %s", line, help.String())
		}
		for _, flag := range regexp.MustCompile(`(^| )--?[a-z][a-z-]*`).FindAllString(line, -1) {
			if flag = strings.TrimSpace(flag); !strings.Contains(help.String(), flag+"=") && !strings.Contains(help.String(), flag+" ") && !strings.Contains(help.String(), flag+",") {
				t.Errorf("farthing %s: there is no %s", line, flag)
			}
		}
	}
}

// commandOf is the part of a command line before its flags and arguments.
func commandOf(line string) (words []string) {
	for _, w := range strings.Fields(line) {
		if strings.HasPrefix(w, "-") || strings.ToLower(w) != w || strings.ContainsAny(w, "./") {
			break
		}
		words = append(words, strings.TrimSuffix(w, ","))
	}
	return words
}

// fenced are the blocks of a Markdown text in a language.
func fenced(text, language string) (blocks []string) {
	for _, part := range strings.Split(text, "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		blocks = append(blocks, block)
	}
	return blocks
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
