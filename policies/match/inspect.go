package match

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// inspect collects the variables that a checked expression mentions, and the
// places where `tags` is used as a whole: as such it is no real map, for it
// gives "" for what it does not hold.
func inspect(checked *cel.Ast, scope Scope) (uses []string, errs Errors) {
	known := Known(scope)
	native := checked.NativeRep()
	allowed := map[int64]bool{}
	ast.PreOrderVisit(native.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		for _, id := range tagsMayStand(e) {
			allowed[id] = true
		}
		if e.Kind() != ast.IdentKind || !slices.Contains(known, e.AsIdent()) {
			return
		}
		name := e.AsIdent()
		if !slices.Contains(uses, name) {
			uses = append(uses, name)
		}
		if name == "tags" && !allowed[e.ID()] {
			at := native.SourceInfo().GetStartLocation(e.ID())
			errs = append(errs, Error{
				Line: at.Line(), Column: at.Column() + 1,
				Message: `tags cannot be used as a whole: write tags.NAME, "NAME" in tags, or size(tags)`,
			})
		}
	}))
	return uses, errs
}

// tagsMayStand names the operands of e that may be the whole of `tags`.
func tagsMayStand(e ast.Expr) []int64 {
	switch e.Kind() {
	case ast.SelectKind:
		return []int64{e.AsSelect().Operand().ID()}
	case ast.ComprehensionKind:
		return []int64{e.AsComprehension().IterRange().ID()}
	case ast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Index:
			return []int64{call.Args()[0].ID()}
		case operators.In:
			return []int64{call.Args()[1].ID()}
		case "size":
			if call.IsMemberFunction() {
				return []int64{call.Target().ID()}
			}
			return []int64{call.Args()[0].ID()}
		}
	}
	return nil
}
