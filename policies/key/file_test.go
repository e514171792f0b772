package key_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"farthing/policies/key"
)

// TestNew makes keys of 256 bits that are kept as their hash.
func TestNew(t *testing.T) {
	secret, hash := key.New()
	again, other := key.New()
	if !strings.HasPrefix(secret, key.Prefix) || len(secret) != len(key.Prefix)+43 || secret == again || hash == other {
		t.Errorf("%s, %s", secret, again)
	}
	if key.HashOf(secret) != hash || hash.IsZero() || !(key.Hash{}).IsZero() {
		t.Error("the hash is another secret's")
	}
	if strings.Contains(fmt.Sprintf("%v %+v", key.Key{Hash: hash}, hash), secret) {
		t.Error("the secret is kept")
	}
}

// TestHash reads and writes the digest that sha256sum prints.
func TestHash(t *testing.T) {
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if got := key.HashOf("abc").String(); got != abc {
		t.Errorf("%s", got)
	}
	long := strings.Repeat("a", 200) // past what the hash is made of without an allocation
	if got := key.HashOf(long).String(); got != "c2a908d98f5df987ade41b5fce213067efbcc21ef2240212a41e54b5e7c28ae5" {
		t.Errorf("%s", got)
	}
	var h key.Hash
	if err := h.UnmarshalText([]byte(strings.ToUpper(abc))); err != nil || h != key.HashOf("abc") {
		t.Errorf("%v, %v", h, err)
	}
	before := h
	for text, want := range map[string]string{"": "0 characters", abc[1:]: "63 characters", abc[:63] + "g": "64 hex digits", strings.Repeat("é", 32): "64 hex digits"} {
		if err := h.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || h != before {
			t.Errorf("%q: %v, %v", text, h, err)
		}
	}
}

// TestCompile reads what a file says of keys.
func TestCompile(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	defaults := key.Defaults{MayUse: []string{"auto", "claude-*"}}
	hash := key.HashOf("ours")
	f, problems := key.Compile(map[string]key.Config{
		"ci":    {SHA256: strings.ToUpper(hash.String()), Team: "platform", Tags: map[string]string{"app": "ci"}, MayUse: []string{"*"}, Expires: "2027-03-28", TrustUserHeader: true, RequestsPerMinute: 1, TokensPerMinute: 2, Parallel: 3},
		"ada":   {SHA256: key.HashOf("hers").String(), Owner: "ada"},
		"local": {Owner: "root", Team: "home"},
	}, defaults, berlin)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := key.File{
		Keys: []*key.Key{
			{Hash: key.HashOf("hers"), Name: "ada", Owner: "ada", Source: key.FromFile},
			{
				Hash: hash, Name: "ci", Owner: "ci", Team: "platform", Tags: map[string]string{"app": "ci"}, MayUse: []string{"*"}, Source: key.FromFile,
				Expires: time.Date(2027, 3, 27, 23, 0, 0, 0, time.UTC), TrustUserHeader: true, RequestsPerMinute: 1, TokensPerMinute: 2, Parallel: 3,
			},
		},
		Local:    &key.Key{Name: key.LocalName, Owner: "root", Team: "home", Source: key.FromFile},
		Defaults: defaults,
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
}

// TestCompileNothing knows the key of this machine without a file.
func TestCompileNothing(t *testing.T) {
	f, problems := key.Compile(nil, key.Defaults{}, time.UTC)
	want := key.File{Local: &key.Key{Name: key.LocalName, Owner: key.LocalName, Source: key.FromFile}}
	if diff := cmp.Diff(want, f); diff != "" || len(problems) > 0 {
		t.Errorf("%v\n%s", problems, diff)
	}
}

// TestCompileMistakes reports all of them together, each at its path.
func TestCompileMistakes(t *testing.T) {
	good := key.HashOf("x").String()
	_, problems := key.Compile(map[string]key.Config{
		"a":     {SHA256: good},
		"b":     {SHA256: good},
		"bare":  {Owner: "ada"},
		"days":  {SHA256: key.HashOf("days").String(), Expires: "90d"},
		"local": {SHA256: key.HashOf("local").String(), MayUse: []string{"a*b*c"}, Expires: "2027-01-31"},
		"short": {SHA256: "9f86d0", Expires: "2027-02-30", MayUse: []string{"", "auto"}},
	}, key.Defaults{MayUse: []string{"**"}}, time.UTC)
	var got []string
	for _, p := range problems {
		if p.Warning {
			t.Errorf("only a warning: %s", p.Path)
		}
		got = append(got, p.Path+": "+p.Message)
	}
	want := []string{
		`key_defaults.may_use[0]: "**" is no name: write one with at most one *`,
		"keys.b.sha256: is the same key as keys.a",
		"keys.bare: a key in the file needs its sha256 (or make it with `farthing keys create`)",
		`keys.days.expires: a key in the file expires on a date such as 2027-01-31, not "90d"`,
		`keys.local.may_use[0]: "a*b*c" is no name: write one with at most one *`,
		"keys.local.sha256: `local` stands for requests without a key and has none",
		"keys.local.expires: `local` stands for requests without a key and does not end: write server: {open_on_localhost: false}",
		`keys.short.may_use[0]: "" is no name: write one with at most one *`,
		"keys.short.sha256: not a SHA-256: 6 characters instead of 64 hex digits",
		`keys.short.expires: a key in the file expires on a date such as 2027-01-31, not "2027-02-30"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
