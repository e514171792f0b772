// Package cost is the arithmetic of owned hardware: what an engine's hour, busy or
// idle, comes to per request and per token, and when it beats an API. This
// version counts owned engines as free and warns where a file says otherwise
// (config.NotYet).
package cost
