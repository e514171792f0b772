package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScript runs the command as people do: each script of testdata/script has
// a port of its own ($PORT), a paid server of the OpenAI format ($PAID), and
// these commands beside testscript's own:
//
//	expand FILE…                      fill in $PORT and $PAID
//	eventually PATTERN PROGRAM ARGS…  run it until it succeeds and its output matches
//	exits CODE PROGRAM ARGS…          run it; it must end with CODE
//	http [-k KEYFILE] [-h HEADER]… METHOD URL [BODY]
//	                                  send a request; status, headers and body go to stdout
//	curl FILE                         carry out the curl line that FILE ends with
//	jsonl FILE                        check that every line of FILE is JSON
//	terminate                         send SIGTERM to what runs in the background
func TestScript(t *testing.T) {
	paid := httptest.NewServer(http.HandlerFunc(answerPaid))
	t.Cleanup(paid.Close)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PORT", freePort())
			e.Setenv("PAID", paid.URL)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"expand":     takes(1, 9, expand),
			"eventually": takes(2, 9, eventually),
			"exits":      takes(2, 9, exits),
			"http":       takes(2, 9, sendHTTP),
			"curl":       takes(1, 1, carryOut),
			"jsonl":      takes(1, 1, checkLines),
			"terminate":  takes(0, 0, terminate),
		},
	})
}

// answerPaid is a paid API: its models list and one answer of 1,000 tokens in
// and 100 out.
func answerPaid(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Header.Get("Authorization") != "Bearer good":
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"message":"bad key"}}`)
	case strings.HasSuffix(r.URL.Path, "/models"):
		_, _ = io.WriteString(w, `{"object":"list","data":[]}`)
	default:
		_, _ = io.WriteString(w, `{"id":"c1","object":"chat.completion","created":1,"model":"big","choices":[{"index":0,"message":{"role":"assistant","content":"Paris."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}`)
	}
}

// freePort finds a port below those that systems give to outgoing connections,
// so that nothing takes it before the gateway does.
func freePort() string {
	given.Lock()
	defer given.Unlock()
	for {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil && !given.ports[port] {
			l.Close()
			given.ports[port] = true
			return fmt.Sprint(port)
		}
	}
}

var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// takes makes a command of a function that takes from least to most arguments.
func takes(least, most int, do func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < least || len(args) > most {
			ts.Fatalf("used wrongly: see TestScript")
		}
		do(ts, args)
	}
}

func expand(ts *testscript.TestScript, files []string) {
	fill := strings.NewReplacer("$PORT", ts.Getenv("PORT"), "$PAID", ts.Getenv("PAID"))
	for _, file := range files {
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(fill.Replace(ts.ReadFile(file))), 0o600))
	}
}

// patience is how long a script waits for anything before it gives up.
const patience = 30 * time.Second

func eventually(ts *testscript.TestScript, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	deadline := time.Now().Add(patience)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%q has not come to pass: %v", args[0], err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func exits(ts *testscript.TestScript, args []string) {
	code := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func sendHTTP(ts *testscript.TestScript, args []string) {
	var headers []string
	for len(args) > 3 && strings.HasPrefix(args[0], "-") {
		header := args[1]
		if args[0] == "-k" {
			header = "Authorization: Bearer " + strings.TrimSpace(ts.ReadFile(args[1]))
		}
		headers, args = append(headers, header), args[2:]
	}
	send(ts, args[0], args[1], strings.Join(args[2:], " "), headers)
}

func send(ts *testscript.TestScript, method, url, body string, headers []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	ts.Check(err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	fmt.Fprintln(ts.Stdout(), response.StatusCode)
	for _, name := range slices.Sorted(maps.Keys(response.Header)) {
		fmt.Fprintf(ts.Stdout(), "%s: %s\n", strings.ToLower(name), strings.Join(response.Header[name], ", "))
	}
	fmt.Fprintln(ts.Stdout())
	_, err = io.Copy(ts.Stdout(), response.Body)
	ts.Check(err)
}

// carryOut does what a shell with curl would do with the last lines of a file.
func carryOut(ts *testscript.TestScript, args []string) {
	_, line, found := strings.Cut(ts.ReadFile(args[0]), "  curl ")
	if !found {
		ts.Fatalf("%s has no curl line", args[0])
	}
	words := shellWords(strings.ReplaceAll(line, "\\\n", " "))
	url, body, headers := words[0], "", []string(nil)
	for option := range slices.Chunk(words[1:], 2) {
		switch {
		case len(option) == 2 && option[0] == "-H":
			headers = append(headers, option[1])
		case len(option) == 2 && option[0] == "-d":
			body = option[1]
		default:
			ts.Fatalf("unknown curl option %q", option)
		}
	}
	send(ts, http.MethodPost, url, body, headers)
}

// shellWords splits a line at spaces outside single quotes.
func shellWords(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

func terminate(ts *testscript.TestScript, _ []string) {
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(syscall.SIGTERM))
	}
}

func checkLines(ts *testscript.TestScript, args []string) {
	for i, line := range strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n") {
		if !json.Valid([]byte(line)) {
			ts.Fatalf("line %d is not JSON: %s", i+1, line)
		}
	}
}
