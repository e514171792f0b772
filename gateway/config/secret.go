package config

import (
	"net/url"
	"regexp"
	"strings"

	"farthing/providers"
)

// secretAt is a secret and where it stands.
type secretAt struct {
	path string
	providers.Secret
}

// interpolated is how other programs write a variable: $NAME or ${NAME}.
var interpolated = regexp.MustCompile(`^\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?$`)

// checkSecret wants one source, and warns where a secret is written out.
func checkSecret(path string, s providers.Secret) []providers.Problem {
	sources := 0
	for _, source := range []string{s.Value, s.Env, s.File} {
		if source != "" {
			sources++
		}
	}
	switch m := interpolated.FindStringSubmatch(s.Value); {
	case sources == 0:
		return []providers.Problem{providers.Problemf(path, "is empty: write {env: NAME}, {file: PATH} or the value")}
	case sources > 1:
		return []providers.Problem{providers.Problemf(path, "comes from one place: write env, file or the value")}
	case m != nil:
		return []providers.Problem{providers.Problemf(path, "variables are not filled in: write {env: %s}", m[1])}
	case s.Value != "" && secret(path, s.Value):
		return []providers.Problem{providers.Warningf(path, "a secret stands in the file: {env: NAME} or {file: PATH} keeps it out")}
	}
	return nil
}

// secret says whether a written-out value should not stand in a file: a key, a
// hook that anyone may call, or a URL with a password.
func secret(path, value string) bool {
	name := path[strings.LastIndexByte(path, '.')+1:]
	name, _, _ = strings.Cut(name, "[")
	switch name {
	case "key", "keys", "slack", "webhook":
		return true
	}
	u, err := url.Parse(value)
	if err != nil {
		return false
	}
	_, password := u.User.Password()
	for parameter := range u.Query() {
		p := strings.ToLower(parameter)
		password = password || strings.Contains(p, "key") || strings.Contains(p, "token") || strings.Contains(p, "password")
	}
	return password
}

// unresolved names every variable that is not set and every file that cannot
// be read.
func unresolved(secrets []secretAt) []providers.Problem {
	var found []providers.Problem
	for _, s := range secrets {
		switch value, err := s.Resolve(); {
		case err != nil:
			found = append(found, providers.Problemf(s.path, "%v", err))
		case s.File != "" && value == "":
			found = append(found, providers.Problemf(s.path, "the file %s is empty", s.File))
		}
	}
	return found
}
