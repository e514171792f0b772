package app_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"farthing/gateway/app"
	"farthing/gateway/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMistakes holds files whose mistakes only the whole gateway can judge
// (names, cycles, `when`, prices) against what is said about them.
func TestMistakes(t *testing.T) {
	t.Setenv("FARTHING_TEST_KEY", "x")
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(name, func(t *testing.T) {
			c := app.Check(t.Context(), path)
			if c.Err() == nil {
				t.Error("no mistake was found")
			}
			if len(c.Fails) > 0 {
				t.Error("says what a file with mistakes would do")
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".want", text(c.Found))
		})
	}
}

func text(found []config.Diagnostic) string {
	var b strings.Builder
	for _, d := range found {
		d.File = filepath.Base(d.File)
		fmt.Fprintln(&b, d)
	}
	return b.String()
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// TestFull checks a file with every section, less the fields that are not
// carried out yet: nothing stands in its way but the format that is not spoken
// yet, and without that it is taken.
func TestFull(t *testing.T) {
	for _, name := range []string{"FARTHING_ADMIN_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY", "DEEPSEEK_API_KEY", "OPENAI_KEY_A", "AZURE_KEY"} {
		t.Setenv(name, "x")
	}
	t.Setenv("REDIS_URL", "redis://127.0.0.1:1")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	b, err := os.ReadFile("../config/testdata/carried_out.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := strings.NewReplacer("/run/secrets/corp", filepath.Join(dir, "corp"), "./farthing-data", dir).Replace(string(b))
	path := filepath.Join(dir, "full.yaml")
	write(t, filepath.Join(dir, "corp"), "secret")
	write(t, path, file)
	c := app.Check(t.Context(), path)
	if c.Err() == nil {
		t.Error("a format that is not spoken yet was taken")
	}
	for _, d := range c.Found {
		if !strings.Contains(d.Message, "anthropic") {
			t.Errorf("unexpected: %s", d)
		}
	}

	path = filepath.Join(dir, "spoken.yaml")
	write(t, path, spoken(file))
	c = app.Check(t.Context(), path)
	if len(c.Found) > 0 {
		t.Fatalf("%s", text(c.Found))
	}
	want := []string{"h200/deepseek-r1", "deepseek/deepseek-v4-flash", "openai/gpt-5.4-mini", "openai/o1", "openrouter/deepseek/deepseek-r1"}
	if diff := cmp.Diff(want, c.Targets); diff != "" {
		t.Error(diff)
	}
	if len(c.Fails) == 0 {
		t.Error("nothing is said of what fails")
	}
}

// spoken takes the format that is not spoken yet out of the full file.
func spoken(file string) string {
	var kept []string
	for line := range strings.Lines(strings.ReplaceAll(file, ", anthropic/claude-sonnet-5", "")) {
		if !strings.HasPrefix(line, "    anthropic:") && !strings.HasPrefix(line, "    claude-*:") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
