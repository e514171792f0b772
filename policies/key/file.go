package key

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"farthing/providers"
)

// File is what a configuration file says of keys, ready for a Ring.
type File struct {
	Keys     []*Key
	Local    *Key // of requests from this machine without a key; never nil
	Defaults Defaults
}

// Compile reads the file's `keys` and `key_defaults`. Dates are days in zone: a
// key works to the end of the day before it expires. All mistakes come back
// together.
func Compile(keys map[string]Config, defaults Defaults, zone *time.Location) (File, []providers.Problem) {
	f := File{Local: &Key{Name: LocalName, Owner: LocalName, Source: FromFile}, Defaults: defaults}
	all := CheckNames("key_defaults.may_use", defaults.MayUse)
	owners := map[Hash]string{}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		k, found := compileKey(name, keys[name], zone)
		all = append(all, found...)
		switch other, taken := owners[k.Hash]; {
		case name == LocalName:
			f.Local = k
		case k.Hash.IsZero():
		case taken:
			all = append(all, providers.Problemf("keys."+name+".sha256", "is the same key as keys.%s", other))
		default:
			owners[k.Hash] = name
			f.Keys = append(f.Keys, k)
		}
	}
	return f, all
}

func compileKey(name string, c Config, zone *time.Location) (*Key, []providers.Problem) {
	path := "keys." + name
	k := &Key{
		Name: name, Owner: c.Owner, Team: c.Team, Tags: c.Tags, MayUse: c.MayUse, Source: FromFile, TrustUserHeader: c.TrustUserHeader,
		RequestsPerMinute: c.RequestsPerMinute, TokensPerMinute: c.TokensPerMinute, Parallel: c.Parallel,
	}
	if k.Owner == "" {
		k.Owner = name
	}
	all := CheckNames(path+".may_use", c.MayUse)
	switch {
	case name == LocalName && c.SHA256 != "":
		all = append(all, providers.Problemf(path+".sha256", "`local` stands for requests without a key and has none"))
	case name != LocalName && c.SHA256 == "":
		all = append(all, providers.Problemf(path, "a key in the file needs its sha256 (or make it with `farthing keys create`)"))
	case c.SHA256 != "":
		if err := k.Hash.UnmarshalText([]byte(c.SHA256)); err != nil {
			all = append(all, providers.Problemf(path+".sha256", "%v", err))
		}
	}
	switch {
	case c.Expires == "":
	case name == LocalName:
		all = append(all, providers.Problemf(path+".expires", "`local` stands for requests without a key and does not end: write server: {open_on_localhost: false}"))
	default:
		date, err := time.ParseInLocation(time.DateOnly, c.Expires, zone)
		if err != nil {
			all = append(all, providers.Problemf(path+".expires", "a key in the file expires on a date such as 2027-01-31, not %q", c.Expires))
		}
		k.Expires = date
	}
	return k, all
}

// CheckNames finds what is no pattern in a may_use list that stands at path.
func CheckNames(path string, patterns []string) (all []providers.Problem) {
	for i, p := range patterns {
		if p == "" || strings.Count(p, "*") > 1 {
			all = append(all, providers.Problemf(fmt.Sprintf("%s[%d]", path, i), "%q is no name: write one with at most one *", p))
		}
	}
	return all
}
