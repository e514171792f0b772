package price

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// ParseRow reads a price row written as JSON. Prices may be numbers or strings;
// they are read from the literal, never through a float. A bare number or string
// as a tier is its factor, as per_search the price of any search.
func ParseRow(raw []byte) (c RowConfig, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		return c, err
	}
	literals(v)
	if tiers, ok := v["tiers"].(map[string]any); ok {
		for name, t := range tiers {
			if s, ok := t.(string); ok {
				tiers[name] = map[string]any{"factor": s}
			}
		}
	}
	if s, ok := v["per_search"].(string); ok {
		v["per_search"] = map[string]any{"any": s}
	}
	normal, err := json.Marshal(v)
	if err != nil {
		return c, err
	}
	d = json.NewDecoder(bytes.NewReader(normal))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return c, nil
}

// literals turns every number into the string that was written.
func literals(v any) any {
	switch x := v.(type) {
	case json.Number:
		return x.String()
	case map[string]any:
		for k := range x {
			x[k] = literals(x[k])
		}
	case []any:
		for i := range x {
			x[i] = literals(x[i])
		}
	}
	return v
}
