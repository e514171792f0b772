// Package price computes what a request costs from one row of the price book.
//
// A row has a price for every class of tokens of providers.Usage (input,
// cache_read, …), context tiers, service tiers, windows of the day, factors for
// data residency and fees per call. Start with Compile, which reads a RowConfig
// and says what is wrong with it, then Row.Total (one number, no allocation),
// Row.Cost (the same with a line per class) and Row.Bound (the most a request
// can cost, which is what is held before it is sent).
//
// The rules:
//
//   - The context tier is chosen by every token of the prompt, cached ones
//     included, strictly above the threshold, and reprices the whole request.
//   - Tier and context multiply. A window of the day beats both.
//   - A class without a price is billed at its parent's (see Class). An explicit
//     0 is a price. A row without input and output is unpriced, never free.
//   - All arithmetic is in integers: factors are millionths, sums have 128 bits
//     and are rounded up once, to a pico-dollar. It saturates and never wraps.
package price
