package bucket_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// person is somebody with keys.
type person struct {
	id     *seal.Identity
	signer signature.Signer
}

func newPerson(tb testing.TB) *person {
	tb.Helper()
	id, err := seal.NewIdentity()
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := signature.Derive(id.String())
	if err != nil {
		tb.Fatal(err)
	}
	return &person{id: id, signer: signer}
}

func (p *person) OpenKeyring(_ context.Context, sealed []byte) ([]byte, error) {
	return seal.DecryptBytes(sealed, p.id)
}

func (p *person) ParseRecipient(text string) (seal.Recipient, error) {
	return seal.ParseRecipient(text)
}

func (p *person) Signer(context.Context) (signature.Signer, error) { return p.signer, nil }

// member is the person as a member who may do everything.
func (p *person) member(name string) manifestv1.Member {
	return manifestv1.Member{
		ID: "u_" + name, Name: name, Recipients: []string{p.id.Recipient()}, Signers: []string{p.signer.Key().String()},
		Rights: []manifestv1.Right{{Refs: "refs/*", Allow: []string{"write", "admin"}}},
	}
}

// machine is one installation with a bucket and a repository.
type machine struct {
	tb     testing.TB
	who    *person
	state  string
	store  blob.Store
	bucket *bucket.Bucket
	repo   *bucket.Repo
	dir    string // the working tree
}

func newGit(tb testing.TB) *git.Git {
	tb.Helper()
	g, err := git.New(tb.Context(), git.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func options(who *person, store blob.Store, state string) bucket.Options {
	return bucket.Options{Store: store, Keys: who, State: state, Now: time.Now}
}

// create makes a bucket and a machine with an empty repository.
func create(tb testing.TB, storage *mem.Storage) *machine {
	tb.Helper()
	who := newPerson(tb)
	state := tb.TempDir()
	store := storage.Handle()
	b, err := bucket.Create(tb.Context(), options(who, store, state), bucket.CreateOptions{Members: []manifestv1.Member{who.member("jane")}})
	if err != nil {
		tb.Fatal(err)
	}
	return (&machine{tb: tb, who: who, state: state, store: store, bucket: b}).withRepo()
}

// another is another machine of the same person.
func (m *machine) another(store blob.Store) *machine {
	m.tb.Helper()
	n := &machine{tb: m.tb, who: m.who, state: m.tb.TempDir(), store: store}
	n.reopen()
	return n.withRepo()
}

// reopen opens the bucket again, as the next process does.
func (m *machine) reopen() {
	m.tb.Helper()
	b, err := bucket.Open(m.tb.Context(), options(m.who, m.store, m.state))
	if err != nil {
		m.tb.Fatal(err)
	}
	m.bucket = b
}

func (m *machine) withRepo() *machine {
	m.tb.Helper()
	m.dir = m.tb.TempDir()
	m.git("init", "-q", "-b", "main")
	m.git("config", "gc.auto", "0")
	r, err := bucket.OpenRepo(m.tb.Context(), newGit(m.tb).Repo(filepath.Join(m.dir, ".git")))
	if err != nil {
		m.tb.Fatal(err)
	}
	m.repo = r
	return m
}

// git runs the person's own git.
func (m *machine) git(args ...string) string {
	m.tb.Helper()
	out, err := m.tryGit(args...)
	if err != nil {
		m.tb.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func (m *machine) tryGit(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Jane", "GIT_AUTHOR_EMAIL=jane@example.org", "GIT_COMMITTER_NAME=Jane", "GIT_COMMITTER_EMAIL=jane@example.org")
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if err != nil {
		return stderr.String(), err
	}
	return strings.TrimSpace(out.String()), nil
}

// commit writes a file, commits it and returns the commit's id.
func (m *machine) commit(path, text string) string {
	m.tb.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(m.dir, path)), 0o700); err != nil {
		m.tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.dir, path), []byte(text), 0o600); err != nil {
		m.tb.Fatal(err)
	}
	m.git("add", "-A")
	m.git("commit", "-q", "-m", "Change "+path)
	return m.git("rev-parse", "HEAD")
}

// push pushes and returns the error of the one update.
func (m *machine) push(ref, id string, with ...func(*bucket.Update)) error {
	m.tb.Helper()
	u := bucket.Update{Ref: ref, New: id}
	for _, w := range with {
		w(&u)
	}
	_, results, err := m.bucket.Push(m.tb.Context(), m.repo, []bucket.Update{u}, bucket.PushOptions{})
	if err != nil {
		return err
	}
	return results[0].Err
}

func (m *machine) mustPush(ref, id string, with ...func(*bucket.Update)) {
	m.tb.Helper()
	if err := m.push(ref, id, with...); err != nil {
		m.tb.Fatalf("push %s: %v (%s)", ref, err, fault.HintOf(err))
	}
}

// fetch fetches everything and sets the remote-tracking refs.
func (m *machine) fetch() (*bucket.State, error) {
	got, err := m.bucket.Fetch(m.tb.Context(), m.repo, bucket.FetchOptions{})
	if err != nil {
		return nil, err
	}
	for name, id := range got.State.Refs {
		m.git("update-ref", "refs/bucket/"+strings.TrimPrefix(name, "refs/"), id)
	}
	return got.State, nil
}

func (m *machine) mustFetch() *bucket.State {
	m.tb.Helper()
	st, err := m.fetch()
	if err != nil {
		m.tb.Fatalf("fetch: %v (%s)", err, fault.HintOf(err))
	}
	if out, err := m.tryGit("fsck", "--full", "--strict"); err != nil {
		m.tb.Fatalf("git fsck: %s", out)
	}
	return st
}

func forced(u *bucket.Update) { u.Force = true }

func lease(id string) func(*bucket.Update) { return func(u *bucket.Update) { u.Lease = &id } }
