//go:build data

package openai_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"text/tabwriter"

	"github.com/google/go-cmp/cmp"

	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/openai/events"
	"farthing/providers/openai/relay"
	"farthing/providers/openai/translate"
	"farthing/providers/providertest"
	"farthing/providers/sse"
)

type recording struct {
	ID, Provider, Endpoint string
	Streaming              bool
	Features               []string
	Request                *struct{ Body json.RawMessage }
	Response               struct {
		Status   int
		Headers  map[string]any
		BodyText string `json:"body_text"`
	}
}

// tally counts one kind of check.
type tally struct {
	kind   string
	cases  int
	failed []string
}

func (t *tally) check(id string, err error) {
	t.cases++
	if err != nil {
		t.failed = append(t.failed, id+": "+err.Error())
	}
}

// TestRecordings runs every recorded chat completion through what serves it.
func TestRecordings(t *testing.T) {
	root := os.Getenv("FARTHING_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	recordings := load(t, root)
	oracle := usageOracle(t, root)
	parse, splice, round := &tally{kind: "request parses"}, &tally{kind: "request spliced"}, &tally{kind: "request there and back"}
	stream, body, errs := &tally{kind: "stream relayed"}, &tally{kind: "body relayed"}, &tally{kind: "error read"}
	usage, both := &tally{kind: "usage"}, &tally{kind: "events there and back"}
	for _, rec := range recordings {
		if rec.Request != nil && len(rec.Request.Body) > 0 {
			parse.check(rec.ID, checkParse(rec.Request.Body))
			splice.check(rec.ID, checkSplice(rec.Request.Body))
			round.check(rec.ID, checkRound(rec.Request.Body))
		}
		if rec.Response.Status != 200 {
			errs.check(rec.ID, checkError(rec))
			continue
		}
		var meter *providers.Meter
		var err error
		if rec.Streaming {
			meter, err = checkStream(rec)
			stream.check(rec.ID, err)
		} else {
			meter, err = checkBody(rec)
			body.check(rec.ID, err)
		}
		usage.check(rec.ID, checkUsage(meter, oracle[rec.ID], rec.Provider))
		both.check(rec.ID, checkEvents(rec))
	}
	report(t, parse, splice, round, stream, body, errs, usage, both)
}

func load(t *testing.T, root string) (out []recording) {
	files, err := filepath.Glob(filepath.Join(root, "cassettes", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in %s: %v", root, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var rec recording
		if err := json.Unmarshal(b, &rec); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if rec.Endpoint == "chat.completions" {
			out = append(out, rec)
		}
	}
	return out
}

func usageOracle(t *testing.T, root string) map[string]json.RawMessage {
	f, err := os.Open(filepath.Join(root, "cassettes", "usage_oracle.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]json.RawMessage{}
	for s := bufio.NewScanner(f); s.Scan(); {
		var row struct {
			ID    string
			Final json.RawMessage `json:"final_usage"`
		}
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		out[row.ID] = row.Final
	}
	return out
}

func report(t *testing.T, tallies ...*tally) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "kind\tcases\tpassed\tfailed")
	for _, y := range tallies {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", y.kind, y.cases, y.cases-len(y.failed), len(y.failed))
	}
	w.Flush()
	for _, y := range tallies {
		for _, f := range y.failed {
			fmt.Fprintf(&b, "FAILED %s: %s\n", y.kind, f)
		}
	}
	fmt.Print(b.String())
	for _, y := range tallies {
		if y.cases == 0 || len(y.failed) > 0 {
			t.Errorf("%s: %d of %d failed", y.kind, len(y.failed), y.cases)
		}
	}
}

func checkParse(body []byte) error {
	b, err := openai.Parse(body)
	if err != nil {
		return err
	}
	var want struct {
		Model    string
		Messages []json.RawMessage
		Stream   bool
	}
	if err := json.Unmarshal(body, &want); err != nil {
		return err
	}
	if b.Model != want.Model || b.Turns != len(want.Messages) || b.Stream != want.Stream || len(b.Texts) == 0 && len(b.Images) == 0 && b.Files == 0 {
		return fmt.Errorf("brief says %q, %d turns, stream %v, %d texts", b.Model, b.Turns, b.Stream, len(b.Texts))
	}
	return nil
}

func checkSplice(body []byte) error {
	e := providers.Edits{Model: "another/model", MaxOutput: 77, Tier: "flex", StreamUsage: true}
	return providertest.SameButEdits(body, openai.Splice(body, e), map[string]any{
		"model": "another/model", "service_tier": "flex", "stream_options": map[string]any{"include_usage": true}},
		func(m map[string]any) {
			if _, ok := m["max_completion_tokens"]; ok {
				m["max_completion_tokens"] = float64(77)
				if _, both := m["max_tokens"]; !both {
					return
				}
			}
			m["max_tokens"] = float64(77)
		})
}

func checkRound(body []byte) error {
	req, err := translate.DecodeRequest(body)
	if err != nil {
		return err
	}
	again, err := translate.EncodeRequest(req)
	if err != nil {
		return err
	}
	return providertest.SameJSON(body, again)
}

func checkError(rec recording) error {
	e := openai.ParseError(rec.Response.Status, func(string) string { return "" }, []byte(rec.Response.BodyText))
	if e.Message == "" || strings.Contains(e.Message, "the provider answered HTTP") || e.Status != rec.Response.Status {
		return fmt.Errorf("read as %+v", e)
	}
	var out struct{ Error struct{ Message string } }
	if err := json.Unmarshal(openai.ErrorBody(e), &out); err != nil || out.Error.Message == "" {
		return fmt.Errorf("written as %s: %v", openai.ErrorBody(e), err)
	}
	return nil
}

// checkStream relays a stream and compares it event by event with what it should
// be: the same bytes, but for the usage chunk that the client did not ask for and
// the row's repairs, which are worked out here by other means.
func checkStream(rec recording) (*providers.Meter, error) {
	wanted := rec.Request == nil || wantsUsage(rec.Request.Body)
	q := openai.KnownQuirks(rec.Provider)
	var first []byte
	var meter *providers.Meter
	for _, read := range providertest.Readers {
		r := relay.New(q, wanted)
		out, err := providertest.Run(r, sse.NewReader(read(strings.NewReader(rec.Response.BodyText)), 0))
		if err != nil {
			return r.Meter(), err
		}
		if first == nil {
			first, meter = out, r.Meter()
		}
		if !bytes.Equal(first, out) {
			return meter, fmt.Errorf("depends on how the bytes come")
		}
	}
	want, repairs := expectStream(rec.Response.BodyText, q, wanted)
	got := eventsOf(string(first))
	if len(got) != len(want) {
		return meter, fmt.Errorf("%d events, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] == want[i] {
			continue
		}
		d, known := dataOf(want[i])
		if !known {
			return meter, fmt.Errorf("event %d differs:\n got %q\nwant %q", i, got[i], want[i])
		}
		g, _ := dataOf(got[i])
		if err := providertest.SameJSON(d, g); err != nil {
			return meter, fmt.Errorf("event %d differs: %w", i, err)
		}
	}
	if diff := cmp.Diff(repairs, meter.Repairs); diff != "" {
		return meter, fmt.Errorf("repairs: %s", diff)
	}
	if !meter.Complete || meter.Finish == "" {
		return meter, fmt.Errorf("not complete (finish %q)", meter.Finish)
	}
	return meter, nil
}

func wantsUsage(body []byte) bool {
	var b struct {
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	return json.Unmarshal(body, &b) == nil && b.StreamOptions.IncludeUsage
}

func eventsOf(stream string) (out []string) {
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if strings.Contains(stream, end) {
			for _, e := range strings.SplitAfter(stream, end) {
				if e != "" {
					out = append(out, e)
				}
			}
			return out
		}
	}
	return []string{stream}
}

func dataOf(event string) ([]byte, bool) {
	_, data, ok := strings.Cut(event, "data:")
	return []byte(strings.TrimSpace(data)), ok && strings.HasPrefix(strings.TrimSpace(data), "{")
}

// expectation says what the client should get, by whole-JSON rewriting.
type expectation struct {
	q            openai.Quirks
	wanted       bool
	want         []string
	repairs      []string
	roles, ended map[any]bool
	next         int
	tools, done  bool
	head         map[string]any
}

func expectStream(stream string, q openai.Quirks, wanted bool) (want []string, repairs []string) {
	x := &expectation{q: q, wanted: wanted, roles: map[any]bool{}, ended: map[any]bool{}}
	for _, event := range eventsOf(stream) {
		x.event(event)
	}
	if !x.done && x.mended(openai.RepairDone) {
		x.want = append(x.want, "data: [DONE]\n\n")
	}
	return x.want, x.repairs
}

// mended says whether the row has the repair, and notes it.
func (x *expectation) mended(r openai.Repair) bool {
	if !x.q.Mends(r) {
		return false
	}
	if !slices.Contains(x.repairs, string(r)) {
		x.repairs = append(x.repairs, string(r))
	}
	return true
}

func (x *expectation) event(event string) {
	var m map[string]any
	data, ok := dataOf(event)
	if !ok || json.Unmarshal(data, &m) != nil {
		if strings.Contains(event, "[DONE]") {
			x.done = true
			x.finish()
		}
		x.want = append(x.want, event)
		return
	}
	choices, _ := m["choices"].([]any)
	if len(choices) == 0 && m["usage"] != nil {
		x.finish()
		if x.wanted {
			x.want = append(x.want, event)
		}
		return
	}
	x.head = m
	changed := false
	for _, c := range choices {
		changed = x.choice(c.(map[string]any)) || changed
	}
	if changed {
		b, _ := json.Marshal(m)
		event = "data: " + string(b) + "\n\n"
	}
	x.want = append(x.want, event)
}

// choice mends one choice and says whether it had to.
func (x *expectation) choice(ch map[string]any) (changed bool) {
	delta, ok := ch["delta"].(map[string]any)
	calls, _ := delta["tool_calls"].([]any)
	for _, c := range calls {
		call := c.(map[string]any)
		x.tools = true
		if _, ok := call["type"]; !ok && call["id"] != nil && x.mended(openai.RepairToolType) {
			call["type"], changed = "function", true
		}
		if _, ok := call["index"]; !ok && x.mended(openai.RepairToolIndex) {
			call["index"], changed = x.next, true
			x.next++
		}
	}
	if ok && !x.roles[ch["index"]] {
		x.roles[ch["index"]] = true
		if s, _ := delta["role"].(string); s == "" && x.mended(openai.RepairRole) {
			delta["role"], changed = "assistant", true
		}
	}
	if s, _ := ch["finish_reason"].(string); s != "" {
		x.ended[ch["index"]] = true
		if s == "eos" && x.mended(openai.RepairFinish) {
			ch["finish_reason"], changed = "stop", true
		}
	}
	return changed
}

// finish writes the finish that never came.
func (x *expectation) finish() {
	if len(x.roles) == len(x.ended) || !x.mended(openai.RepairFinish) {
		return
	}
	reason := "stop"
	if x.tools {
		reason = "tool_calls"
	}
	b, _ := json.Marshal(map[string]any{"id": x.head["id"], "object": "chat.completion.chunk", "created": x.head["created"], "model": x.head["model"],
		"choices": []any{map[string]any{"index": 0, "delta": map[string]any{}, "finish_reason": reason}}})
	x.want = append(x.want, "data: "+string(b)+"\n\n")
	x.ended[float64(0)] = true
}

func checkBody(rec recording) (*providers.Meter, error) {
	q := openai.KnownQuirks(rec.Provider)
	r := relay.New(q, false)
	body := []byte(rec.Response.BodyText)
	out, err := r.Body(body)
	if err != nil {
		return r.Meter(), err
	}
	if len(r.Meter().Repairs) == 0 && !bytes.Equal(out, body) {
		return r.Meter(), fmt.Errorf("changed without a repair")
	}
	var want map[string]any
	if err := json.Unmarshal(body, &want); err != nil {
		return r.Meter(), err
	}
	for _, c := range want["choices"].([]any) {
		ch := c.(map[string]any)
		if s, _ := ch["finish_reason"].(string); s == "" && q.Mends(openai.RepairFinish) {
			ch["finish_reason"] = "stop"
		}
		message, _ := ch["message"].(map[string]any)
		calls, _ := message["tool_calls"].([]any)
		for _, c := range calls {
			if call := c.(map[string]any); call["type"] == nil && q.Mends(openai.RepairToolType) {
				call["type"] = "function"
			}
		}
	}
	b, _ := json.Marshal(want)
	if err := providertest.SameJSON(b, out); err != nil {
		return r.Meter(), err
	}
	if !r.Meter().Complete || r.Meter().Finish == "" {
		return r.Meter(), fmt.Errorf("not complete (finish %q)", r.Meter().Finish)
	}
	return r.Meter(), nil
}

// checkUsage normalises the oracle's usage by itself and compares.
func checkUsage(meter *providers.Meter, final json.RawMessage, provider string) error {
	var o struct {
		Usage, XGroq map[string]any
	}
	var raw map[string]map[string]any
	if len(final) > 0 && string(final) != "null" {
		if err := json.Unmarshal(final, &raw); err != nil {
			return err
		}
		if o.Usage = raw["usage"]; len(o.Usage) == 0 {
			o.Usage = raw["x_groq_usage"]
		}
	}
	if len(o.Usage) == 0 {
		if meter.HasUsage {
			return fmt.Errorf("usage %+v, the oracle has none", meter.Usage)
		}
		return nil
	}
	if !meter.HasUsage {
		return fmt.Errorf("no usage, the oracle has %v", o.Usage)
	}
	n := func(path ...string) int64 {
		var v any = o.Usage
		for _, p := range path {
			m, _ := v.(map[string]any)
			v = m[p]
		}
		f, _ := v.(float64)
		return int64(f)
	}
	prompt, completion := n("prompt_tokens"), n("completion_tokens")
	reasoning := n("completion_tokens_details", "reasoning_tokens")
	switch provider {
	case "xai", "vercel-gateway":
		completion += reasoning
	case "gemini":
		reasoning = n("total_tokens") - prompt - completion
		completion += reasoning
	}
	u := meter.Usage
	cached := max(n("prompt_tokens_details", "cached_tokens"), n("cached_tokens"), n("num_cached_tokens"))
	audio := n("completion_tokens_details", "audio_tokens")
	switch {
	case u.TotalInput() != prompt, u.TotalOutput() != completion, u.CacheRead != cached,
		u.Reasoning != min(reasoning, completion-audio), u.AudioOut != audio,
		u.CacheWrite5m != min(n("prompt_tokens_details", "cache_write_tokens"), prompt-cached),
		u.AudioIn != n("prompt_tokens_details", "audio_tokens"),
		u.ImageIn != min(n("prompt_tokens_details", "image_tokens"), prompt-cached),
		u.WebSearches != n("server_tool_use_details", "web_search_requests"):
		return fmt.Errorf("usage %+v, the oracle has %v", u, o.Usage)
	}
	if ticks := n("cost_in_usd_ticks"); ticks > 0 && provider == "xai" && (meter.Cost == nil || int64(*meter.Cost) != (ticks+9)/10) {
		return fmt.Errorf("cost %v, want %d ticks", meter.Cost, ticks)
	}
	return nil
}

// checkEvents decodes an answer into events, writes them, and decodes again.
func checkEvents(rec recording) error {
	said, err := decode(rec.Provider, rec.Streaming, rec.Response.BodyText)
	if err != nil {
		return err
	}
	enc := events.NewEncoder(true)
	written := enc.Body(said)
	if rec.Streaming {
		written = append(bytes.Clone(enc.Events(said)), enc.End()...)
	}
	again, err := decode("openai", rec.Streaming, string(written))
	if err != nil {
		return err
	}
	if diff := cmp.Diff(providertest.Gather(said), providertest.Gather(again)); diff != "" {
		return fmt.Errorf("%s", diff)
	}
	return nil
}

func decode(provider string, streaming bool, text string) ([]providers.Event, error) {
	d := events.NewDecoder(openai.KnownQuirks(provider))
	if !streaming {
		return d.Body([]byte(text))
	}
	return providertest.Decode(d, sse.NewReader(iotest.OneByteReader(strings.NewReader(text)), 0))
}
