package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vexa-ai/vexa/pkg/api/openapi"
)

// cmdAnswers makes a request to the home's daemon and holds the answer to the
// description of the HTTP API: answers STATUS METHOD PATH [BODY].
func (s *suite) cmdAnswers(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && (len(args) == 3 || len(args) == 4), "answers STATUS METHOD PATH [BODY]")
	status, method, path, body := args[0], args[1], args[2], strings.Join(args[3:], "")
	described, err := s.described()
	ts.Check(err)
	where, _, _ := strings.Cut(path, "?")
	pattern := described.Pattern(method, where)
	if pattern == "" {
		ts.Fatalf("%s %s is not described", method, path)
	}
	socket := filepath.Join(runDir(installID(ts.Getenv("VEXA_HOME"))), "daemon.sock")
	caller := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(context.Background(), method, "http://vexa"+path, strings.NewReader(body))
	ts.Check(err)
	res, err := caller.Do(req)
	ts.Check(err)
	text, err := io.ReadAll(res.Body)
	ts.Check(err)
	ts.Check(res.Body.Close())
	fmt.Fprintf(ts.Stdout(), "%s\n", bytes.TrimSpace(text))
	if got := fmt.Sprint(res.StatusCode); got != status {
		ts.Fatalf("%s %s: it answered with %s, not %s: %s", method, path, got, status, text)
	}
	if err := described.Answer(pattern, res.StatusCode, res.Header.Get("Content-Type"), text); err != nil {
		ts.Fatalf("%s: the description is another: %v\n%s", pattern, err, text)
	}
}

// described is the description of the API that the repository has.
func (s *suite) described() (*openapi.Checker, error) {
	file := filepath.Join(s.root, "docs", "api", "openapi.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(s.root, "schemas", "*", "*.schema.json"))
	if err != nil {
		return nil, err
	}
	contracts := map[string]string{}
	for _, file := range files {
		contracts["https://vexa.ai/schemas/"+filepath.Base(filepath.Dir(file))] = file
	}
	return openapi.Check(file, text, contracts)
}
