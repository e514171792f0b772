package providertest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Recording is one recorded exchange with a provider.
type Recording struct {
	ID        string
	Provider  string
	Endpoint  string // chat.completions, messages, …
	Streaming bool
	Request   *struct{ Body json.RawMessage } // nil where the answer alone was recorded
	Response  struct {
		Status   int
		Headers  map[string]json.RawMessage // a string each, or a list of strings
		BodyText string                     `json:"body_text"`
	}
}

// Body is the recorded request's body; nil where there is none.
func (r *Recording) Body() []byte {
	if r.Request == nil || string(r.Request.Body) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(r.Request.Body, &text) == nil {
		return []byte(text)
	}
	return r.Request.Body
}

// Header gives the response's headers, with small letters in their names, but
// for those that only said how the bytes were carried.
func (r *Recording) Header() map[string]string {
	out := map[string]string{}
	for name, raw := range r.Response.Headers {
		switch name = strings.ToLower(name); name {
		case "content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive", "date", "alt-svc":
			continue
		}
		var values []string
		var value string
		if json.Unmarshal(raw, &value) == nil {
			out[name] = value
		} else if json.Unmarshal(raw, &values) == nil && len(values) > 0 {
			out[name] = values[0]
		}
	}
	return out
}

// Recordings are the recorded exchanges of an endpoint, in the order of their
// files' names.
func Recordings(t *testing.T, endpoint string) (out []Recording) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(DataFile(t, "cassettes"), "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r Recording
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if r.Endpoint == endpoint {
			out = append(out, r)
		}
	}
	return out
}

// UsageOracle is the usage that each recorded answer reports, by the recording's
// id, in the provider's own words; "null" where it reports none. It is nil where
// the data has no oracle.
func UsageOracle(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	path, ok := dataFile(t, filepath.Join("cassettes", "usage_oracle.jsonl"))
	if !ok {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out := map[string]json.RawMessage{}
	for lines := json.NewDecoder(file); lines.More(); {
		var row struct {
			ID    string
			Usage json.RawMessage `json:"final_usage"`
		}
		if err := lines.Decode(&row); err != nil {
			t.Fatal(err)
		}
		out[row.ID] = row.Usage
	}
	return out
}
