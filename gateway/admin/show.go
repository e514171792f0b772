package admin

import (
	"context"

	"farthing/policies/ledger"
	"farthing/providers"
)

// TargetStatus is a target as the gateway sees it now.
type TargetStatus struct {
	Name       string `json:"name"`
	SelfHosted bool   `json:"self_hosted"`
	State      string `json:"state"`         // up, down, or its breaker's: open, half_open
	Why        string `json:"why,omitempty"` // it is down
	InFlight   int    `json:"in_flight"`
	Waiting    int    `json:"waiting"`
}

// BudgetView is one node in its current window.
type BudgetView struct {
	Name        string          `json:"name"`
	Per         string          `json:"per"`    // minute … year, or total
	Window      string          `json:"window"` // the present one's label
	Limit       providers.Money `json:"limit_usd"`
	Spent       providers.Money `json:"spent_usd"`
	Held        providers.Money `json:"held_usd"`
	Unconfirmed providers.Money `json:"unconfirmed_usd"`
	Left        providers.Money `json:"left_usd"`
	Over        providers.Money `json:"over_usd"`
	Resets      string          `json:"resets,omitempty"`
	Mode        string          `json:"mode"`
}

// Budgets shows every node of the tree that has a limit: those without `each`,
// and of the others the values that were charged in a present window.
func (s *Service) Budgets(ctx context.Context) ([]BudgetView, error) {
	nodes, err := s.Ledger.Charged(ctx, s.Tree())
	if err != nil {
		return nil, storeError(err)
	}
	states, err := s.Ledger.State(ctx, nodes)
	if err != nil {
		return nil, storeError(err)
	}
	views := make([]BudgetView, 0, len(states))
	for _, st := range states {
		views = append(views, view(st))
	}
	return views, nil
}

func view(st ledger.NodeState) BudgetView {
	v := BudgetView{
		Name: st.Node.Name, Per: st.Limit.Window.String(), Window: st.Window, Limit: st.Limit.Amount, Spent: st.Spent, Held: st.Held,
		Unconfirmed: st.Unconfirmed, Left: st.Left, Over: st.Over, Mode: "enforce",
	}
	if st.Node.Config.Mode != "" {
		v.Mode = st.Node.Config.Mode
	}
	if !st.Resets.IsZero() {
		v.Resets = st.Resets.Format("2006-01-02T15:04:05Z07:00")
	}
	return v
}
