package match

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// check parses an expression and checks its types. CEL compares an int with a
// double by < and the like, but its type checker lets == and != take equal
// types only, although they would compare rightly when they run. So where the
// checker objects to just that, one side is made dynamic and it is asked again.
func check(env *cel.Env, expr string) (*cel.Ast, *cel.Issues) {
	parsed, issues := env.Parse(expr)
	if issues.Err() != nil {
		return nil, issues
	}
	checked, issues := env.Check(parsed)
	mixed := map[int64]bool{}
	for _, issue := range issues.Errors() {
		if strings.HasSuffix(issue.Message, "applied to '(int, double)'") ||
			strings.HasSuffix(issue.Message, "applied to '(double, int)'") {
			mixed[issue.ExprID] = true
		}
	}
	if len(mixed) == 0 || !compareAcross(parsed.NativeRep(), mixed) {
		return checked, issues
	}
	return env.Check(parsed)
}

// compareAcross makes the left side of the comparisons among ids dynamic, and
// says whether there were any.
func compareAcross(parsed *ast.AST, ids map[int64]bool) (changed bool) {
	factory, next := ast.NewExprFactory(), ast.MaxID(parsed)
	ast.PostOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if !ids[e.ID()] || e.Kind() != ast.CallKind {
			return
		}
		name, args := e.AsCall().FunctionName(), e.AsCall().Args()
		if name != operators.Equals && name != operators.NotEquals {
			return
		}
		next++
		dynamic := factory.NewCall(next, "dyn", args[0])
		e.SetKindCase(factory.NewCall(e.ID(), name, dynamic, args[1]))
		changed = true
	}))
	return changed
}
