package cli_test

import (
	"strings"
	"testing"
)

// A person is told that a message waits for a container, once, on stderr,
// whether or not that is a terminal; the answer is the answer alone.
func TestChatSaysThatItWaitsForAContainer(t *testing.T) {
	t.Parallel()
	for name, tty := range map[string]bool{"terminal": true, "pipe": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.f.OutTTY, b.f.ErrTTY = func() bool { return tty }, func() bool { return tty }
			if code := b.run("chat", "-p", "queue here"); code != 0 {
				t.Fatalf("exit %d: %s", code, b.err)
			}
			if n := strings.Count(b.err.String(), "waits for one of the 2 containers of u_jane; 3 before it"); n != 1 {
				t.Errorf("it is said %d times: %q", n, b.err)
			}
			if strings.Contains(b.err.String(), "\x1b") {
				t.Errorf("stderr steers the terminal: %q", b.err)
			}
			if strings.Contains(b.out.String(), "waits for") || !strings.Contains(b.out.String(), "you said: queue here") {
				t.Errorf("stdout %q", b.out)
			}
		})
	}
	b := newBench(t)
	if code := b.run("--quiet", "chat", "-p", "queue here"); code != 0 || strings.Contains(b.err.String(), "waits for") {
		t.Errorf("--quiet: exit %d, %q", code, b.err)
	}
}

func TestPsSaysWhatADispatchWaitsFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if code := b.run("run", "--detach", "queue and wait"); code != 0 {
		t.Fatalf("exit %d: %s", code, b.err)
	}
	if code := b.run("ps"); code != 0 || strings.Contains(b.out.String(), "\x1b]") {
		t.Errorf("exit %d: %q", code, b.out)
	}
	lines := strings.Split(strings.TrimSpace(b.out.String()), "\n")
	if last := lines[len(lines)-1]; !strings.Contains(last, "starting") || !strings.Contains(last, "waits for one of the 2 containers of u_jane; 3 before it") {
		t.Errorf("ps: %q", last)
	}
}
