// Package bedrock speaks AWS Bedrock's Converse (signed requests, binary event
// streams), through the shared words of package providers. This version does not
// speak it yet: a file that names such a provider is refused.
package bedrock
