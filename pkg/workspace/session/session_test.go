package session_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/session"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
	"github.com/vexa-ai/vexa/pkg/workspace/workspacetest"
)

var ctx = context.Background()

type world struct {
	*session.Store
	ws    *workspace.Store
	root  string
	id    *seal.Identity
	clock atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	g, err := git.New(ctx, git.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{root: filepath.Join(t.TempDir(), "workspaces")}
	w.clock.Store(1_700_000_000_000)
	now := func() time.Time { return time.UnixMilli(w.clock.Add(7)) }
	var n atomic.Int64
	buckets := workspacetest.New(t, w.root+"-at-rest")
	w.ws, err = workspace.Open(workspace.Options{Root: w.root, Repos: w.root + "-open", Buckets: buckets, Sealer: buckets, Git: g, Now: now, NewID: func() string { return fmt.Sprintf("01ws%020d", n.Add(1)) }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ws.Create(ctx, workspace.CreateRequest{Name: "personal", Author: workspace.Author{Subject: "u_jane"}}); err != nil {
		t.Fatal(err)
	}
	if w.id, err = seal.NewIdentity(); err != nil {
		t.Fatal(err)
	}
	w.Store = session.New(session.Options{Store: w.ws, Sealer: w.id, Now: now})
	return w
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		data, err := os.ReadFile(path)
		info, _ := d.Info()
		out = append(out, fmt.Sprintf("%s %o %s", rel, info.Mode().Perm(), data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

func save(t *testing.T, w *world, dir, id string) {
	t.Helper()
	err := w.Save(ctx, session.SaveRequest{
		Subject: "u_jane", Session: id, Unit: "01UNIT", Runner: "claude", Ref: "vendor-1", Model: "m",
		Workspaces: []string{"01ws"}, Dir: dir, Globs: []string{"projects/**/*.jsonl", "settings.json"},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	write(t, dir, "projects/-workspace/a.jsonl", "one\n")
	write(t, dir, "projects/-workspace/deep/é.jsonl", "two\n")
	write(t, dir, "settings.json", "{}")
	write(t, dir, "credentials.json", "never")
	if err := os.Chmod(filepath.Join(dir, "settings.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	save(t, w, dir, "s-1")
	into := filepath.Join(t.TempDir(), "restored")
	meta, err := w.Load(ctx, "u_jane", "s-1", into)
	if err != nil {
		t.Fatal(err)
	}
	want := "projects/-workspace/a.jsonl 644 one\n\nprojects/-workspace/deep/é.jsonl 644 two\n\nsettings.json 755 {}"
	if got := listing(t, into); got != want {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
	if meta.Runner != "claude" || meta.Ref != "vendor-1" || meta.Unit != "01UNIT" || meta.Files != 3 || meta.Bytes != 10 || len(meta.Workspaces) != 1 || meta.Model != "m" {
		t.Errorf("meta %+v", meta)
	}
	if _, err := w.Load(ctx, "u_jane", "s-1", into); !fault.Is(err, fault.Conflict) {
		t.Errorf("restored over another session: %v", err)
	}
	if _, err := w.Load(ctx, "u_bob", "s-1", filepath.Join(t.TempDir(), "x")); !fault.Is(err, fault.NotFound) {
		t.Errorf("another subject's session: %v", err)
	}
}

func TestLatestAndList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.Latest(ctx, "u_jane"); !fault.Is(err, fault.NotFound) {
		t.Fatalf("latest of nothing: %v", err)
	}
	dir := t.TempDir()
	for _, id := range []string{"s-1", "s-2", "s-3", "s-1"} { // within one second
		save(t, w, dir, id)
	}
	meta, err := w.Latest(ctx, "u_jane")
	if err != nil || meta.Session != "s-1" {
		t.Fatalf("latest is %q, %v", meta.Session, err)
	}
	list, err := w.List(ctx, "u_jane")
	if err != nil || len(list) != 3 || list[1].Session != "s-3" || list[2].Session != "s-2" {
		t.Fatalf("list %+v, %v", list, err)
	}
	ids, err := w.IDs(ctx, "u_jane")
	if slices.Sort(ids); err != nil || !slices.Equal(ids, []string{"s-1", "s-2", "s-3"}) {
		t.Fatalf("ids %v, %v", ids, err)
	}
	if ids, err := w.IDs(ctx, "u_bob"); err != nil || len(ids) != 0 {
		t.Fatalf("ids of somebody else %v, %v", ids, err)
	}
	if err := w.Remove(ctx, "u_jane", "s-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Get(ctx, "u_jane", "s-1"); !fault.Is(err, fault.NotFound) {
		t.Fatalf("a removed session: %v", err)
	}
}

func TestSubjectsAreKeptApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, subject := range []string{"../../heads", "a/b", "-x", "é..lock", "a@{b}", "HEAD"} {
		req := session.SaveRequest{Subject: subject, Session: "..", Dir: t.TempDir()}
		if err := w.Save(ctx, req); err != nil {
			t.Errorf("%s: %v", subject, err)
			continue
		}
		list, err := w.List(ctx, subject)
		if err != nil || len(list) != 1 || list[0].Subject != subject {
			t.Errorf("%s: %+v, %v", subject, list, err)
		}
		if ids, err := w.IDs(ctx, subject); err != nil || !slices.Equal(ids, []string{".."}) {
			t.Errorf("%s: %q, %v", subject, ids, err)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	for i := range 53 {
		write(t, dir, "settings.json", fmt.Sprint(i))
		save(t, w, dir, "s-1")
	}
	g, err := git.New(ctx, git.Options{})
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := w.ws.Find(ctx, "personal")
	if err != nil {
		t.Fatal(err)
	}
	res, err := g.Repo(filepath.Join(w.root+"-open", id, "repo.git")).Run(ctx, git.Cmd{Args: []string{"rev-list", "--count", "refs/vexa/sessions/u_jane/s-1"}})
	if err != nil || strings.TrimSpace(string(res.Stdout)) != "3" {
		t.Fatalf("history has %s commits, %v", res.Stdout, err)
	}
}

// TestAtRest proves that neither the repository's files nor a checkout's hold
// what a session said.
func TestAtRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const canary = "canary-7f3a"
	dir := t.TempDir()
	write(t, dir, "settings.json", strings.Repeat(canary+"\n", 1000))
	save(t, w, dir, "s-1")
	base := t.TempDir()
	_, err := w.ws.Checkout(ctx, workspace.CheckoutRequest{
		Workspace: "personal", Unit: "U1", Mode: unitv1.ReadOnly,
		Dir: filepath.Join(base, "ws"), History: filepath.Join(base, "history"), Meta: filepath.Join(base, "meta"),
	})
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := w.ws.Find(ctx, "personal")
	if err != nil {
		t.Fatal(err)
	}
	g, err := git.New(ctx, git.Options{})
	if err != nil {
		t.Fatal(err)
	}
	repo := g.Repo(filepath.Join(w.root+"-open", id, "repo.git"))
	var all bytes.Buffer
	if _, err := repo.Run(ctx, git.Cmd{Args: []string{"cat-file", "--batch-all-objects", "--batch"}, Stdout: &all}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(all.String(), "age-encryption.org") || strings.Contains(all.String(), canary) {
		t.Error("the repository does not hold the capsule encrypted")
	}
	packs, err := filepath.Glob(filepath.Join(base, "history/pack/*.pack"))
	if err != nil || len(packs) == 0 {
		t.Fatalf("no history: %v", err)
	}
	for _, p := range packs {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 1000 {
			t.Errorf("the mounted history has %d bytes: more than an empty workspace", len(data))
		}
	}
}

func TestHostileStateDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	write(t, filepath.Dir(outside), "secret", "secret")
	write(t, dir, "projects/ok.jsonl", "ok")
	for _, err := range []error{
		os.Symlink(outside, filepath.Join(dir, "settings.json")),
		os.Symlink(filepath.Dir(outside), filepath.Join(dir, "projects/link")),
		os.Symlink(outside, filepath.Join(dir, "projects/link.jsonl")),
		unix.Mkfifo(filepath.Join(dir, "projects/fifo.jsonl"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	save(t, w, dir, "s-1")
	into := filepath.Join(t.TempDir(), "restored")
	if _, err := w.Load(ctx, "u_jane", "s-1", into); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, into); got != "projects/ok.jsonl 644 ok" {
		t.Errorf("kept:\n%s", got)
	}
}

func TestCapsKeepTheOldCapsule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	write(t, dir, "settings.json", "old")
	save(t, w, dir, "s-1")
	f, err := os.Create(filepath.Join(dir, "settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(1<<40), f.Close()); err != nil { // sparse
		t.Fatal(err)
	}
	err = w.Save(ctx, session.SaveRequest{Subject: "u_jane", Session: "s-1", Dir: dir, Globs: []string{"**"}})
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("a terabyte was kept: %v", err)
	}
	into := filepath.Join(t.TempDir(), "restored")
	if _, err := w.Load(ctx, "u_jane", "s-1", into); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, into); got != "settings.json 644 old" {
		t.Errorf("restored:\n%s", got)
	}
}

// plain is a Sealer that does not encrypt, and shelf a Keeper of one capsule.
type plain struct{}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func (plain) Seal(w io.Writer) (io.WriteCloser, error) { return nopCloser{w}, nil }
func (plain) Open(r io.Reader) (io.Reader, error)      { return r, nil }

type shelf map[string][]byte

func (s shelf) PutPrivate(context.Context, string, string, int, []workspace.PrivateFile) error {
	return errors.New("only for reading")
}

func (s shelf) ReadPrivate(_ context.Context, _, _, file string, read func(io.Reader) error) error {
	return read(bytes.NewReader(s[file]))
}

func (s shelf) ListPrivate(context.Context, string, string) ([]workspace.PrivateRef, error) {
	return nil, nil
}

func (s shelf) DropPrivate(context.Context, string, string) error { return nil }

func TestHostileCapsules(t *testing.T) {
	t.Parallel()
	file := func(name string) *tar.Header {
		return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: 1, Mode: 0o644}
	}
	for name, heads := range map[string][]*tar.Header{
		"climbs":         {file("../evil")},
		"climbs inside":  {file("a/../../evil")},
		"not clean":      {file("a/./b")},
		"absolute":       {file("/evil")},
		"empty":          {file("")},
		"root":           {{Typeflag: tar.TypeDir, Name: "."}},
		"link":           {{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "/etc"}, file("l/x")},
		"hard link":      {{Typeflag: tar.TypeLink, Name: "l", Linkname: "/etc/passwd"}},
		"fifo":           {{Typeflag: tar.TypeFifo, Name: "f"}},
		"device":         {{Typeflag: tar.TypeChar, Name: "d", Devmajor: 1, Devminor: 3}},
		"twice":          {file("a"), file("a")},
		"file as folder": {file("a"), file("a/b")},
		"large":          {{Typeflag: tar.TypeReg, Name: "a", Size: 1 << 20}},
		"many":           {file("a"), file("b"), file("c"), file("d"), file("e"), file("f")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			tw := tar.NewWriter(&buf)
			for _, h := range heads {
				if err := tw.WriteHeader(h); err != nil {
					t.Fatal(err)
				}
				if h.Size > 0 {
					if _, err := tw.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := tw.Close(); err != nil {
				t.Fatal(err)
			}
			s := session.New(session.Options{
				Store:  shelf{"capsule.age": buf.Bytes(), "meta.age": []byte(`{"subject":"u","session":"s"}`)},
				Sealer: plain{}, Now: time.Now, Limits: tree.Limits{FileBytes: 1000, TotalBytes: 2000, Files: 5, Depth: 5},
			})
			base := t.TempDir()
			into := filepath.Join(base, "in/to")
			if _, err := s.Load(ctx, "u", "s", into); err == nil {
				t.Error("it was unpacked")
			}
			if got := listing(t, base); got != "" {
				t.Errorf("it left %s", got)
			}
		})
	}
}

func FuzzUnpack(f *testing.F) {
	var buf bytes.Buffer
	tw := tar.NewWriter(&buf)
	_ = tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "a/b", Size: 1, Mode: 0o600})
	_, _ = tw.Write([]byte("x"))
	_ = tw.Close()
	f.Add(buf.Bytes())
	f.Add(bytes.ReplaceAll(buf.Bytes(), []byte("a/b"), []byte("../")))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := session.New(session.Options{
			Store:  shelf{"capsule.age": data, "meta.age": []byte(`{"subject":"u","session":"s"}`)},
			Sealer: plain{}, Now: time.Now, Limits: tree.Limits{FileBytes: 1000, TotalBytes: 2000, Files: 5, Depth: 5},
		})
		base := t.TempDir()
		_, err := s.Load(ctx, "u", "s", filepath.Join(base, "in/to"))
		entries, rerr := os.ReadDir(base)
		if rerr != nil || len(entries) != 1 || entries[0].Name() != "in" {
			t.Fatalf("it wrote outside: %v, %v (%v)", entries, rerr, err)
		}
	})
}

// A session is called by what was asked first, until its person calls it otherwise; what
// is saved later does not take that back, and it goes with the session.
func TestTitles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	write(t, dir, "s.jsonl", "x")
	save := func(id, first string) {
		t.Helper()
		req := session.SaveRequest{Subject: "u_jane", Session: id, Unit: "u1", Runner: "vexa", Dir: dir, Globs: []string{"**"}}
		req.First = first
		if err := w.Save(ctx, req); err != nil {
			t.Fatal(err)
		}
	}
	is := func(id, want string) {
		t.Helper()
		meta, err := w.Get(ctx, "u_jane", id)
		if err != nil || meta.Title != want {
			t.Errorf("%q, %v, want %q", meta.Title, err, want)
		}
		list, err := w.List(ctx, "u_jane")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if m.Session == id && m.Title != want {
				t.Errorf("in the list it is %q, want %q", m.Title, want)
			}
		}
	}
	save("s1", "  Write a\nnote that\x1b says \xff hello  ")
	is("s1", "Write a note that says \uFFFD hello")
	save("s1", "")
	is("s1", "Write a note that says \uFFFD hello")
	save("s2", strings.Repeat("längere ", 40))
	if meta, err := w.Get(ctx, "u_jane", "s2"); err != nil || len([]rune(meta.Title)) > 80 || !strings.HasSuffix(meta.Title, "…") {
		t.Errorf("%q, %v", meta.Title, err)
	}
	save("s3", "\nwhat is\nwrong in @~/error.log\n\n`error.log`, a file that I attach (9 bytes):")
	is("s3", "what is wrong in @~/error.log")
	if meta, err := w.Rename(ctx, "u_jane", "s1", " Field notes "); err != nil || meta.Title != "Field notes" || meta.Unit == "" {
		t.Errorf("%+v, %v", meta, err)
	}
	is("s1", "Field notes")
	save("s1", "another first")
	is("s1", "Field notes")
	if _, err := w.Rename(ctx, "u_jane", "s1", "Again"); err != nil {
		t.Fatal(err)
	}
	is("s1", "Again")
	for title, kind := range map[string]fault.Kind{"": fault.Invalid, " \t ": fault.Invalid, "a\nb": fault.Invalid, "a\x1b[31m": fault.Invalid, "\xff": fault.Invalid, strings.Repeat("x", 201): fault.Invalid} {
		if _, err := w.Rename(ctx, "u_jane", "s1", title); !fault.Is(err, kind) {
			t.Errorf("%q: %v", title, err)
		}
	}
	if _, err := w.Rename(ctx, "u_jane", "s9", "x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("of none: %v", err)
	}
	if _, err := w.Rename(ctx, "u_eve", "s1", "mine"); !fault.Is(err, fault.NotFound) {
		t.Errorf("another's: %v", err)
	}
	is("s1", "Again")
	if err := w.Remove(ctx, "u_jane", "s1"); err != nil {
		t.Fatal(err)
	}
	save("s1", "new")
	is("s1", "new")
	if refs, err := w.ws.ListPrivate(ctx, "personal", "titles/"); err != nil || len(refs) != 0 {
		t.Errorf("what is left: %+v, %v", refs, err)
	}
}
