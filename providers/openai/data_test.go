//go:build data

package openai_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"farthing/providers"
	"farthing/providers/openai"
	"farthing/providers/openai/events"
	"farthing/providers/openai/openaitest"
	"farthing/providers/openai/relay"
	"farthing/providers/openai/translate"
	"farthing/providers/providertest"
	"farthing/providers/sse"
)

// TestDataChatCompletions runs every recorded chat completion through what serves it.
func TestDataChatCompletions(t *testing.T) {
	oracle := providertest.UsageOracle(t)
	table := providertest.NewTable(t)
	for _, rec := range providertest.Recordings(t, "chat.completions") {
		if body := rec.Body(); body != nil {
			table.Check("openai/request-parsed", rec.ID, checkParse(body))
			table.Check("openai/request-spliced", rec.ID, checkSplice(body))
			table.Check("openai/request-there-and-back", rec.ID, checkRound(body))
		}
		if rec.Response.Status >= 400 {
			table.Check("openai/error-read", rec.ID, checkError(&rec))
			continue
		}
		var meter *providers.Meter
		var err error
		if rec.Streaming {
			meter, err = checkStream(&rec)
			table.Check("openai/stream-relayed", rec.ID, err)
		} else {
			meter, err = checkBody(&rec)
			table.Check("openai/body-relayed", rec.ID, err)
		}
		if oracle != nil {
			table.Check("openai/usage", rec.ID, checkUsage(meter, oracle[rec.ID], rec.Provider))
		}
		if meter.Complete {
			table.Check("openai/events-there-and-back", rec.ID, checkEvents(&rec))
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
		"model": "another/model", "service_tier": "flex", "stream_options": map[string]any{"include_usage": true},
	},
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

func checkError(rec *providertest.Recording) error {
	header := rec.Header()
	e := openai.ParseError(rec.Response.Status, func(name string) string { return header[strings.ToLower(name)] }, []byte(rec.Response.BodyText))
	silent := strings.Contains(e.Message, "the provider answered HTTP")
	if e.Message == "" || silent && json.Valid([]byte(rec.Response.BodyText)) || e.Status != rec.Response.Status {
		return fmt.Errorf("read as %+v", e)
	}
	var out struct{ Error struct{ Message string } }
	if err := json.Unmarshal(openai.ErrorBody(e), &out); err != nil || out.Error.Message == "" {
		return fmt.Errorf("written as %s: %v", openai.ErrorBody(e), err)
	}
	return nil
}

// checkStream relays a stream, however its bytes come, and compares it with what
// it should be.
func checkStream(rec *providertest.Recording) (*providers.Meter, error) {
	body := rec.Body()
	wanted := body == nil || openaitest.WantsUsage(body)
	q := openai.KnownQuirks(rec.Provider)
	want := openaitest.Stream(rec.Response.BodyText, q, wanted)
	var meter *providers.Meter
	for how, read := range providertest.Readers {
		r := relay.New(q, wanted)
		out, err := providertest.Run(r, sse.NewReader(read(strings.NewReader(rec.Response.BodyText)), 0))
		if meter = r.Meter(); (err != nil) != want.Failed {
			return meter, fmt.Errorf("%s: %w", how, err)
		}
		if err := want.SameStream(string(out)); err != nil {
			return meter, fmt.Errorf("%s: %w", how, err)
		}
		if err := openaitest.Readable(string(out), true); err != nil && !want.Failed {
			return meter, err
		}
	}
	return meter, checkMeter(meter, want)
}

// checkMeter checks what a meter says besides usage.
func checkMeter(meter *providers.Meter, want openaitest.Answer) error {
	if diff := cmp.Diff(slices.Sorted(slices.Values(want.Repairs)), slices.Sorted(slices.Values(meter.Repairs))); diff != "" {
		return fmt.Errorf("repairs: %s", diff)
	}
	if !want.Failed && (!meter.Complete || meter.Finish == "") {
		return fmt.Errorf("not complete (finish %q)", meter.Finish)
	}
	return nil
}

func checkBody(rec *providertest.Recording) (*providers.Meter, error) {
	q := openai.KnownQuirks(rec.Provider)
	want := openaitest.Body(rec.Response.BodyText, q)
	r := relay.New(q, false)
	out, err := r.Body([]byte(rec.Response.BodyText))
	switch {
	case want.Failed && err != nil:
		return r.Meter(), nil
	case err != nil || want.Failed:
		return r.Meter(), fmt.Errorf("an error is %v, got %w", want.Failed, err)
	}
	if err := errors.Join(want.Body.Same(string(out)), openaitest.Readable(string(out), false)); err != nil {
		return r.Meter(), err
	}
	return r.Meter(), checkMeter(r.Meter(), want)
}

// checkUsage normalises the oracle's usage by itself and compares.
func checkUsage(meter *providers.Meter, reported json.RawMessage, row string) error {
	want, ok := openaitest.Usage(reported, row)
	if ok != meter.HasUsage {
		return fmt.Errorf("has usage: %v, %+v; the oracle says %s", meter.HasUsage, meter.Usage, reported)
	}
	if diff := cmp.Diff(want, meter.Usage); diff != "" {
		return fmt.Errorf("usage (-want +got)\n%s", diff)
	}
	if cost, ok := openaitest.Cost(reported, row); ok != (meter.Cost != nil) || ok && cost != *meter.Cost {
		return fmt.Errorf("cost %v, want %v (%v)", meter.Cost, cost, ok)
	}
	return nil
}

// checkEvents decodes an answer into events, writes them, and decodes again.
func checkEvents(rec *providertest.Recording) error {
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
