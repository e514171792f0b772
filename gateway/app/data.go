package app

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"farthing/providers"
)

const (
	adminKeyFile = "admin.key"
	adminKeyEnv  = "FARTHING_ADMIN_KEY"
)

// adminKey finds the admin key: in the file, in the environment, or in the data
// folder, where one is made if create is set and there is none. path is "" where
// the key is not kept by us.
func adminKey(configured providers.Secret, data string, create bool) (key, path string, err error) {
	if !configured.IsZero() {
		key, err = configured.Resolve()
		return key, "", err
	}
	if key := os.Getenv(adminKeyEnv); key != "" {
		return key, "", nil
	}
	path = filepath.Join(data, adminKeyFile)
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		return strings.TrimSpace(string(text)), path, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", path, fmt.Errorf("the admin key cannot be read: %w", err)
	case !create:
		return "", path, nil
	}
	var bits [32]byte
	_, _ = rand.Read(bits[:])
	key = "fa-" + base64.RawURLEncoding.EncodeToString(bits[:])
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		return "", path, fmt.Errorf("the admin key cannot be kept: %w", err)
	}
	return key, path, nil
}

// openData makes the data folder.
func openData(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("the data folder cannot be made (set `data:` in the file to one that can): %w", err)
	}
	return nil
}
