// Package providers holds the words that every part of Farthing shares about
// model APIs: money and prices, token usage in disjoint classes, requests as
// turns of ordered parts, response events, targets, and errors with kinds.
//
// The packages below it say how providers are spoken to: one folder per wire
// format (openai, …), sse for the framing, catalog for prices and model facts,
// upstream for the HTTP client. Nothing here knows of budgets, keys or our own
// HTTP surface: providers come first in the dependency order.
//
// Start with Request and Event (what passes through), Target (what bills), and
// Usage and Money (what it costs).
package providers
