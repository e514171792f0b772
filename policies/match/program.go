package match

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Scope says where an expression stands, and so which variables it knows.
type Scope uint8

// The scopes.
const (
	Request Scope = iota // policies: what is known before a target is chosen
	Budget               // budgets: Request, and the target that will bill
)

// maxLength bounds an expression in characters; costLimit bounds one match in
// CEL's cost units (about one step of the interpreter each). A rule over a
// few tags costs less than a hundred; what reaches the limit is a comprehension
// nested over lists that a client made long.
const (
	maxLength = 4096
	costLimit = 100_000
)

type variable struct {
	name   string
	typ    *cel.Type
	budget bool
}

// variables is the vocabulary of `when`, in the order in which errors name it.
var variables = []variable{
	{name: "model", typ: cel.StringType},
	{name: "key", typ: cel.StringType},
	{name: "user", typ: cel.StringType},
	{name: "team", typ: cel.StringType},
	{name: "tags", typ: cel.MapType(cel.StringType, cel.StringType)},
	{name: "session", typ: cel.StringType},
	{name: "format", typ: cel.StringType},
	{name: "input_tokens", typ: cel.IntType},
	{name: "output_tokens", typ: cel.IntType},
	{name: "difficulty", typ: cel.DoubleType},
	{name: "learned", typ: cel.BoolType},
	{name: "has_tools", typ: cel.BoolType},
	{name: "has_images", typ: cel.BoolType},
	{name: "hour", typ: cel.IntType},
	{name: "weekday", typ: cel.StringType},
	{name: "target", typ: cel.StringType, budget: true},
	{name: "target_model", typ: cel.StringType, budget: true},
	{name: "provider", typ: cel.StringType, budget: true},
	{name: "self_hosted", typ: cel.BoolType, budget: true},
	{name: "fallback_from", typ: cel.StringType, budget: true},
}

// Known lists the variables of a scope, in the order of the documentation.
func Known(scope Scope) []string {
	var names []string
	for _, v := range variables {
		if scope == Budget || !v.budget {
			names = append(names, v.name)
		}
	}
	return names
}

// environment builds the CEL environment of a scope, once per scope: it costs a
// millisecond and is read-only afterwards.
var environments = [...]func() (*cel.Env, error){
	Request: sync.OnceValues(func() (*cel.Env, error) { return environment(Request) }),
	Budget:  sync.OnceValues(func() (*cel.Env, error) { return environment(Budget) }),
}

func environment(scope Scope) (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxLength),
		cel.ParserRecursionLimit(100),
	}
	for _, v := range variables {
		if scope == Budget || !v.budget {
			options = append(options, cel.Variable(v.name, v.typ))
		}
	}
	return cel.NewCustomEnv(append([]cel.EnvOption{cel.StdLib()}, options...)...)
}

// Program is a compiled expression. It is immutable and safe for concurrent use.
type Program struct {
	text    string
	program cel.Program
	uses    []string
}

// Compile checks and compiles an expression. The error is of type Errors and
// lists every mistake with its place in the expression.
func Compile(expr string, scope Scope) (*Program, error) {
	if strings.TrimSpace(expr) == "" {
		return nil, Errors{{Line: 1, Column: 1, Message: "the expression is empty: leave `when` out to match always"}}
	}
	env, err := environments[scope]()
	if err != nil {
		return nil, fmt.Errorf("match: %w", err)
	}
	ast, issues := check(env, expr)
	if issues.Err() != nil {
		return nil, translate(issues, expr, scope)
	}
	if !ast.OutputType().IsExactType(types.BoolType) {
		return nil, Errors{{Line: 1, Column: 1, Message: fmt.Sprintf(
			"the expression must be true or false, and this is a value of type %s", ast.OutputType())}}
	}
	uses, errs := inspect(ast, scope)
	if len(errs) > 0 {
		return nil, errs
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(costLimit))
	if err != nil {
		return nil, Errors{{Line: 1, Column: 1, Message: err.Error()}}
	}
	return &Program{text: expr, program: program, uses: uses}, nil
}

// Match says whether the expression holds for v. An error means that it could
// not be evaluated (a division by zero, too much work); what that means is the
// caller's to say: it matches `only` and budgets, never `prefer`.
func (p *Program) Match(v *Vars) (bool, error) {
	out, _, err := p.program.Eval((*activation)(v))
	if err != nil {
		return false, fmt.Errorf("`when` could not be evaluated: %w", err)
	}
	return out == types.True, nil
}

// Uses says whether the expression mentions the variable of that name.
func (p *Program) Uses(name string) bool { return slices.Contains(p.uses, name) }

// UsesTarget says whether the expression mentions a variable that only a chosen
// target gives a value to.
func (p *Program) UsesTarget() bool {
	return slices.ContainsFunc(variables, func(v variable) bool { return v.budget && p.Uses(v.name) })
}

// String is the expression as it was written.
func (p *Program) String() string { return p.text }
