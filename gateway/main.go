// Command farthing is a cost-aware LLM routing gateway: one binary that stands
// in front of applications, sends each request to a self-hosted engine or to a
// paid API, whichever is worth its price, and keeps it inside budgets. See
// gateway/cli for its commands and gateway/app for how it is put together.
package main

import (
	"os"

	"farthing/gateway/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
