//go:build data

package catalog

import (
	"bufio"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"farthing/providers"
	"farthing/providers/catalog/price"
)

// billedCost is one line of provider_billed_costs.jsonl: a usage and what the
// provider said it cost.
type billedCost struct {
	ID, Provider, Endpoint, Model string
	Created                       int64
	Usage                         struct {
		Prompt     int64       `json:"prompt_tokens"`
		Completion int64       `json:"completion_tokens"`
		Input      int64       `json:"input_tokens"`
		Output     int64       `json:"output_tokens"`
		PromptIn   tokenDetail `json:"prompt_tokens_details"`
		InputIn    tokenDetail `json:"input_tokens_details"`
		Hidden     tokenDetail `json:"completion_tokens_details"`
		Tools      struct {
			Searches int64 `json:"web_search_calls"`
		} `json:"server_side_tool_usage_details"`
		Ticks json.Number `json:"cost_in_usd_ticks"`
	}
}

type tokenDetail struct {
	Cached    int64 `json:"cached_tokens"`
	Reasoning int64 `json:"reasoning_tokens"`
}

// TestXAIBilledCosts bills xAI's recorded usage by the book and wants its own
// figure, which is in units of 10^-10 dollars, to the last digit.
func TestXAIBilledCosts(t *testing.T) {
	root := os.Getenv("FARTHING_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(root, "provider_billed_costs.jsonl"))
	if err != nil {
		t.Fatalf("no data: %v", err)
	}
	defer f.Close()
	n, exact, unknown := 0, 0, 0
	for s := bufio.NewScanner(f); s.Scan(); {
		var c billedCost
		if json.Unmarshal(s.Bytes(), &c) != nil || c.Provider != "xai" {
			continue
		}
		at := time.Unix(c.Created, 0)
		row, ok := Embedded().Row(c.Provider, c.Model, at)
		if !ok {
			unknown++
			t.Logf("%s: the book has no %s", c.ID, c.Model)
			continue
		}
		n++
		want, _ := new(big.Rat).SetString(c.Usage.Ticks.String())
		got := row.Total(c.usage(), price.Terms{At: at})
		if big.NewRat(int64(got), 100).Cmp(want) == 0 {
			exact++
		} else {
			t.Logf("%s %s: got $%s, xAI billed %s ticks", c.ID, c.Model, got, want.RatString())
		}
	}
	t.Logf("%d of %d exact, %d of models that the book lacks", exact, n, unknown)
	if n < 20 || exact*100 < n*98 {
		t.Errorf("%d of %d bills are exact", exact, n)
	}
}

// usage makes xAI's counts disjoint; in chat completions its reasoning stands
// beside the output, in responses inside it.
func (c billedCost) usage() providers.Usage {
	u := c.Usage
	cached := u.PromptIn.Cached + u.InputIn.Cached
	return providers.Usage{Input: u.Prompt + u.Input - cached, CacheRead: cached,
		Output: u.Completion + u.Output + u.Hidden.Reasoning, Reasoning: u.Hidden.Reasoning, WebSearches: u.Tools.Searches}
}
