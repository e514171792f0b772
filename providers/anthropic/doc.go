// Package anthropic speaks Anthropic's Messages (/v1/messages), towards clients and towards
// providers, through the shared words of package providers. This version does not
// speak it yet: providers of this format are refused with the way to reach them
// by a format that it speaks, where there is one.
package anthropic
