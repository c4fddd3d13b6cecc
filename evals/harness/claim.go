package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vexa-ai/vexa/pkg/browsertest"
	"github.com/vexa-ai/vexa/pkg/screentest"
)

// claim is the testscript.T of one script: it keeps the script's log for the
// report, whatever the outcome, and shows how it ended when the script failed.
type claim struct {
	*testing.T

	suite *suite
	vars  []string          // the script's environment at its start
	begun time.Time         // when it began to run, which is later than when it was made
	sound map[string]string // what doctor said first, by home

	terminals map[string]*screentest.Terminal // that are open, by name
	browsers  map[string]*browsertest.Browser // likewise

	mu       sync.Mutex
	log      strings.Builder
	after    string
	pictures []picture
}

var _ testscript.T = (*claim)(nil)

// Verbose is always true: the log is the evidence.
func (c *claim) Verbose() bool { return true }

// Log keeps what the script did. It is called at its end.
func (c *claim) Log(args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(&c.log, args...)
}

// note adds to the evidence what the script itself did not print.
func (c *claim) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after += text
}

// Run runs one script.
func (c *claim) Run(name string, f func(testscript.T)) {
	c.T.Run(name, func(t *testing.T) {
		sub := &claim{T: t, suite: c.suite}
		t.Cleanup(func() { sub.done(name) })
		f(sub)
	})
}

func (c *claim) done(name string) {
	took := time.Since(c.begun)
	c.mu.Lock()
	log, after := shortened(withoutEnvironment(c.log.String())), c.after
	c.mu.Unlock()
	evidence := log + after
	if c.Failed() {
		c.T.Log(ending(log) + after)
	}
	outcome := "held"
	switch {
	case c.Skipped():
		outcome = "skipped"
	case c.Failed():
		outcome = "failed"
	}
	script := filepath.Join("evals", c.suite.stage, name+".txtar")
	c.suite.report.add(result{
		Claim:    statement(filepath.Join(c.suite.root, script)),
		Script:   script,
		Outcome:  outcome,
		Seconds:  took.Seconds(),
		Evidence: evidence,
		Pictures: c.pictures,
	})
}

// withoutEnvironment drops what testscript prints before the script begins.
func withoutEnvironment(log string) string {
	if i := strings.Index(log, "\n# "); i >= 0 {
		return log[i+1:]
	}
	return log
}

// statement is the comment that a script begins with.
func statement(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !ok {
			break
		}
		lines = append(lines, strings.TrimSpace(text))
	}
	return strings.Join(lines, " ")
}

// deadline leaves time to clean up before go test kills the process.
func deadline(t *testing.T) time.Time {
	t.Helper()
	d, ok := t.Deadline()
	if !ok {
		return time.Time{}
	}
	return d.Add(-30 * time.Second)
}
