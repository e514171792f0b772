//go:build !cgo

package embedded

import (
	"context"
	"errors"
)

var errNoCgo = errors.New("the embedded engine is not in this build: it needs cgo. " +
	"Install a C and a C++ compiler (Debian and Ubuntu: apt install build-essential; macOS: xcode-select --install) " +
	"and build again with CGO_ENABLED=1. Everything else works without it")

// Available says why the engine cannot run in this build.
func Available() error { return errNoCgo }

// Serve returns what Available returns: this build has no engine.
func Serve(context.Context, Options) error { return errNoCgo }
