package match

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"farthing/providers"
)

// Error is one mistake in an expression. Line and Column count from 1, in
// characters, within the expression.
type Error struct {
	Line, Column int
	Message      string
}

// Errors is every mistake of one expression, in the order of their places.
type Errors []Error

// Error joins the mistakes, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// String is the message behind its place in the expression.
func (e Error) String() string {
	if e.Line > 1 {
		return fmt.Sprintf("at line %d, column %d of the expression: %s", e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("at column %d of the expression: %s", e.Column, e.Message)
}

// Problems makes a configuration error at path of every mistake in err, which
// Compile returned.
func Problems(path string, err error) []providers.Problem {
	var errs Errors
	if !errors.As(err, &errs) {
		return []providers.Problem{providers.Problemf(path, "%v", err)}
	}
	problems := make([]providers.Problem, len(errs))
	for i, one := range errs {
		problems[i] = providers.Problemf(path, "%s", one.String())
	}
	return problems
}

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'(?: \(did you mean '(.*)'\?\))?`)
	overload   = regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
	token      = regexp.MustCompile(`^Syntax error: token recognition error at: '(.*)'$`)
	expecting  = regexp.MustCompile(`(?s)^Syntax error: (.*?)( expecting .*)?$`)
)

// translate says in the file's words what CEL found.
func translate(issues *cel.Issues, expr string, scope Scope) Errors {
	lines := strings.Split(expr, "\n")
	var errs Errors
	for _, issue := range issues.Errors() {
		at := issue.Location
		one := Error{Line: max(at.Line(), 1), Column: max(at.Column(), 0) + 1}
		rest := ""
		if one.Line <= len(lines) {
			line := []rune(lines[one.Line-1])
			rest = string(line[min(one.Column-1, len(line)):])
		}
		one.Message = plainWords(issue.Message, rest, scope)
		errs = append(errs, one)
	}
	slices.SortStableFunc(errs, func(a, b Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return errs
}

// plainWords rewrites one message of CEL; rest is the line from the mistake on.
func plainWords(message, rest string, scope Scope) string {
	if m := undeclared.FindStringSubmatch(message); m != nil {
		return unknownName(m[1], m[2], strings.HasPrefix(rest, "("), scope)
	}
	if m := overload.FindStringSubmatch(message); m != nil {
		name := strings.Trim(m[1], "_")
		return fmt.Sprintf("%s cannot be applied to %s", name, m[2])
	}
	if m := token.FindStringSubmatch(message); m != nil {
		if strings.HasPrefix(m[1], "=") {
			return "a single = does not compare: write =="
		}
		return fmt.Sprintf("%q means nothing here", strings.TrimSpace(m[1]))
	}
	if m := expecting.FindStringSubmatch(message); m != nil {
		if strings.Contains(m[1], "'<EOF>'") {
			return "the expression ends too early"
		}
		return "syntax error: " + m[1]
	}
	return message
}

// unknownName says what may stand in the place of name, nearest first.
func unknownName(name, nearest string, call bool, scope Scope) string {
	if call {
		return fmt.Sprintf("unknown function %q", name)
	}
	for _, v := range variables {
		if v.name == name && v.budget && scope == Request {
			return fmt.Sprintf("%q is known in budgets only: here no target is chosen yet", name)
		}
	}
	hint := ""
	if nearest != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", nearest)
	}
	return fmt.Sprintf("unknown variable %q%s: known are %s", name, hint, strings.Join(Known(scope), " "))
}
