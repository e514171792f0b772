package match

// Vars are the values that a `when` expression sees. Missing strings are "".
type Vars struct {
	Model, Key, User, Team, Session, Format string
	Tags                                    map[string]string
	InputTokens, OutputTokens               int64 // exact or corrected input; likely output
	Difficulty                              float64
	Learned                                 bool
	HasTools, HasImages                     bool
	Hour                                    int    // 0 … 23, in the file's timezone
	Weekday                                 string // mon … sun

	// In budgets only.
	Target, TargetModel, Provider, FallbackFrom string
	SelfHosted                                  bool
}
