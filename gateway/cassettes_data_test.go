//go:build data

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"farthing/gateway/record"
	"farthing/providers"
	"farthing/providers/catalog"
	"farthing/providers/catalog/price"
	"farthing/providers/openai"
	"farthing/providers/openai/openaitest"
	"farthing/providers/providertest"
)

// TestDataReplay sends every recorded chat completion through a whole gateway:
// the recorded request goes in, a server plays the recorded answer, and request,
// answer and receipt are compared with what they should be. Where an answer was
// recorded alone, a request of our own asks for it.
func TestDataReplay(t *testing.T) {
	oracle := providertest.UsageOracle(t)
	byProvider := map[string][]providertest.Recording{}
	for _, rec := range providertest.Recordings(t, "chat.completions") {
		byProvider[rec.Provider] = append(byProvider[rec.Provider], rec)
	}
	table := providertest.NewTable(t)
	for _, name := range slices.Sorted(maps.Keys(byProvider)) {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, name, byProvider[name])
			for i := range byProvider[name] {
				rec := &byProvider[name][i]
				e := p.exchange(rec)
				table.Check("gateway/request", rec.ID, e.checkRequest())
				table.Check("gateway/"+e.kind(), rec.ID, e.checkAnswer())
				table.Check("gateway/receipt", rec.ID, e.checkReceipt())
				if oracle != nil && rec.Response.Status < 400 && !e.want.Failed {
					table.Check("gateway/usage", rec.ID, e.checkUsage(oracle[rec.ID]))
				}
			}
		})
	}
}

// Credentials in the replays: what the provider gets and what it must not see.
const (
	providerKey  = "key-of-the-provider"
	clientSecret = "secret-of-the-client"
)

// play is a gateway with one provider, which answers as recorded.
type play struct {
	t        *testing.T
	gateway  *gateway
	provider string // its name in the file
	row      string // its row of the catalog

	mu     sync.Mutex
	answer *providertest.Recording
	got    *http.Request // that reached the provider; nil if none did
	body   []byte
}

func newPlay(t *testing.T, name string, recordings []providertest.Recording) *play {
	p := &play{t: t, provider: name, row: name}
	if row, ok := catalog.ProviderRow(name); !ok || row.Engine || !row.Served() {
		p.row = "openai-compatible"
	}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.gateway = serve(t, fmt.Sprintf(`
providers: {%[1]s: {type: %[2]s, url: %[3]s, key: {value: %[4]s}}}
engines: {}
models: {'*': '%[1]s/*'}
budgets: {all: {limit: $1000000 per month}}
prices: {rows: [%[5]s]}
`, name, p.row, server.URL, providerKey, p.prices(recordings)))
	return p
}

// prices are rows for the models that the book has no price of.
func (p *play) prices(recordings []providertest.Recording) string {
	rows := map[string]bool{}
	for i := range recordings {
		model := modelOf(&recordings[i])
		if row, ok := catalog.Embedded().Row(p.row, model, time.Now()); !ok || !row.Priced() {
			rows[fmt.Sprintf("{target: %q, input: 1, output: 4}", p.provider+"/"+model)] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(rows)), ", ")
}

// ServeHTTP plays the recorded answer, a stream in pieces that do not end where
// its events do.
func (p *play) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
	}
	p.got, p.body = r, body
	rec := p.answer
	w.Header().Set("Content-Type", "application/json")
	if rec.Streaming {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	for name, value := range rec.Header() {
		w.Header().Set(name, value)
	}
	w.WriteHeader(rec.Response.Status)
	text := rec.Response.BodyText
	for i := 0; rec.Streaming && len(text) > 0; i++ {
		n := min(pieces[i%len(pieces)], len(text))
		_, _ = io.WriteString(w, text[:n])
		_ = http.NewResponseController(w).Flush()
		text = text[n:]
	}
	_, _ = io.WriteString(w, text)
}

var pieces = []int{1, 2, 3, 61, 7, 127, 509, 13, 1021, 4093}

// exchange is one recording gone through the gateway.
type exchange struct {
	*play
	rec     *providertest.Recording
	sent    []byte            // by the client
	want    openaitest.Answer // for the client
	reply   reply
	receipt *record.Receipt
	err     error // why there is no reply or no receipt
}

// exchange sends the recorded request and waits for answer and receipt.
func (p *play) exchange(rec *providertest.Recording) *exchange {
	e := &exchange{play: p, rec: rec, sent: rec.Body()}
	if e.sent == nil {
		e.sent = fmt.Appendf(nil, `{"model":%q,"messages":[{"role":"user","content":"Hello"}],"stream":%v,"max_tokens":1000}`, modelOf(rec), rec.Streaming)
	}
	q := openai.KnownQuirks(p.row)
	switch {
	case rec.Response.Status >= 400:
	case rec.Streaming:
		e.want = openaitest.Stream(rec.Response.BodyText, q, openaitest.WantsUsage(e.sent))
	default:
		e.want = openaitest.Body(rec.Response.BodyText, q)
	}
	p.mu.Lock()
	p.answer, p.got, p.body = rec, nil, nil
	p.mu.Unlock()
	if e.reply, e.err = e.ask(); e.err == nil {
		e.receipt, e.err = e.find(e.reply.Header.Get("x-farthing-id"))
	}
	return e
}

func (e *exchange) ask() (reply, error) {
	r, err := http.NewRequestWithContext(e.t.Context(), http.MethodPost, e.gateway.URL+"/v1/chat/completions", strings.NewReader(string(e.sent)))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+clientSecret)
	r.Header.Set("Cookie", "session="+clientSecret)
	r.Header.Set("OpenAI-Organization", clientSecret)
	r.Header.Set("Idempotency-Key", e.rec.ID)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(body)}, err
}

// find waits for a receipt, which is kept when the answer has ended.
func (e *exchange) find(id string) (*record.Receipt, error) {
	if id == "" {
		return nil, fmt.Errorf("no x-farthing-id: %d %s", e.reply.Status, e.reply.Body)
	}
	return e.gateway.receipt(e.t, id), nil
}

// modelOf is the model that a recorded request asks for, or a name for one.
func modelOf(rec *providertest.Recording) string {
	if model := gjson.GetBytes(rec.Body(), "model").Str; model != "" {
		return model
	}
	return "recorded"
}

// kind is what the answer is, for the table.
func (e *exchange) kind() string {
	switch {
	case e.rec.Response.Status >= 400:
		return "error"
	case e.rec.Streaming:
		return "stream"
	}
	return "body"
}

// checkRequest: the provider got the client's bytes but for the splices, with
// its own credentials and none of the client's.
func (e *exchange) checkRequest() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.got == nil {
		return fmt.Errorf("nothing reached the provider: %d %s", e.reply.Status, e.reply.Body)
	}
	h := e.got.Header
	for name, values := range h {
		if strings.Contains(strings.Join(values, " "), clientSecret) {
			return fmt.Errorf("the provider sees the client's %s", name)
		}
	}
	switch {
	case h.Get("Authorization") != "Bearer "+providerKey && h.Get("Api-Key") != providerKey:
		return errors.New("the provider's key is missing")
	case h.Get("Idempotency-Key") != e.rec.ID:
		return errors.New("the idempotency key is missing")
	case h.Get("Via") == "":
		return errors.New("no via header")
	case !strings.HasSuffix(e.got.URL.Path, "/chat/completions"):
		return fmt.Errorf("sent to %s", e.got.URL.Path)
	}
	return e.checkSplices(e.limit())
}

// limit is the output limit that the receipt says was granted.
func (e *exchange) limit() int64 {
	if e.receipt == nil || len(e.receipt.Attempts) == 0 {
		return 0
	}
	return e.receipt.Attempts[0].MaxOutput
}

// checkSplices compares the requests member by member, in their order and byte
// for byte, but for the usage switch and the output limit.
func (e *exchange) checkSplices(limit int64) error {
	before, after := members(e.sent), members(e.body)
	limited, stream := false, gjson.GetBytes(e.sent, "stream").Bool()
	for i, m := range before {
		if i >= len(after) || after[i].name != m.name {
			return fmt.Errorf("the member %s is gone or moved", m.name)
		}
		got := after[i].value
		switch isLimit := m.name == "max_tokens" || m.name == "max_completion_tokens"; {
		case got == m.value:
			limited = limited || isLimit && gjson.Parse(m.value).Int() > 0
		case isLimit && got == fmt.Sprint(limit) && (gjson.Parse(m.value).Int() == 0 || limit < gjson.Parse(m.value).Int()):
			limited = true // null and 0 are no limit of the client's
		case m.name == "stream_options" && gjson.Get(got, "include_usage").Bool():
		default:
			return fmt.Errorf("%s became %s", m.name, got)
		}
	}
	for _, m := range after[len(before):] {
		switch isLimit := m.name == "max_tokens" || m.name == "max_completion_tokens"; {
		case m.name == "max_tokens" && strings.Contains("openai azure", e.row) && reasoning.MatchString(modelOf(e.rec)):
			return errors.New("OpenAI's reasoning models refuse max_tokens")
		case isLimit && !limited && m.value == fmt.Sprint(limit):
			limited = true
		case m.name == "stream_options" && m.value == `{"include_usage":true}` && stream:
		default:
			return fmt.Errorf("%s was added as %s", m.name, m.value)
		}
	}
	switch {
	case !limited && !e.free():
		return errors.New("no output limit bounds what was held for")
	case stream && !gjson.GetBytes(e.body, "stream_options.include_usage").Bool():
		return errors.New("usage was not asked for")
	}
	return nil
}

var reasoning = regexp.MustCompile(`^(openai/)?(o[134]|gpt-5)`)

type member struct{ name, value string }

func members(object []byte) (out []member) {
	gjson.ParseBytes(object).ForEach(func(name, value gjson.Result) bool {
		out = append(out, member{name.Str, value.Raw})
		return true
	})
	return out
}

// checkAnswer: the client got what the provider sent but for the listed repairs,
// the usage that it did not ask for, and our additions.
func (e *exchange) checkAnswer() error {
	if e.err != nil {
		return e.err
	}
	if err := e.checkHeaders(); err != nil {
		return err
	}
	switch status := e.rec.Response.Status; {
	case status >= 400:
		return e.checkError(wantStatus(status))
	case e.want.Failed && (!e.rec.Streaming || strings.HasPrefix(e.reply.Body, "{")):
		return e.checkError(e.reply.Status) // it failed before its first byte
	case e.reply.Status != status:
		return fmt.Errorf("%d %s", e.reply.Status, e.reply.Body)
	case e.rec.Streaming:
		return e.checkStream()
	}
	if got, want := e.reply.Header.Get("x-farthing-cost-usd"), e.receipt.Cost.String(); got != want {
		return fmt.Errorf("x-farthing-cost-usd is %q, the receipt's cost %q", got, want)
	}
	return errors.Join(e.want.Body.Same(e.reply.Body), openaitest.Readable(e.reply.Body, false))
}

// checkHeaders: our own headers, and the provider's request ids and limits under
// names that say whose they are.
func (e *exchange) checkHeaders() error {
	target := e.provider + "/" + modelOf(e.rec)
	for name, want := range map[string]string{"x-farthing-model": modelOf(e.rec), "x-farthing-target": target} {
		if got := e.reply.Header.Get(name); got != want {
			return fmt.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for name, value := range e.rec.Header() {
		if !strings.Contains(name, "ratelimit") && !strings.HasSuffix(name, "request-id") {
			continue
		}
		if ours := "x-upstream-" + strings.TrimPrefix(name, "x-"); e.reply.Header.Get(ours) != value {
			return fmt.Errorf("%s is %q, the provider's %s was %q", ours, e.reply.Header.Get(ours), name, value)
		}
	}
	return nil
}

// checkStream compares event by event. Behind the provider's own stands our
// closing comment; heartbeats may stand anywhere.
func (e *exchange) checkStream() error {
	stream := strings.ReplaceAll(e.reply.Body, ": keep-alive\n\n", "")
	ours := strings.LastIndex(stream, ": farthing ")
	if ours < 0 {
		return errors.New("no closing comment")
	}
	want := fmt.Sprintf(": farthing {\"id\":%q,\"target\":%q,\"cost_usd\":%q}\n\n", e.receipt.ID, e.receipt.Target, e.receipt.Cost.String())
	if stream[ours:] != want {
		return fmt.Errorf("the closing comment is %q, want %q", stream[ours:], want)
	}
	if err := e.want.SameStream(stream[:ours]); err != nil || e.want.Failed {
		return err
	}
	return openaitest.Readable(stream[:ours], true)
}

// wantStatus is what the client should get for a provider's error: a fault of the
// request as one of its few kinds, our credentials and the provider's own faults
// as ours.
func wantStatus(status int) int {
	switch {
	case status == 404, status == 413, status == 429, status == 503, status == 504:
		return status
	case ofAccount(status):
		return http.StatusBadGateway
	case status == 408:
		return http.StatusGatewayTimeout
	case status < 500:
		return http.StatusBadRequest
	case status == 529:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadGateway
}

// ofAccount says that a provider's error is about our key or our account.
func ofAccount(status int) bool {
	return status == 401 || status == 402 || status == 403 || status == 407
}

// checkError: the right status, the provider's own body where it blames the
// request, and else nothing of what it says of our account.
func (e *exchange) checkError(status int) error {
	said, message := gjson.Get(e.rec.Response.BodyText, "error.message").Str, gjson.Get(e.reply.Body, "error.message").Str
	ours := status >= 500 || gjson.Get(e.rec.Response.BodyText, "user_id").Exists() // the gateway's account
	switch {
	case e.reply.Status != status || e.reply.Status < 400:
		return fmt.Errorf("%d, want %d: %s", e.reply.Status, status, e.reply.Body)
	case message == "":
		return fmt.Errorf("no message that an OpenAI client can read: %s", e.reply.Body)
	case !ours && said != "" && e.reply.Body != e.rec.Response.BodyText:
		return fmt.Errorf("the provider's body does not come through: %s", e.reply.Body)
	case ofAccount(e.rec.Response.Status) && said != "" && strings.Contains(e.reply.Body, said):
		return fmt.Errorf("the client reads what the provider says of our key: %s", e.reply.Body)
	case e.rec.Header()["retry-after"] != "" && e.reply.Header.Get("Retry-After") == "":
		return errors.New("no retry-after")
	}
	return nil
}

// free says that the book's price of the model is 0: nothing is held for it.
func (e *exchange) free() bool {
	row, ok := catalog.Embedded().Row(e.row, modelOf(e.rec), time.Now())
	if !ok || !row.Priced() {
		return false
	}
	in, out := row.Prices(1, price.Terms{At: time.Now()})
	return in == 0 && out == 0
}

// checkReceipt: one attempt, its outcome, its repairs and its cost.
func (e *exchange) checkReceipt() error {
	if e.err != nil {
		return e.err
	}
	r := e.receipt
	if len(r.Attempts) != 1 {
		return fmt.Errorf("%d attempts: %s", len(r.Attempts), r.Error)
	}
	a := r.Attempts[0]
	diff := cmp.Diff(slices.Sorted(slices.Values(e.want.Repairs)), slices.Sorted(slices.Values(a.Repairs)))
	failed := e.rec.Response.Status >= 400 || e.want.Failed
	switch {
	case a.Status != e.rec.Response.Status || (a.Hold == 0) != e.free() || a.Cost != r.Cost:
		return fmt.Errorf("the attempt is %+v, the whole cost %s", a, r.Cost)
	case failed != (r.Outcome != "ok") || failed != (a.Outcome != "ok"):
		return fmt.Errorf("outcome %s, of the attempt %s", r.Outcome, a.Outcome)
	case e.rec.Response.Status >= 400 && (r.Cost != 0 || r.UsageSource != providers.UsageNone):
		return fmt.Errorf("an error costs %s (%s)", r.Cost, r.UsageSource)
	case diff != "":
		return fmt.Errorf("repairs (-want +got)\n%s", diff)
	case !failed && len(r.Budgets) != 1 || len(r.Budgets) > 0 && r.Budgets[0].Name != "all":
		return fmt.Errorf("it charged %+v", r.Budgets)
	}
	return nil
}

// checkUsage: the receipt's usage is what the provider reported, else counted by
// us, and the provider's own cost comes before the price book.
func (e *exchange) checkUsage(reported []byte) error {
	if e.err != nil {
		return e.err
	}
	r := e.receipt
	want, ok := openaitest.Usage(reported, e.row)
	if !ok {
		if r.UsageSource != providers.UsageCounted || r.Usage.Input == 0 || r.Usage.Output == 0 {
			return fmt.Errorf("nothing is reported, and the receipt has %s %+v", r.UsageSource, r.Usage)
		}
		return nil
	}
	if diff := cmp.Diff(want, r.Usage); diff != "" || r.UsageSource != providers.UsageProvider {
		return fmt.Errorf("%s usage (-want +got)\n%s", r.UsageSource, diff)
	}
	if cost, ok := openaitest.Cost(reported, e.row); ok && cost != r.Cost {
		return fmt.Errorf("cost %s, the provider says %s", r.Cost, cost)
	}
	return nil
}
