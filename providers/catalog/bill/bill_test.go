package bill

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"farthing/providers"
	"farthing/providers/catalog"
	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func billed(t *testing.T, in string, decode Decode) (Output, error) {
	t.Helper()
	var i Input
	if err := json.Unmarshal([]byte(in), &i); err != nil {
		t.Fatal(err)
	}
	return One(catalog.Embedded(), i, now, decode)
}

func TestOne(t *testing.T) {
	out, err := billed(t, `{"id":"a","provider":"openai","model":"o1","time":"2024-12-17","usage":{"input":1000,"cache_read":200,"output":500,"reasoning":400}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Output{
		ID: json.RawMessage(`"a"`), Provider: "openai", Model: "o1", Usage: providers.Usage{Input: 1000, CacheRead: 200, Output: 500, Reasoning: 400},
		CostUSD: "0.0465", Source: "book", Row: &Row{Source: "genai-prices 2026-08-21"},
		Lines: []Line{
			{Class: "input", Count: 1000, Price: "15", CostUSD: "0.015"},
			{Class: "cache_read", Count: 200, Price: "7.5", CostUSD: "0.0015"},
			{Class: "output", Count: 100, Price: "60", CostUSD: "0.006"},
			{Class: "reasoning", Count: 400, Price: "60", CostUSD: "0.024"},
		},
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
}

func TestBillGivenPrices(t *testing.T) {
	for in, want := range map[string]string{
		`{"usage":{"input":1000000},"prices":{"input":1.25}}`:                                                                              "1.25",
		`{"usage":{"input":1000000},"prices":{"input":2.5e-07}}`:                                                                           "0.000001",
		`{"usage":{"input":300000},"prices":{"input":1,"above":{"200000":{"input":"2"}}}}`:                                                 "0.6",
		`{"usage":{"input":1000000},"service_tier":"flex","prices":{"input":1,"tiers":{"flex":0.5}}}`:                                      "0.5",
		`{"usage":{"input":1000000},"service_tier":"flex","prices":{"input":1,"tiers":{"flex":{"input":0.3}}}}`:                            "0.3",
		`{"usage":{"input":1000000},"time":"2026-11-24T17:00:00Z","prices":{"input":1,"off_peak":[{"hours":"16:30-00:30","factor":0.5}]}}`: "0.5",
		`{"usage":{"input":1000000},"data_in":"eu","prices":{"input":1,"data_in":{"eu":1.1}}}`:                                             "1.1",
		`{"usage":{"web_searches":3},"prices":{"input":1,"per_search":0.005}}`:                                                             "0.015",
		`{"usage":{"web_searches":1,"search_size":"high"},"prices":{"input":1,"per_search":{"low":0.005,"high":0.012}}}`:                   "0.012",
		`{"usage":{"input":1},"prices":{"input":0,"per_request":"$0.02"}}`:                                                                 "0.02",
	} {
		out, err := billed(t, in, nil)
		if err != nil || out.CostUSD != want || out.Source != "given" {
			t.Errorf("%s: %s from %q (%v), want %s", in, out.CostUSD, out.Source, err, want)
		}
	}
}

func TestBillResponse(t *testing.T) {
	cost := providers.Money(760_500)
	meter := providers.Meter{Usage: providers.Usage{Input: 10, Output: 5}, HasUsage: true, Model: "gpt-4o-2024-08-06", Tier: "priority"}
	decode := func(f providers.Format, provider string, body []byte) (providers.Meter, error) {
		if f != providers.FormatOpenAI || provider != "openai" || string(body) != `{"x":1}` {
			t.Errorf("decode got %s %s %s", f, provider, body)
		}
		return meter, nil
	}
	const in = `{"provider":"openai","service_tier":"flex","response":{"x":1}}`
	out, err := billed(t, in, decode)
	if err != nil || out.Model != "gpt-4o-2024-08-06" || out.Tier != "priority" || out.CostUSD != "0.00012750" && out.CostUSD != "0.0001275" {
		t.Errorf("the response's tier decides: %+v, %v", out, err)
	}
	meter.Cost = &cost
	out, err = billed(t, in, decode)
	if err != nil || out.Source != "provider" || out.CostUSD != "0.0007605" || len(out.Warnings) != 1 || len(out.Lines) != 2 {
		t.Errorf("the provider's own cost goes first: %+v, %v", out, err)
	}
	meter.Cost, meter.HasUsage = nil, false
	if _, err = billed(t, in, decode); err == nil {
		t.Error("a response without usage must not be free")
	}
}

func TestBillRefuses(t *testing.T) {
	for in, want := range map[string]string{
		`{"provider":"openai","model":"gpt-99","usage":{"input":1}}`:                             "no price is known for openai/gpt-99",
		`{"provider":"openai","model":"gpt-4o","usage":{"input":-1}}`:                            "usage.input",
		`{"provider":"openai","model":"gpt-4o","usage":{"output":9223372036854775807}}`:          "usage.output",
		`{"provider":"openai","model":"gpt-4o","usage":{"input":1.5}}`:                           "usage",
		`{"provider":"openai","model":"gpt-4o","usage":{"inputs":1}}`:                            `unknown field "inputs"`,
		`{"provider":"openai","model":"gpt-4o","usage":{"web_searches":1,"search_size":"huge"}}`: "search_size",
		`{"provider":"openai","model":"gpt-4o"}`:                                                 "neither usage nor response",
		`{"provider":"openai","model":"gpt-4o","usage":{"input":1},"response":{}}`:               "give one of them",
		`{"provider":"openai","model":"gpt-4o","time":"yesterday","usage":{"input":1}}`:          "time",
		`{"usage":{"input":1},"prices":{"input":-1}}`:                                            "prices",
		`{"usage":{"input":1},"prices":{"inputs":1}}`:                                            `unknown field "inputs"`,
		`{"usage":{"input":1},"prices":{"cache_read":1}}`:                                        "neither input nor output",
		`{"usage":{"input":1},"prices":{"input":20000}}`:                                         "$10,000",
	} {
		out, err := billed(t, in, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want an error with %q", in, out, err, want)
		}
	}
	if _, err := billed(t, `{"provider":"x","model":"y","usage":{"input":1}}`, nil); !errors.Is(err, ErrNoPrice) {
		t.Errorf("got %v", err)
	}
}
