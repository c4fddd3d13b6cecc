package worker_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/worker"
)

// Nothing of the worker's own environment reaches the agent.
func TestEnvironment(t *testing.T) {
	t.Setenv("VEXA_TEST_SECRET", "s3cret")
	h := newHost(t)
	m := shell()
	m.Env = map[string]string{"QUIET": "1"}
	m.Inference = &runnerv2.Inference{Protocols: []string{"openai-chat"}, Env: map[string]string{"URL": "{{baseUrl}}", "KEY": "{{token}}", "MODEL": "{{model}}"}}
	launch := launchOf(m)
	launch.Model, launch.Protocol = "m-1", "openai-chat"
	start(t, options(t, h, launch))
	h.turn("t1", "unset PWD OLDPWD SHLVL _; export -p")
	reply := h.end("t1").Reply
	for _, want := range []string{"URL='http://127.0.0.1:8787/v1'", "KEY='" + token + "'", "MODEL='m-1'", "QUIET='1'", "TERM='dumb'", "LANG='C.UTF-8'", "HOME='" + h.dir} {
		if !contains(reply, want) {
			t.Errorf("%s is missing in\n%s", want, reply)
		}
	}
	if contains(reply, "s3cret") {
		t.Errorf("the worker's environment leaks:\n%s", reply)
	}
}

func TestResumeFollowsTheFiles(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	m := shell()
	m.Argv.New = []string{"/bin/sh", "-c", "echo new; [ ! -e save ] || echo x > $STATE/{{session}}.log"}
	m.Argv.Resume = []string{"/bin/sh", "-c", "echo resumed {{session}}"}
	m.Session = runnerv2.Session{ID: "assigned", StateEnv: "STATE", Capsule: []string{"{{session}}.log"}}
	launch := launchOf(m)
	launch.Session.Resume = true
	start(t, options(t, h, launch))
	h.turn("t1", "x")
	if end := h.end("t1"); end.Reply != "new\n" {
		t.Errorf("without its files the conversation was %q", end.Reply)
	}
	if e, ok := h.bodies("t1")[0].(wsv2.Error); !ok || !contains(e.Message, "does not remember") {
		t.Errorf("nobody was told: %v", h.bodies("t1")[0])
	}
	if err := os.WriteFile(filepath.Join(h.dir, "work", "save"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.turn("t2", "x")
	h.end("t2")
	h.turn("t3", "x")
	if end := h.end("t3"); end.Reply != "resumed "+launch.Session.ID+"\n" {
		t.Errorf("with its files the conversation was %q", end.Reply)
	}
}

func TestPromptFile(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	m := shell()
	m.Prompt, m.Argv.New = "file", []string{"cat", "{{promptFile}}"}
	start(t, options(t, h, launchOf(m)))
	h.turn("t1", "-n what\nis said")
	if end := h.end("t1"); end.Reply != "-n what\nis said" {
		t.Errorf("reply %q", end.Reply)
	}
}

// The forwarder passes bytes both ways, and the end of one way by itself.
func TestForwarder(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := options(t, h, launchOf(shell()))
	address := make(chan string, 1)
	o.Listen = func(context.Context, string) (net.Listener, error) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			address <- ln.Addr().String()
		}
		return ln, err
	}
	w := start(t, o)
	conn, err := net.Dial("tcp", <-address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST /echo HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !contains(string(answer), "echo hello") {
		t.Errorf("answer %q, %v", answer, err)
	}
	idle, err := net.Dial("tcp", conn.RemoteAddr().String()) // stays open: it must not keep the worker
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	w.end()
	w.exit(worker.ExitOK)
}

func TestListenFails(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := options(t, h, launchOf(shell()))
	o.Listen = func(context.Context, string) (net.Listener, error) { return nil, errors.New("taken") }
	start(t, o).exit(worker.ExitInternal)
}
