//go:build data

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestBookIsGenerated makes the book anew and wants the committed bytes.
func TestBookIsGenerated(t *testing.T) {
	data := os.Getenv("FARTHING_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	got, err := generate(defaults(data), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "book.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("book.jsonl is not what the generator makes of the data: go run ./providers/catalog/generate")
	}
}
