package openai

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"farthing/providers"
)

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for _, c := range []struct {
			header map[string]string
			want   time.Duration
		}{
			{map[string]string{"retry-after": "7"}, 7 * time.Second},
			{map[string]string{"retry-after": "0.5"}, 500 * time.Millisecond},
			{map[string]string{"retry-after": now.Add(90 * time.Second).UTC().Format(http.TimeFormat)}, 90 * time.Second},
			{map[string]string{"retry-after": now.Add(-90 * time.Second).UTC().Format(http.TimeFormat)}, 0},
			{map[string]string{"retry-after": "7", "retry-after-ms": "250"}, 250 * time.Millisecond},
			{map[string]string{"retry-after": "1", "retry-after-ms": "0"}, time.Second},
			{map[string]string{"retry-after": "soon"}, 0},
			{map[string]string{"retry-after": "-4"}, 0},
			{map[string]string{"retry-after": "NaN"}, 0},
			{map[string]string{"retry-after": "1e300"}, maxRetryAfter},
			{map[string]string{"x-ratelimit-reset-requests": "6ms"}, 6 * time.Millisecond},
			{map[string]string{"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-requests": "6ms", "x-ratelimit-reset-tokens": "1m2s"}, 62 * time.Second},
			{map[string]string{"x-ratelimit-reset": "1750000000000"}, bounded(float64(time.Until(time.UnixMilli(1750000000000))))},
			{nil, 0},
		} {
			h := http.Header{}
			for k, v := range c.header {
				h.Set(k, v)
			}
			if got := ParseError(429, h.Get, nil).RetryAfter; got != c.want {
				t.Errorf("%v: %v, want %v", c.header, got, c.want)
			}
		}
	})
	body := `[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"@type":"RetryInfo","retryDelay":"34.5s"}]}}]`
	if e := ParseError(429, http.Header{}.Get, []byte(body)); e.RetryAfter != 34500*time.Millisecond || e.Code != "RESOURCE_EXHAUSTED" {
		t.Errorf("Gemini's RetryInfo read as %+v", e)
	}
}

func TestErrorBody(t *testing.T) {
	for _, c := range []struct {
		e                         providers.Error
		message, typ, code, param string
	}{
		{providers.Error{Kind: providers.Invalid, Message: "m", Param: "n"}, "m", "invalid_request_error", "", "n"},
		{providers.Error{Kind: providers.OverBudget, Message: "m"}, "m", "insufficient_quota", "insufficient_quota", ""},
		{providers.Error{Kind: providers.Unauthenticated, Message: "m"}, "m", "authentication_error", "invalid_api_key", ""},
		{providers.Error{Kind: providers.NotFound, Message: "<m>\n", Code: "model_not_found", Type: "t"}, "<m>\n", "t", "model_not_found", ""},
		{providers.Error{Kind: providers.Internal, Message: "m"}, "m", "server_error", "", ""},
	} {
		var out struct {
			Error struct{ Message, Type, Code, Param string }
		}
		if err := json.Unmarshal(ErrorBody(&c.e), &out); err != nil || out.Error.Message != c.message || out.Error.Type != c.typ || out.Error.Code != c.code || out.Error.Param != c.param {
			t.Errorf("%+v: %+v, %v", c.e, out, err)
		}
	}
}

// TestCredentialsStay checks that an upstream's complaint about our key is for
// the log alone, and that its complaint about the request passes as it is.
func TestCredentialsStay(t *testing.T) {
	body := []byte(`{"error":{"message":"Incorrect API key provided: sk-abc***xyz","type":"invalid_request_error","code":"invalid_api_key","param":null}}`)
	e := ParseError(401, http.Header{}.Get, body)
	if e.Kind != providers.Upstream || strings.Contains(string(ErrorBody(e)), "sk-abc") || !strings.Contains(e.Error(), "sk-abc") {
		t.Errorf("%v: %s", e, ErrorBody(e))
	}
	body = []byte(`{"error":{"message":"too long","code":400,"metadata":{"a":1}}}`)
	if e := ParseError(400, http.Header{}.Get, body); string(ErrorBody(e)) != string(body) || e.Kind != providers.Invalid {
		t.Errorf("%v: %s", e, ErrorBody(e))
	}
}
