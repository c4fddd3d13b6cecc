package transcript_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/retention"
	streamjournal "github.com/vexa-ai/vexa/pkg/stream/journal"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// childEnv makes the test binary a process that records in the directory it
// names.
const childEnv = "TRANSCRIPT_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, recordForEver(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func journalIn(dir string) (*streamjournal.Log, error) {
	return streamjournal.Open(streamjournal.Options{Root: dir, Key: bytes.Repeat([]byte{7}, journal.KeySize), Now: time.Now, SegmentBytes: 64 << 10})
}

// marked is a body that says its own size.
func marked(n int) string { return fmt.Sprintf("%d:%s", n, strings.Repeat("word ", n)) }

func whole(body []byte) bool {
	var n int
	_, err := fmt.Sscanf(string(body), "%d:", &n)
	return err == nil && string(body) == marked(n)
}

// recordForEver records requests and answers of any size from several goroutines,
// and says which requests may be sent.
func recordForEver(dir string) error {
	streams, err := journalIn(dir)
	if err != nil {
		return err
	}
	w := open(streams, retention.Inference{}).Writer(unit)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				r, err := w.Begin(context.Background(), sent(marked(rand.IntN(50_000))))
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Printf("sent %d\n", r.Number())
				for range rand.IntN(4) {
					r.Answer(context.Background(), bytes.Repeat([]byte("a"), rand.IntN(300<<10)))
				}
				if err := r.End(context.Background(), transcript.Ended{Outcome: "answered"}); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Printf("ended %d\n", r.Number())
			}
		})
	}
	wg.Wait()
	return errors.New("the writers ended")
}

// Whatever the process was killed in: each request that may have been sent is
// there and whole, each end that was reported is there, and numbers go on.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	said, ended := map[int]bool{}, map[int]bool{}
	for round := range 6 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var word string
			var number int
			_, err := fmt.Sscan(lines.Text(), &word, &number)
			must(t, err)
			if word == "sent" {
				if said[number] {
					t.Fatalf("number %d was given twice", number)
				}
				said[number] = true
			} else {
				ended[number] = true
			}
			if n == 10+17*round {
				must(t, cmd.Process.Kill())
			}
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the child ended by itself: %v", err)
		}
		streams, err := journalIn(dir)
		must(t, err)
		got := map[int]transcript.Exchange{}
		for _, x := range all(t, open(streams, retention.Inference{})) {
			if !whole(x.Request.Data) || x.Request.Bytes != int64(len(x.Request.Data)) {
				t.Errorf("round %d: request %d is not whole", round, x.Number)
			}
			if !x.EndedAt.IsZero() && (x.Answer.Cut || x.Answer.Bytes != int64(len(x.Answer.Data))) {
				t.Errorf("round %d: the answer to %d has ended and is not whole", round, x.Number)
			}
			got[x.Number] = x
		}
		for number := range said {
			if _, ok := got[number]; !ok {
				t.Errorf("round %d: request %d may have been sent, and is not recorded", round, number)
			}
		}
		for number := range ended {
			if got[number].EndedAt.IsZero() {
				t.Errorf("round %d: the end of %d was reported, and is not recorded", round, number)
			}
		}
		must(t, streams.Close())
	}
	if len(said) == 0 || len(ended) == 0 {
		t.Error("nothing was recorded")
	}
}
