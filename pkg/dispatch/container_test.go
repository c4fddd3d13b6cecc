package dispatch_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/link"
	"github.com/vexa-ai/vexa/pkg/runtime/runtimetest"
	"github.com/vexa-ai/vexa/pkg/worker"
)

// container is what runs in place of a container: the worker, with the host's
// paths for the container's.
func (s *stack) container(p *runtimetest.Process) {
	at := map[string]string{}
	for _, m := range p.Container.Mounts {
		at[m.Target] = m.Source
	}
	run := at["/.vexa/run"]
	code, err := func() (int, error) {
		scratch, err := os.MkdirTemp("", "vx")
		if err != nil {
			return 1, err
		}
		defer os.RemoveAll(scratch) //nolint:errcheck // temporary
		data, err := os.ReadFile(filepath.Join(run, "dispatch.json"))
		if err != nil {
			return 1, err
		}
		var launch runnerv2.Launch
		if err := json.Unmarshal(data, &launch); err != nil {
			return 1, err
		}
		launch.TokenFile = filepath.Join(run, "token")
		if launch.Listen, err = freeAddress(); err != nil {
			return 1, err
		}
		if data, err = json.Marshal(launch); err != nil {
			return 1, err
		}
		file := filepath.Join(scratch, "dispatch.json")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return 1, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		wire := &wire{dial: link.UnixDialer(filepath.Join(run, "broker.sock"))}
		go func() {
			select {
			case <-p.Term:
			case <-p.Killed:
				wire.cut() // nothing of a killed process is heard again
			case <-ctx.Done():
			}
			cancel()
		}()
		done := make(chan struct{})
		var code int
		go func() {
			defer close(done)
			code, err = worker.Run(ctx, worker.Options{
				LaunchFile: file, Dial: wire.open, Workdir: at["/workspace"],
				Home: scratch, Scratch: scratch, State: at["/.vexa/session"], Log: s.log, MaxBackoff: 20 * time.Millisecond,
			})
		}()
		select {
		case <-done:
			return code, err
		case <-p.Killed:
			return 137, errors.New("killed")
		}
	}()
	if err != nil {
		s.log.Info("worker ended", "code", code, "error", err)
	}
	p.Exit(code, false)
}

// speaker returns a container whose agent speaks on the broker's socket itself:
// it takes its first turn, says what say says, and ends when it is told to.
func (s *stack) speaker(say func(conn *link.Conn, turn string) error) func(*runtimetest.Process) {
	return func(p *runtimetest.Process) {
		if err := s.speak(p, say); err != nil {
			s.t.Error(err)
		}
		<-p.Term
		p.Exit(143, false)
	}
}

func (s *stack) speak(p *runtimetest.Process, say func(conn *link.Conn, turn string) error) error {
	var run string
	for _, m := range p.Container.Mounts {
		if m.Target == "/.vexa/run" {
			run = m.Source
		}
	}
	token, err := os.ReadFile(filepath.Join(run, "token"))
	if err != nil {
		return err
	}
	conn, err := link.Dial(context.Background(), link.UnixDialer(filepath.Join(run, "broker.sock")), string(token))
	if err != nil {
		return err
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.Send(wsv2.Report{Type: wsv2.ReportHello}); err != nil {
		return err
	}
	var turn wsv2.Input
	for turn.Type != wsv2.InputTurn {
		if err := conn.Receive(&turn); err != nil {
			return err
		}
	}
	return say(conn, turn.Turn)
}

// forge reports a commit that the host never made.
func forge(conn *link.Conn, turn string) error {
	forged := `{"type":"commit","workspace":"w","sha":"` + strings.Repeat("0", 40) + `","branch":"main","merged":true,"files":1}`
	return conn.Send(wsv2.Report{Type: wsv2.ReportFrame, AgentSeq: 1, Turn: turn, Frame: json.RawMessage(forged)})
}

// flood reports more than the broker takes, again and again.
func flood(conn *link.Conn, turn string) error {
	frame, err := json.Marshal(map[string]string{"type": "message", "text": strings.Repeat("x", 9<<20)})
	if err != nil {
		return err
	}
	report := wsv2.Report{Type: wsv2.ReportFrame, AgentSeq: 1, Turn: turn, Frame: frame}
	for range 3 {
		_ = conn.Send(report) // the broker hangs up in its middle
	}
	return nil
}

// started says so, as the scripts of these tests do.
func started(conn *link.Conn, turn string) error {
	return conn.Send(wsv2.Report{
		Type: wsv2.ReportFrame, AgentSeq: 1, Turn: turn, Frame: json.RawMessage(`{"type":"message-delta","text":"started"}`),
	})
}

// cutOff says that the turn was interrupted.
func cutOff(conn *link.Conn, turn string) error {
	return conn.Send(wsv2.Report{
		Type: wsv2.ReportTurnEnd, AgentSeq: 1, Turn: turn, End: &wsv2.TurnEnd{Outcome: wsv2.OutcomeInterrupted, ExitCode: 130},
	})
}

// hurry says that the turn is complete and the idle time over, and once the
// first is stored ends by itself.
func (s *stack) hurry(p *runtimetest.Process) {
	err := s.speak(p, func(conn *link.Conn, turn string) error {
		end := wsv2.Report{Type: wsv2.ReportTurnEnd, AgentSeq: 1, Turn: turn, End: &wsv2.TurnEnd{Outcome: wsv2.OutcomeCompleted}}
		if err := errors.Join(conn.Send(end), conn.Send(wsv2.Report{Type: wsv2.ReportIdle})); err != nil {
			return err
		}
		var in wsv2.Input
		for in.AgentSeq < end.AgentSeq {
			if err := conn.Receive(&in); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
	p.Exit(0, false)
}

// ports counts up from a random place, so that no two containers of the tests
// share an address: each real one has a loopback of its own.
var ports atomic.Uint32

func freeAddress() (string, error) {
	if ports.Load() == 0 {
		var b [2]byte
		if _, err := rand.Read(b[:]); err != nil {
			return "", err
		}
		ports.CompareAndSwap(0, 10000+uint32(binary.BigEndian.Uint16(b[:]))%20000)
	}
	return fmt.Sprintf("127.0.0.1:%d", ports.Add(1)), nil
}

// wire is a worker's way out, which can be cut.
type wire struct {
	dial  link.Dialer
	mu    sync.Mutex
	conns []net.Conn
	dead  bool
}

func (w *wire) open(ctx context.Context) (net.Conn, error) {
	conn, err := w.dial(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && w.dead {
		err = errors.Join(errors.New("killed"), conn.Close())
	}
	if err == nil {
		w.conns = append(w.conns, conn)
	}
	return conn, err
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
	for _, c := range w.conns {
		_ = c.Close()
	}
}
