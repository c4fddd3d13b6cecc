package gitref_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/gitref"
)

func TestConformanceHTTP(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) (first, second blob.Store) {
		t.Helper()
		f := newForge(t)
		return eager{store(t, f.url(""), strict(t))}, eager{store(t, f.url(""), strict(t))}
	}, blobtest.HoldsInMemory)
}

// TestConformanceOneCache is about two processes of a machine.
func TestConformanceOneCache(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t *testing.T) (first, second blob.Store) {
		t.Helper()
		url, opt := "file://"+remote(t), strict(t)
		return eager{store(t, url, opt)}, eager{store(t, url, opt)}
	}, blobtest.HoldsInMemory) // which TestConformance measures, by itself
}

// TestRoundTrips counts what each call asks of the remote.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := newForge(t)
	s, other := store(t, f.url(""), options(t)), store(t, f.url(""), options(t))
	const fetch, push = "git-upload-pack", "git-receive-pack"
	expect := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, r := range f.requests() {
			if strings.HasPrefix(r, "GET ") { // one connection each
				_, service, _ := strings.Cut(r, "service=")
				got = append(got, service)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s asked for %q, want %q", what, got, want)
		}
	}
	create := func(s *gitref.Store, name string) {
		t.Helper()
		if err := s.Create(ctx, name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	look := func(s *gitref.Store, name string, there bool) {
		t.Helper()
		if _, err := s.Stat(ctx, name); (err == nil) != there {
			t.Fatal(err)
		}
		if _, err := blob.ReadAll(ctx, s, name, 100); (err == nil) != there {
			t.Fatal(err)
		}
	}
	list := func(s *gitref.Store) {
		t.Helper()
		if err := s.List(ctx, "", "", func(blob.Info) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	create(s, "m/1")
	expect("the first Create", fetch, push)
	stageBlob(t, s, "o/1", []byte("x"))
	create(s, "m/2")
	expect("another Create", push)
	look(s, "m/1", true)
	look(s, "o/1", true)
	expect("reading what is known")
	list(s)
	expect("List", fetch)
	look(s, "m/3", false)
	expect("looking for what is not there", fetch, fetch)
	look(other, "m/1", true)
	expect("the first reads", fetch)
	create(other, "m/3")
	expect("a Create elsewhere", push)
	look(s, "m/3", true)
	expect("reading what another created", fetch)
	create(other, "m/4")
	f.requests()
	create(s, "m/5")
	expect("a Create that is behind", push, fetch, push)
	if err := s.Create(ctx, "m/4", []byte("other")); !errors.Is(err, blob.ErrExist) {
		t.Fatal(err)
	}
	expect("a Create of what is there", fetch)
	if err := s.Remove(ctx, "m/1", "m/2"); err != nil {
		t.Fatal(err)
	}
	expect("Remove", push)
	if err := s.Replace(ctx, "hint", []byte("x")); err != nil {
		t.Fatal(err)
	}
	expect("Replace")
	create(s, "m/6")
	expect("Create with it", push)
	look(other, "hint", true)
	expect("reading it", fetch)
}

// as returns options of a person with a configuration of git.
func as(t *testing.T, config string) gitref.Options {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gitconfig")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	opt := options(t)
	opt.Env = append(opt.Env, "GIT_CONFIG_GLOBAL="+path)
	return opt
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := newForge(t)
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		if user, word, ok := r.BasicAuth(); ok && user == "jane" && word == "se:cret/" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="forge"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}, nil)
	ask := filepath.Join(t.TempDir(), "ask")
	if err := os.WriteFile(ask, []byte("#!/bin/sh\ncase $1 in User*) echo jane;; *) echo se:cret/;; esac\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	helper := as(t, "[credential]\n\thelper = \"!f() { test $1 = get && echo username=jane && echo password=se:cret/; }; f\"\n")
	asked := options(t)
	asked.Env = append(asked.Env, "GIT_ASKPASS="+ask)
	for name, s := range map[string]*gitref.Store{
		"helper": store(t, f.url(""), helper), "askpass": store(t, f.url(""), asked), "url": store(t, f.url("jane:se%3Acret%2F"), options(t)),
	} {
		if err := s.Probe(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Create(ctx, "m/"+name, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(s.URL(), "jane") || strings.Contains(s.URL(), "cret") {
			t.Errorf("%s: %s", name, s.URL())
		}
	}
	for name, s := range map[string]*gitref.Store{
		"nobody": store(t, f.url(""), options(t)), "somebody": store(t, f.url("jane:wr%3Aong-secret"), options(t)),
	} {
		for what, err := range map[string]error{
			"create": s.Create(ctx, "x", nil), "probe": s.Probe(ctx), "list": s.List(ctx, "", "", func(blob.Info) error { return nil }),
		} {
			if !errors.Is(err, blob.ErrDenied) || !fault.Is(err, fault.Denied) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), s.URL()) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if text := fmt.Sprint(err, fault.HintOf(err)); strings.Contains(text, "jane") || strings.Contains(text, "ong-secret") {
				t.Errorf("%s, %s: %s", name, what, text)
			}
		}
	}
}

// TestSSH: whatever the person has for ssh is what git uses.
func TestSSH(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := remote(t)
	ssh := filepath.Join(t.TempDir(), "ssh")
	// What an ssh server would do with the command, for one user.
	script := "#!/bin/sh\nif [ \"$GIT_SSH_VARIANT\" != simple ] || [ \"$1\" != git@host ]; then echo 'git@host: Permission denied (publickey).' >&2; exit 255; fi\nexec sh -c \"$2\"\n"
	if err := os.WriteFile(ssh, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	opt := options(t)
	opt.Env = append(opt.Env, "GIT_SSH_COMMAND="+ssh, "GIT_SSH_VARIANT=simple")
	for _, url := range []string{"git@host:" + dir, "ssh://git@host" + dir} {
		o := opt
		o.Cache = filepath.Join(t.TempDir(), "cache")
		s := store(t, url, o)
		if err := errors.Join(s.Probe(ctx), s.Create(ctx, "m/"+strings.ReplaceAll(url[:3], "@", ""), nil)); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		again := store(t, s.URL(), o) // the URL is what a registry keeps
		if got, err := again.Stat(ctx, "m/"+strings.ReplaceAll(url[:3], "@", "")); err != nil || got.Size != 0 {
			t.Errorf("%s: %+v, %v", s.URL(), got, err)
		}
	}
	for url, trouble := range map[string]error{"nobody@host:" + dir: blob.ErrDenied, "git@host:" + dir + "x": nil} {
		o := opt
		o.Cache = filepath.Join(t.TempDir(), "cache")
		err := store(t, url, o).Create(ctx, "m/1", nil)
		if trouble != nil && (!errors.Is(err, trouble) || !fault.Is(err, fault.Denied)) || trouble == nil && !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", url, err)
		}
	}
	o := opt
	o.Env, o.Cache = append(o.Env, "GIT_SSH_COMMAND=echo 'ssh: Could not resolve hostname host: Name or service not known' >&2; false #"), filepath.Join(t.TempDir(), "cache")
	if err := store(t, "git@host:"+dir, o).Create(ctx, "m/1", nil); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("no such host: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := newForge(t)
	status := func(code int, only string) {
		f.on(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.RequestURI(), only) {
				return false
			}
			w.WriteHeader(code)
			return true
		}, nil)
	}
	for _, c := range []struct {
		code  int
		only  string
		kind  fault.Kind
		is    error
		reads bool // whether reading goes on
	}{
		{http.StatusForbidden, "receive-pack", fault.Denied, blob.ErrDenied, true},
		{http.StatusForbidden, "", fault.Denied, blob.ErrDenied, false},
		{http.StatusNotFound, "", fault.NotFound, nil, false},
		{http.StatusInternalServerError, "", fault.Failed, blob.ErrUnavailable, false},
		{http.StatusBadGateway, "receive-pack", fault.Failed, blob.ErrUnavailable, true},
		{http.StatusServiceUnavailable, "upload-pack", fault.Failed, blob.ErrUnavailable, false},
		{http.StatusTooManyRequests, "", fault.Failed, blob.ErrUnavailable, false},
	} {
		status(c.code, c.only)
		s := store(t, f.url(""), options(t))
		create := s.Create(ctx, "x", nil)
		if !fault.Is(create, c.kind) || c.is != nil && !errors.Is(create, c.is) || fault.HintOf(create) == "" || !strings.Contains(create.Error(), s.URL()) {
			t.Errorf("%d %s: create: %v", c.code, c.only, create)
		}
		list := s.List(ctx, "", "", func(blob.Info) error { return nil })
		if c.reads && list != nil || !c.reads && (!fault.Is(list, c.kind) || errors.Is(list, blob.ErrNotExist)) {
			t.Errorf("%d %s: list: %v", c.code, c.only, list)
		}
		if _, err := s.Stat(ctx, "x"); c.reads != errors.Is(err, blob.ErrNotExist) {
			t.Errorf("%d %s: stat: %v", c.code, c.only, err)
		}
	}
	down := store(t, f.url(""), options(t))
	f.on(nil, nil)
	f.Close()
	if err := down.Create(ctx, "x", nil); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("down: %v", err)
	}
}

// TestLostAnswer: what the remote took and did not say is not taken for lost.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := newForge(t)
	s, other := store(t, f.url(""), options(t)), store(t, f.url(""), options(t))
	var lose atomic.Int32
	f.on(nil, func(w http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) bool {
		if !isPush(r) || lose.Add(-1) < 0 {
			return false
		}
		if lose.Load() == 100 { // and another goes on from there
			lose.Store(0)
			if err := other.Create(ctx, "m/other", nil); err != nil {
				t.Error(err)
			}
			if err := other.Remove(ctx, "m/third"); err != nil {
				t.Error(err)
			}
		}
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	for name, n := range map[string]int32{"m/first": 1, "m/second": 1} {
		stageBlob(t, s, "o/"+name, []byte("x"))
		lose.Store(n)
		if err := s.Create(ctx, name, []byte("x")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := other.Stat(ctx, "o/"+name); err != nil {
			t.Error(err)
		}
	}
	// It was there, and is no more: it was created all the same.
	lose.Store(101)
	if err := s.Create(ctx, "m/third", []byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := s.Stat(ctx, "m/third"); !errors.Is(err, blob.ErrNotExist) {
		t.Errorf("made again: %v", err)
	}
	if got := plainGit(t, f.dir, "rev-list", "--count", "refs/heads/vexa-bucket"); got != "5" {
		t.Errorf("%s commits", got)
	}
	lose.Store(1)
	if err := s.Remove(ctx, "m/first"); err != nil {
		t.Error(err)
	}
	lose.Store(1)
	if err := s.Squash(ctx); err != nil {
		t.Error(err)
	}
	if got := plainGit(t, f.dir, "rev-list", "--count", "refs/heads/vexa-bucket"); got != "1" {
		t.Errorf("%s commits", got)
	}
}

// TestPassingTrouble: a push that failed once is made again.
func TestPassingTrouble(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	s := store(t, f.url(""), options(t))
	var fail atomic.Int32
	f.on(func(w http.ResponseWriter, r *http.Request) bool {
		if !isPush(r) || fail.Add(-1) < 0 {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}, nil)
	for fails, ok := range map[int32]bool{0: true, 2: true, 3: false} {
		fail.Store(fails)
		if err := s.Create(t.Context(), fmt.Sprintf("m/%d", fails), nil); (err == nil) != ok || !ok && !errors.Is(err, blob.ErrUnavailable) {
			t.Errorf("after %d failures: %v", fails, err)
		}
	}
}

// TestSlow: whatever is under way ends with its context, and nothing is broken.
func TestSlow(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	s := store(t, f.url(""), options(t))
	if err := s.Create(t.Context(), "m/1", nil); err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	var slow atomic.Value
	slow.Store("")
	f.on(func(_ http.ResponseWriter, r *http.Request) bool {
		if word := slow.Load().(string); word != "" && strings.Contains(r.URL.RequestURI(), word) {
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
		return false
	}, nil)
	for _, word := range []string{"service=git-upload-pack", "service=git-receive-pack", "/git-receive-pack", "/git-upload-pack"} {
		slow.Store(word)
		for what, call := range map[string]func(context.Context) error{
			"create": func(ctx context.Context) error { return s.Create(ctx, "m/2", []byte("x")) },
			"list":   func(ctx context.Context) error { return s.List(ctx, "", "", func(blob.Info) error { return nil }) },
			"squash": s.Squash,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			start := time.Now()
			err := call(ctx)
			cancel()
			if err != nil && (!errors.Is(err, context.DeadlineExceeded) || !fault.Is(err, fault.Timeout)) || time.Since(start) > 20*time.Second {
				t.Errorf("%s while %s is slow: %v after %v", what, word, err, time.Since(start))
			}
		}
		slow.Store("")
		if err := s.Create(t.Context(), "m/2", []byte("x")); err != nil {
			t.Errorf("after %s: %v", word, err)
		}
	}
	close(gate)
	plainGit(t, f.dir, "fsck", "--strict")
}
