package strict

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// The core schema of YAML 1.2, section 10.3.2.
var (
	coreInt   = regexp.MustCompile(`^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	coreFloat = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
)

// maxInt is the largest whole number of a file: what Redis's Lua, JSON readers
// and browsers keep exactly.
const maxInt = 1<<53 - 1

func plain(n *yaml.Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

// literal is a scalar as written. A block scalar ends with a line break that
// nobody means.
func literal(n *yaml.Node) string {
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return strings.TrimRight(n.Value, "\n")
	}
	return n.Value
}

// scalar decodes a text, a truth value or a number, and says whether it could.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, p path) bool {
	if n.Kind != yaml.ScalarNode {
		d.mistake(n, p, "takes %s, not %s", wanted(v.Kind()), kindOf(n))
		return false
	}
	if v.Kind() == reflect.String {
		v.SetString(literal(n))
		return true
	}
	err := unquoted(n, v)
	if err == nil {
		err = set(n.Value, v)
	}
	if err != nil {
		d.mistake(n, p, "%v", err)
		return false
	}
	return true
}

// unquoted refuses "true" and "5" in quotes: they are texts.
func unquoted(n *yaml.Node, v reflect.Value) error {
	if plain(n) {
		return nil
	}
	return fmt.Errorf("takes %s, not the text %s: write it without quotes", wanted(v.Kind()), kindOf(n))
}

func set(text string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Bool:
		return setBool(text, v)
	case reflect.Int64, reflect.Int:
		return setInt(text, v)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !coreFloat.MatchString(text) {
			return fmt.Errorf("takes a number such as 0.7, not %q", text)
		}
		v.SetFloat(f)
		return nil
	}
	return fmt.Errorf("values of type %s cannot be read from a file", v.Type())
}

func setBool(text string, v reflect.Value) error {
	switch text {
	case "true", "True", "TRUE":
		v.SetBool(true)
	case "false", "False", "FALSE":
		v.SetBool(false)
	default:
		return fmt.Errorf("takes true or false, not %q", text)
	}
	return nil
}

func setInt(text string, v reflect.Value) error {
	if !coreInt.MatchString(text) {
		if bare := strings.NewReplacer("_", "", ",", "").Replace(text); bare != text && coreInt.MatchString(bare) {
			return fmt.Errorf("takes a whole number: write %s", bare)
		}
		return fmt.Errorf("takes a whole number, not %q", text)
	}
	digits, base := text, 10
	if rest, ok := strings.CutPrefix(text, "0o"); ok {
		digits, base = rest, 8
	} else if rest, ok := strings.CutPrefix(text, "0x"); ok {
		digits, base = rest, 16
	}
	if strings.HasPrefix(text, "-") {
		return fmt.Errorf("takes 0 or more, not %s", text)
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if err != nil || n > maxInt {
		return fmt.Errorf("%s is larger than %d, the largest whole number", text, int64(maxInt))
	}
	v.SetInt(n)
	return nil
}

func wanted(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	}
	return "a whole number"
}
