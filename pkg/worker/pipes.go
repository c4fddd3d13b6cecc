package worker

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// stragglers is how long the output may stay open after the agent has ended
// and its process group was killed. As PID 1 nothing survives to hold it.
const stragglers = 2 * time.Second

// pipes are the agent's three streams.
type pipes struct {
	in, out, err [2]*os.File // read end, write end
	stdin        []byte
	errors       tail
	wg           sync.WaitGroup
}

func openPipes(stdin []byte) (*pipes, error) {
	p := &pipes{stdin: stdin}
	for _, pair := range []*[2]*os.File{&p.in, &p.out, &p.err} {
		r, w, err := os.Pipe()
		if err != nil {
			p.close()
			return nil, fault.Wrap(fault.Internal, "open the agent's streams", err)
		}
		*pair = [2]*os.File{r, w}
	}
	return p, nil
}

// theirs returns the ends that the agent gets.
func (p *pipes) theirs() [3]*os.File { return [3]*os.File{p.in[0], p.out[1], p.err[1]} }

// started closes the agent's ends here and copies: the prompt in, the output to
// feed, the end of standard error to errors.
func (p *pipes) started(feed func([]byte)) {
	for _, f := range p.theirs() {
		f.Close()
	}
	p.wg.Go(func() {
		_, _ = p.in[1].Write(p.stdin) // an agent may end without reading it
		p.in[1].Close()
	})
	p.wg.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := p.out[0].Read(buf)
			feed(buf[:n])
			if err != nil {
				return
			}
		}
	})
	p.wg.Go(func() { _, _ = io.Copy(&p.errors, p.err[0]) })
}

// finish waits until everything is read. Unless nothing can hold the streams
// open any more it waits for stragglers only so long.
func (p *pipes) finish(alone bool) {
	p.in[1].Close()
	if !alone {
		deadline := time.Now().Add(stragglers)
		_ = p.out[0].SetReadDeadline(deadline)
		_ = p.err[0].SetReadDeadline(deadline)
	}
	p.wg.Wait()
}

func (p *pipes) close() {
	for _, pair := range [][2]*os.File{p.in, p.out, p.err} {
		for _, f := range pair {
			if f != nil {
				f.Close()
			}
		}
	}
}

// tail keeps the last bytes written to it, as text.
type tail struct{ data []byte }

const tailBytes = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if extra := len(t.data) - tailBytes; extra > 0 {
		t.data = append(t.data[:0], t.data[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.data), "\uFFFD") }
