//go:build data

package catalog

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"testing"
	"time"

	"farthing/providers"
	"farthing/providers/catalog/price"
	"farthing/providers/providertest"
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

// TestDataBilledCosts bills xAI's recorded usage by the book and wants its own
// figure, which is in units of 10^-10 dollars, to the last digit. Models that the
// book lacks are none of its cases.
func TestDataBilledCosts(t *testing.T) {
	f, err := os.Open(providertest.DataFile(t, "provider_billed_costs.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := providertest.NewTable(t)
	for s := bufio.NewScanner(f); s.Scan(); {
		var c billedCost
		if json.Unmarshal(s.Bytes(), &c) != nil || c.Provider != "xai" {
			continue
		}
		at := time.Unix(c.Created, 0)
		row, ok := Embedded().Row(c.Provider, c.Model, at)
		if !ok {
			t.Logf("%s: the book has no %s", c.ID, c.Model)
			continue
		}
		table.Check("price/billed-by-xai", c.ID, c.check(row.Total(c.usage(), price.Terms{At: at})))
	}
}

// check compares our bill with the provider's.
func (c billedCost) check(got providers.Pico) error {
	want, ok := new(big.Rat).SetString(c.Usage.Ticks.String())
	if !ok || big.NewRat(int64(got), 100).Cmp(want) != 0 {
		return fmt.Errorf("%s: got $%s, xAI billed %s ticks", c.Model, got, c.Usage.Ticks)
	}
	return nil
}

// usage makes xAI's counts disjoint; in chat completions its reasoning stands
// beside the output, in responses inside it.
func (c billedCost) usage() providers.Usage {
	u := c.Usage
	cached := u.PromptIn.Cached + u.InputIn.Cached
	return providers.Usage{
		Input: u.Prompt + u.Input - cached, CacheRead: cached,
		Output: u.Completion + u.Output + u.Hidden.Reasoning, Reasoning: u.Hidden.Reasoning, WebSearches: u.Tools.Searches,
	}
}
