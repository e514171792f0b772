package match

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// activation shows Vars to CEL as they are: no map is built for a match.
type activation Vars

// ResolveName gives the value of a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	switch name {
	case "model":
		return types.String(a.Model), true
	case "key":
		return types.String(a.Key), true
	case "user":
		return types.String(a.User), true
	case "team":
		return types.String(a.Team), true
	case "tags":
		return tags(a.Tags), true
	case "session":
		return types.String(a.Session), true
	case "format":
		return types.String(a.Format), true
	case "input_tokens":
		return types.Int(a.InputTokens), true
	case "output_tokens":
		return types.Int(a.OutputTokens), true
	case "difficulty":
		return types.Double(a.Difficulty), true
	case "learned":
		return types.Bool(a.Learned), true
	case "has_tools":
		return types.Bool(a.HasTools), true
	case "has_images":
		return types.Bool(a.HasImages), true
	case "hour":
		return types.Int(a.Hour), true
	case "weekday":
		return types.String(a.Weekday), true
	}
	return a.resolveTarget(name)
}

func (a *activation) resolveTarget(name string) (any, bool) {
	switch name {
	case "target":
		return types.String(a.Target), true
	case "target_model":
		return types.String(a.TargetModel), true
	case "provider":
		return types.String(a.Provider), true
	case "self_hosted":
		return types.Bool(a.SelfHosted), true
	case "fallback_from":
		return types.String(a.FallbackFrom), true
	}
	return nil, false
}

// Parent says that there are no other variables.
func (a *activation) Parent() cel.Activation { return nil }

// tags is a map in which a missing name selects "" and is still not in it. It
// is therefore an Indexer with a FieldTester and not a Mapper, whose Find
// answers both questions at once.
type tags map[string]string

var (
	_ traits.Indexer     = tags(nil)
	_ traits.FieldTester = tags(nil)
	_ traits.Container   = tags(nil)
	_ traits.Iterable    = tags(nil)
	_ traits.Sizer       = tags(nil)
)

// Get selects a tag, "" if it is not there.
func (t tags) Get(name ref.Val) ref.Val {
	s, ok := name.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(name)
	}
	return types.String(t[string(s)])
}

// IsSet says whether a tag is there: has(tags.x).
func (t tags) IsSet(name ref.Val) ref.Val { return t.Contains(name) }

// Contains says whether a tag is there: "x" in tags.
func (t tags) Contains(name ref.Val) ref.Val {
	s, ok := name.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(name)
	}
	_, found := t[string(s)]
	return types.Bool(found)
}

// Iterator walks over the names, in no set order.
func (t tags) Iterator() traits.Iterator { return t.plain().Iterator() }

// Size counts the tags.
func (t tags) Size() ref.Val { return types.Int(len(t)) }

// ConvertToNative turns the tags into a Go map.
func (t tags) ConvertToNative(desc reflect.Type) (any, error) {
	if desc == reflect.TypeFor[map[string]string]() {
		return map[string]string(t), nil
	}
	return nil, fmt.Errorf("tags cannot become a %v", desc)
}

// ConvertToType turns the tags into another CEL type.
func (t tags) ConvertToType(typ ref.Type) ref.Val { return t.plain().ConvertToType(typ) }

// Equal compares all tags with another map.
func (t tags) Equal(other ref.Val) ref.Val { return t.plain().Equal(other) }

// Type is CEL's map.
func (t tags) Type() ref.Type { return types.MapType }

// Value is the Go map.
func (t tags) Value() any { return map[string]string(t) }

func (t tags) plain() traits.Mapper {
	return types.NewStringStringMap(types.DefaultTypeAdapter, t)
}
