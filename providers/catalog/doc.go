// Package catalog knows what models cost and what they can do, and how their
// providers are reached.
//
// Three parts:
//
//   - The price book (Book): every model of every provider with its prices by
//     date, embedded from book.jsonl, which providers/catalog/generate writes
//     from published data. Embedded is the book, With lays the operator's rows
//     over it, Row and For find a row. The arithmetic is in catalog/price.
//   - Facts: context, output limit, tools, images, encoding, the shape of
//     Mixture-of-Experts models and measured ability (Model, Facts; knowledge.json).
//   - Provider rows (ProviderRows, ProviderRow): base URL, format, key variable,
//     whether cancelling stops the bill.
//
// The core of `farthing bill` is catalog/bill.
package catalog
