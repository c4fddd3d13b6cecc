package daemon_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/api/openapi"
	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/daemon"
	"github.com/vexa-ai/vexa/pkg/dispatch"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/stream"
	"github.com/vexa-ai/vexa/pkg/stream/streamtest"
	"github.com/vexa-ai/vexa/pkg/toolbox"
	"github.com/vexa-ai/vexa/pkg/transcript"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
	"github.com/vexa-ai/vexa/runners"
)

const (
	unit = "01K0000000000000000000TN1T"
	held = "fa5e0000-0000-4000-8000-000000000001" // its session
)

// fixture is a daemon over one dispatch that has ended.
type fixture struct {
	server  *daemon.Server
	streams stream.Sized
	root    string
	opened  atomic.Int32
	options daemon.Options
	change  func(*dispatch.Options) // of the engines to come, where it is set

	checking sync.Once
	checker  *openapi.Checker // of answers
	answers  sync.Mutex
}

func newFixture(t *testing.T, locked bool) *fixture {
	t.Helper()
	root := t.TempDir()
	env := map[string]string{"VEXA_HOME": root, "XDG_RUNTIME_DIR": t.TempDir(), "VEXA_PLAINTEXT_DIR": t.TempDir()}
	h, err := home.Open(func(k string) string { return env[k] }, os.Getuid())
	must(t, err)
	catalog, err := runner.Load(runners.FS)
	must(t, err)
	f := &fixture{streams: streamtest.NewMemory(), root: root}
	log := slog.New(slog.DiscardHandler)
	kernel := daemon.NewKernel(t.Context(), daemon.KernelOptions{
		Command: nil, Log: log,
		PID: func(context.Context) (int, error) { return os.Getpid(), nil },
	})
	tools, err := toolbox.Shipped()
	must(t, err)
	f.options = daemon.Options{
		Home: h, Version: "1.2.3", PID: 4711, Now: time.Now, Log: log, Kernel: kernel, Runners: catalog, Tools: tools,
		Caller: dispatch.Caller{Subject: "u_jane", Launcher: "user:jane", Trigger: unitv1.TriggerMessage},
		Open: func(ctx context.Context, identity string) (*daemon.Engine, error) {
			if locked && identity == "" {
				return nil, fault.New(fault.Locked, "the identity has a passphrase", "vexa unlock")
			}
			f.opened.Add(1)
			return f.engine(ctx, t, h, log)
		},
	}
	f.server = daemon.New(t.Context(), f.options)
	return f
}

func (f *fixture) engine(ctx context.Context, t *testing.T, h home.Home, log *slog.Logger) (*daemon.Engine, error) {
	t.Helper()
	records, err := journal.Open(journal.Options{
		Dir: filepath.Join(h.State, "d"), Checkpoint: filepath.Join(h.State, "c"), Key: make([]byte, 32), Name: "d",
	})
	if err != nil {
		return nil, err
	}
	if records.Last() == 0 {
		for _, r := range []string{
			`{"type":"accepted","at":"2026-11-23T10:00:00Z","unit":"` + unit + `","accepted":{"unit":{"id":"` + unit +
				`","identity":{"subject":"u_jane","launcher":"user:jane"},"runner":"vexa","workspaces":[],"trigger":"message","start":{}},"session":"` + held + `","names":{}}}`,
			`{"type":"ended","at":"2026-11-23T10:01:00Z","unit":"` + unit + `","stopReason":"completed"}`,
		} {
			if _, err := records.Append(ctx, []byte(r)); err != nil {
				return nil, err
			}
		}
	}
	o := dispatch.Options{
		Home: h, Records: records, Streams: f.streams, Runtime: noRuntime{}, Now: time.Now, Log: log,
		Sessions: noSessions{}, Workspaces: noWorkspaces{},
	}
	if f.change != nil {
		f.change(&o)
	}
	m, err := dispatch.New(ctx, o)
	recording := transcript.ConfigFile{Dir: h.Config}
	return &daemon.Engine{
		Dispatch: m, Streams: f.streams, Sessions: session.New(session.Options{Store: nothingKept{}, Now: time.Now}), Close: records.Close, Recording: recording, Audit: audit.Open(records, time.Now),
		Transcripts: transcript.Open(transcript.Options{Streams: f.streams, Setting: recording, Now: time.Now}),
	}, err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) ask(t *testing.T, method, path, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://vexa"+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(w, r)
	f.described(t, r.Pattern, w)
	return w
}

// described fails unless the answer is as the description of the API has it.
func (f *fixture) described(t *testing.T, pattern string, w *httptest.ResponseRecorder) {
	t.Helper()
	if pattern == "" || pattern == "/" {
		return // no route of the API
	}
	f.checking.Do(func() {
		var err error
		f.checker, err = openapi.Check(description, describe(t), contractFiles(t))
		must(t, err)
	})
	f.answers.Lock() // it compiles what it needs
	defer f.answers.Unlock()
	if err := f.checker.Answer(pattern, w.Code, w.Header().Get("Content-Type"), w.Body.Bytes()); err != nil {
		t.Errorf("the description is another: %v", err)
	}
}

func TestLockedRefusesEverythingButStatusAndUnlock(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	for _, path := range []string{"/v1/dispatches", "/v1/dispatches/x", "/v1/dispatches/x/frames", "/v1/dispatches/x/inference", "/v1/recording", "/v1/workspaces", "/v1/models", "/v1/sessions"} {
		w := f.ask(t, http.MethodGet, path, "")
		var e api.Error
		must(t, json.Unmarshal(w.Body.Bytes(), &e))
		if w.Code != http.StatusLocked || e.Code != string(fault.Locked) || e.Hint == "" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	var st api.Status
	must(t, json.Unmarshal(f.ask(t, http.MethodGet, "/v1/status", "").Body.Bytes(), &st))
	if !st.Locked || st.PID != 4711 || st.Version != "1.2.3" || st.RuntimePID == 0 || st.Home != f.root {
		t.Errorf("status %+v", st)
	}
	if w := f.ask(t, http.MethodPost, "/v1/unlock", `{"identity":"secret"}`); w.Code != http.StatusNoContent {
		t.Fatalf("unlock: %d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodPost, "/v1/unlock", `{"identity":"secret"}`); w.Code != http.StatusNoContent || f.opened.Load() != 1 {
		t.Errorf("a second unlock: %d, opened %d times", w.Code, f.opened.Load())
	}
	if w := f.ask(t, http.MethodGet, "/v1/dispatches?all=1", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), unit) {
		t.Errorf("unlocked: %d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodGet, "/v1/dispatches?all=1&session=of-another-conversation", ""); w.Code != http.StatusOK || strings.Contains(w.Body.String(), unit) {
		t.Errorf("of another session: %d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodPost, "/v1/lock", ""); w.Code != http.StatusNoContent {
		t.Fatalf("lock: %d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodGet, "/v1/dispatches", ""); w.Code != http.StatusLocked {
		t.Errorf("locked again: %d", w.Code)
	}
}

func TestTools(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	if w := f.ask(t, http.MethodGet, "/v1/tools", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"name":"vexa.echo"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodGet, "/v1/tools/vexa.echo", ""); w.Code != http.StatusOK || contract.Validate("tool.v1#Tool", w.Body.Bytes()) != nil {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodGet, "/v1/tools/neverwas", ""); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "vexa.echo") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestUnlockedForATime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, true)
	asked := time.Now()
	if w := f.ask(t, http.MethodPost, "/v1/unlock", `{"identity":"secret","timeoutSec":1}`); w.Code != http.StatusNoContent {
		t.Fatalf("unlock: %d %s", w.Code, w.Body)
	}
	if w := f.ask(t, http.MethodGet, "/v1/dispatches", ""); w.Code != http.StatusOK && time.Since(asked) < time.Second {
		t.Fatalf("unlocked: %d", w.Code)
	}
	for deadline := time.Now().Add(10 * time.Second); f.ask(t, http.MethodGet, "/v1/dispatches", "").Code != http.StatusLocked; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it was not locked again")
		}
	}
}

func TestBrowsersAndStrangersAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	for _, h := range [][]string{{"Origin", "http://evil.example"}, {"Referer", "http://evil.example/"}} {
		if w := f.ask(t, http.MethodGet, "/v1/status", "", h...); w.Code != http.StatusForbidden {
			t.Errorf("%v: %d", h, w.Code)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/v1/status", http.NoBody)
	w := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("another host: %d", w.Code)
	}
}

func TestRequestsThatDoNotFit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	must(t, f.server.Unlock(t.Context(), ""))
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, "/v1/nothing", "", http.StatusNotFound},
		{http.MethodPost, "/v1/dispatches", `{"txet":"hi"}`, http.StatusBadRequest},
		{http.MethodPost, "/v1/dispatches", `{"text":`, http.StatusBadRequest},
		{http.MethodGet, "/v1/dispatches/ZZZ", "", http.StatusNotFound},
		{http.MethodGet, "/v1/dispatches/" + unit + "/frames?from=nonsense", "", http.StatusBadRequest},
		{http.MethodGet, "/v1/runners/nope", "", http.StatusNotFound},
		{http.MethodGet, "/v1/dispatches/ZZZ/inference", "", http.StatusNotFound},
		{http.MethodPut, "/v1/recording", "", http.StatusBadRequest},
		{http.MethodPut, "/v1/recording", `{}`, http.StatusBadRequest},
		{http.MethodPut, "/v1/recording", `{"inference":"on"}`, http.StatusBadRequest},
	} {
		w := f.ask(t, c.method, c.path, c.body)
		var e api.Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != c.status || e.Message == "" {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, w.Code, w.Body, c.status)
		}
	}
}

// events reads the ids and data of a server-sent event stream.
func events(body io.Reader) (ids, data []string) {
	for sc := bufio.NewScanner(body); sc.Scan(); {
		if id, ok := strings.CutPrefix(sc.Text(), "id: "); ok {
			ids = append(ids, id)
		}
		if d, ok := strings.CutPrefix(sc.Text(), "data: "); ok {
			data = append(data, d)
		}
	}
	return ids, data
}

func TestFramesResumeWithoutGapOrRepeat(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	must(t, f.server.Unlock(t.Context(), ""))
	const n = 700 // more than a page
	for i := range n {
		_, err := f.streams.Append(t.Context(), dispatch.OutTopic(unit), fmt.Appendf(nil, `{"seq":%d}`, i+1))
		must(t, err)
	}
	for _, query := range []string{"", "?follow=1"} {
		ids, data := events(f.ask(t, http.MethodGet, "/v1/dispatches/"+unit+"/frames"+query, "").Body)
		if len(data) != n || data[0] != `{"seq":1}` || data[n-1] != fmt.Sprintf(`{"seq":%d}`, n) {
			t.Fatalf("%s: %d frames", query, len(data))
		}
		_, rest := events(f.ask(t, http.MethodGet, "/v1/dispatches/"+strings.ToLower(unit[:20])+"/frames"+query, "", "Last-Event-ID", ids[299]).Body)
		if len(rest) != n-300 || rest[0] != `{"seq":301}` {
			t.Fatalf("%s: resumed with %d frames, first %s", query, len(rest), rest[0])
		}
	}
}
