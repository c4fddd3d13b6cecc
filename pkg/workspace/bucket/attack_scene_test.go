package bucket_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// past is a bucket with everything that a bucket can have, made once: three
// people, one of whom left; a base, an index, segments; a snapshot; a log of
// removed generations. Tests work on copies.
type past struct {
	jane, bob, carol *person // an administrator; removed in generation 7; only writes
	id               string
	blobs            map[string][]byte           // as they are
	at               map[int64]map[string][]byte // as they were, by generation
	state            map[string]string           // directories of installations of jane's, by name
	repo             string                      // her clone, of all of it
	sums             map[int64]string            // of the manifests that ever were
	refs             map[string]string           // in the end
}

// The installations: what each has seen.
const (
	atNone   = "that never saw it"
	atLog    = "that saw generation 2, whose manifest was removed"
	atBehind = "that saw generation 6"
	atNewest = "that saw all of it"
)

var installations = []string{atNewest, atBehind, atLog, atNone}

var thePast = sync.OnceValues(makePast)

// dirOfPast holds what makePast makes; TestMain removes it.
var dirOfPast string

func TestMain(m *testing.M) {
	var err error
	if dirOfPast, err = os.MkdirTemp("", "bucket-past-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := os.RemoveAll(dirOfPast); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// maker is what of testing.TB makePast needs.
type maker struct {
	testing.TB
	n int
}

func (m *maker) Helper()                  {}
func (m *maker) Context() context.Context { return context.Background() }
func (m *maker) Fatal(a ...any)           { panic(fmt.Sprint(a...)) }
func (m *maker) Fatalf(f string, a ...any) {
	panic(fmt.Sprintf(f, a...))
}

func (m *maker) TempDir() string {
	m.n++
	d := filepath.Join(dirOfPast, fmt.Sprint(m.n))
	if err := os.MkdirAll(d, 0o700); err != nil {
		panic(err)
	}
	return d
}

func makePast() (p *past, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("make a bucket to attack: %v", r)
		}
	}()
	tb := &maker{}
	storage := mem.New()
	a := create(tb, storage)
	p = &past{jane: a.who, bob: newPerson(tb), carol: newPerson(tb), id: a.bucket.ID(), at: map[int64]map[string][]byte{}, state: map[string]string{}, sums: map[int64]string{}}
	note := func() {
		st, err := a.bucket.Head(context.Background())
		if err != nil {
			panic(err)
		}
		p.at[st.Generation], p.sums[st.Generation], p.refs = blobsOf(tb, a.store), st.SHA256, st.Refs
	}
	push := func(m *machine, text string) {
		m.mustPush("refs/heads/main", m.commit("notes/a.md", text))
		note()
	}
	note()
	noise := make([]byte, 150_000) // several chunks of age
	_, _ = rand.Read(noise)
	push(a, base64.StdEncoding.EncodeToString(noise))
	p.state[atLog] = copyDir(tb, a.state) // 2
	push(a, "three\n")
	members := func(rotate bool, edit func(*manifestv1.Membership)) {
		if _, err := a.bucket.SetMembership(context.Background(), bucket.Edit(rotate, func(m *manifestv1.Membership) error { edit(m); return nil })); err != nil {
			panic(err)
		}
		note()
	}
	members(false, func(m *manifestv1.Membership) { // 4
		m.Members = append(m.Members, writer(p.bob, "bob"), writer(p.carol, "carol"))
	})
	b := a.another(storage.Handle())
	b.who = p.bob
	b.reopen()
	b.mustFetch()
	b.git("reset", "-q", "--hard", "refs/bucket/heads/main")
	push(b, "five, by bob\n")
	a.mustFetch()
	a.git("reset", "-q", "--hard", "refs/bucket/heads/main")
	push(a, "six\n")
	p.state[atBehind] = copyDir(tb, a.state)
	members(true, func(m *manifestv1.Membership) { // 7
		for i := range m.Members {
			if m.Members[i].Name == "bob" {
				m.Members[i].Until = 6
			}
		}
	})
	a.reopen()
	push(a, "eight\n")
	a.mustPush("refs/tags/v1", a.git("rev-parse", "HEAD"))
	note() // 9
	if _, err := bucket.WriteSnapshot(context.Background(), a.bucket); err != nil {
		panic(err)
	}
	note() // 10
	push(a, "eleven\n")
	if _, err := bucket.RemoveManifests(context.Background(), a.bucket, 2, 3); err != nil {
		panic(err)
	}
	note() // 12
	push(a, "thirteen\n")
	p.state[atNewest], p.repo = copyDir(tb, a.state), a.dir
	p.blobs = p.at[13]
	return p, nil
}

// writer is a member that may write and change no member.
func writer(p *person, name string) manifestv1.Member {
	m := p.member(name)
	m.Rights[0].Allow = []string{"write"}
	return m
}

func blobsOf(tb testing.TB, s blob.Store) map[string][]byte {
	tb.Helper()
	out := map[string][]byte{}
	err := s.List(context.Background(), "", "", func(i blob.Info) error {
		data, err := blob.ReadAll(context.Background(), s, i.Name, 1<<30)
		out[i.Name] = data
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func copyDir(tb testing.TB, from string) string {
	tb.Helper()
	to := tb.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		tb.Fatal(err)
	}
	return to
}

// scene is one attack on a copy of the past.
type scene struct {
	*past
	tb    testing.TB
	store blob.Store // as whoever keeps the storage has it
	open  func() blob.Store
}

// newScene copies the past into a storage of a kind: mem or dir.
func newScene(tb testing.TB, kind string) *scene {
	tb.Helper()
	p, err := thePast()
	if err != nil {
		tb.Fatal(err)
	}
	s := &scene{past: p, tb: tb}
	switch kind {
	case "mem":
		storage := mem.New()
		s.open = func() blob.Store { return storage.Handle() }
	case "dir":
		root := tb.TempDir()
		s.open = func() blob.Store {
			d, err := dir.Open(root, dir.Options{})
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(func() { _ = d.Close() })
			return d
		}
	default:
		tb.Fatalf("no store %q", kind)
	}
	s.store = s.open()
	s.setAll(p.blobs)
	return s
}

// setAll makes the storage have exactly these blobs.
func (s *scene) setAll(blobs map[string][]byte) {
	s.tb.Helper()
	for name := range blobsOf(s.tb, s.store) {
		if _, keep := blobs[name]; !keep {
			s.remove(name)
		}
	}
	for name, data := range blobs {
		s.put(name, data)
	}
}

func (s *scene) put(name string, data []byte) {
	s.tb.Helper()
	if err := s.store.Replace(s.tb.Context(), name, data); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *scene) remove(names ...string) {
	s.tb.Helper()
	if err := s.store.Remove(s.tb.Context(), names...); err != nil {
		s.tb.Fatal(err)
	}
}

// insider opens the untouched bucket with all of jane's keys, to forge with.
func (s *scene) insider() *bucket.Bucket {
	s.tb.Helper()
	storage := mem.New()
	for name, data := range s.blobs {
		if err := storage.Handle().Replace(s.tb.Context(), name, data); err != nil {
			s.tb.Fatal(err)
		}
	}
	b, err := bucket.Open(s.tb.Context(), options(s.jane, storage.Handle(), copyDir(s.tb, s.state[atNewest])))
	if err != nil {
		s.tb.Fatal(err)
	}
	if _, err := b.Head(s.tb.Context()); err != nil {
		s.tb.Fatal(err)
	}
	return b
}

// forge makes the next generation, signed by somebody, after edit changed it.
func (s *scene) forge(by *person, edit func(*manifestv1.Manifest)) {
	s.tb.Helper()
	s.forgeAt(14, by, edit)
}

func (s *scene) forgeAt(g int64, by *person, edit func(*manifestv1.Manifest)) []byte {
	s.tb.Helper()
	b := s.insider()
	m, err := bucket.NextOf(s.tb.Context(), b)
	if err != nil {
		s.tb.Fatal(err)
	}
	edit(&m)
	stored, err := bucket.EncodeManifest(m, by.signer, bucket.EpochKeys(b)[0].Recipient())
	if err != nil {
		s.tb.Fatal(err)
	}
	s.put(bucket.ManifestName(g), stored)
	return stored
}

// text puts a manifest in place that says what edit makes of the text of the
// next one: its line and its signature.
func (s *scene) text(edit func(line []byte) []byte) {
	s.tb.Helper()
	b := s.insider()
	m, err := bucket.NextOf(s.tb.Context(), b)
	if err != nil {
		s.tb.Fatal(err)
	}
	to := bucket.EpochKeys(b)[0].Recipient()
	stored, err := bucket.EncodeManifest(m, s.jane.signer, to)
	if err != nil {
		s.tb.Fatal(err)
	}
	plain, err := bucket.Decrypt(b, stored)
	if err != nil {
		s.tb.Fatal(err)
	}
	line, _, _ := strings.Cut(string(plain), "\n")
	if stored, err = bucket.Encrypt(edit([]byte(line+"\n")), to); err != nil {
		s.tb.Fatal(err)
	}
	s.put(bucket.ManifestName(14), stored)
}

// signed returns a line with its signature in a namespace.
func signed(tb testing.TB, by *person, namespace string, line []byte) []byte {
	tb.Helper()
	sig, err := by.signer.Sign(namespace, line)
	if err != nil {
		tb.Fatal(err)
	}
	return append(line, sig...)
}

// client is one installation that meets the attack.
type client struct {
	*scene
	name  string
	store blob.Store
	state string
	wet   bool // it repairs without a dry run before
}

func (s *scene) client(name string) *client {
	s.tb.Helper()
	c := &client{scene: s, name: name, store: s.open()}
	if name == atNone {
		c.state = s.tb.TempDir()
	} else {
		c.state = copyDir(s.tb, s.state[name])
	}
	// Which bucket is at the address is remembered by it, and this is another.
	if name != atNone {
		if err := os.WriteFile(filepath.Join(c.state, "at-"+bucket.Sum([]byte(c.store.URL()))[:32]), []byte(s.id+"\n"), 0o600); err != nil {
			s.tb.Fatal(err)
		}
	}
	return c
}

// look opens the bucket and reads what its refs are.
func (c *client) look() (*bucket.State, error) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), time.Minute)
	defer cancel()
	b, err := bucket.Open(ctx, options(c.jane, c.store, c.state))
	if err != nil {
		return nil, err
	}
	return b.Head(ctx)
}

// visit opens the bucket and reads everything in it into a new repository.
func (c *client) visit() (*bucket.State, error) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), time.Minute)
	defer cancel()
	b, err := bucket.Open(ctx, options(c.jane, c.store, c.state))
	if err != nil {
		return nil, err
	}
	g := newGit(c.tb)
	r, err := bucket.InitBare(ctx, g, c.tb.TempDir(), "sha1", "")
	if err != nil {
		c.tb.Fatal(err)
	}
	got, err := b.Fetch(ctx, r, bucket.FetchOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := r.Run(ctx, git.Cmd{Args: []string{"fsck", "--full", "--strict"}}); err != nil {
		c.tb.Errorf("%s: what was fetched is damaged: %v", c.name, err)
	}
	return got.State, nil
}

// knows is what an installation remembers that no attack may change.
type knows struct {
	generation int64
	sha256     string
	keyring    string // its hash
}

func (c *client) knows() knows {
	c.tb.Helper()
	var p struct {
		Generation int64
		SHA256     string
	}
	data, err := os.ReadFile(filepath.Join(c.state, c.id, "pin.json"))
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.tb.Fatal(err)
	}
	k := knows{generation: p.Generation, sha256: p.SHA256}
	if data, err = os.ReadFile(filepath.Join(c.state, c.id, "keyring")); err == nil {
		k.keyring = bucket.Sum(data[len("k/000001.000001.age"):])
	}
	return k
}

// unchanged checks that an installation knows what it knew, or something newer
// that is true: the head may be whole where a pack is not.
func (c *client) unchanged(before knows) {
	c.tb.Helper()
	after := c.knows()
	if after.generation < before.generation || after != before && c.sums[after.generation] != after.sha256 {
		c.tb.Errorf("an installation %s: what it knows was changed by what it refused: %+v, %+v", c.name, before, after)
	}
	if after.keyring == before.keyring {
		return
	}
	for name, data := range c.blobs {
		if strings.HasPrefix(name, "k/") && bucket.Sum(data) == after.keyring {
			return
		}
	}
	c.tb.Errorf("an installation %s keeps a keyring that never was", c.name)
}

// told checks that an error says all that a person needs.
func told(tb testing.TB, what string, err error, object string) {
	tb.Helper()
	text, hint := err.Error(), fault.HintOf(err)
	if !slices.ContainsFunc(strings.Split(object, "|"), func(o string) bool { return strings.Contains(text, o) }) {
		tb.Errorf("%s: the error does not name %s: %v", what, object, err)
	}
	readable := false
	for _, words := range []string{"can still be read", "can be read", "nothing of the bucket", "may be lost", "were read", "was read", "builds on it", "to be read", "makes the index again", "can be verified"} {
		readable = readable || strings.Contains(text, words)
	}
	if !readable {
		tb.Errorf("%s: the error does not say what can be read: %v", what, err)
	}
	if !strings.Contains(hint, "vexa ") && !strings.Contains(hint, "ask ") {
		tb.Errorf("%s: the error does not say what to do: %v (%s)", what, err, hint)
	}
	if kind := fault.KindOf(err); kind != fault.Invalid && kind != fault.Denied && kind != fault.NotFound {
		tb.Errorf("%s: the error is of kind %s: %v", what, kind, err)
	}
}

// removeAll removes directories of what an installation knows of a bucket.
func removeAll(state, id string, names ...string) error {
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(state, id, name)); err != nil {
			return err
		}
	}
	return nil
}
