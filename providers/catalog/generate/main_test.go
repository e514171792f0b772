//go:build data

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"farthing/providers/providertest"
)

// TestDataBookIsGenerated makes the book anew and wants the committed bytes.
func TestDataBookIsGenerated(t *testing.T) {
	prices := providertest.DataFile(t, "prices")
	table := providertest.NewTable(t)
	got, err := generate(defaults(filepath.Dir(prices)), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "book.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		err = errors.New("it is not what the generator makes of the data: go run ./providers/catalog/generate")
	}
	table.Check("price/book", "book.jsonl", err)
}
