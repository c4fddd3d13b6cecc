package bucket_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/keyringv1"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// recoverScript is a script of docs/how-to/recover.md, word for word: the one
// that begins so.
func recoverScript(t *testing.T, begins string) string {
	t.Helper()
	data, err := os.ReadFile("../../../docs/how-to/recover.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(data), "```sh\n"+begins)
	script, _, ended := strings.Cut(rest, "```\n")
	if !found || !ended {
		t.Fatal("docs/how-to/recover.md has no such script")
	}
	return begins + script
}

// agesToTry returns directories that hold an age command: that of the machine, where
// it has one and needs no newer one, and that of go.mod.
func agesToTry(t *testing.T, postQuantum bool) map[string]string {
	t.Helper()
	out := map[string]string{}
	if path, err := exec.LookPath("age"); err == nil && !postQuantum {
		out["of this machine"] = filepath.Dir(path)
	}
	dir := t.TempDir()
	build := exec.Command(require.Tool(t, "go"), "build", "-o", dir, "filippo.io/age/cmd/age")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build age: %v\n%s", err, said)
	}
	out["of go.mod"] = dir
	return out
}

// storageOnDisk copies a bucket into a directory, as whoever has its storage can.
func storageOnDisk(t *testing.T, s blob.Store) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a bucket")
	err := s.List(t.Context(), "", "", func(i blob.Info) error {
		data, err := blob.ReadAll(t.Context(), s, i.Name, 1<<30)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, i.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// runRecover runs the script. PATH has nothing but an age and the machine's own.
func runRecover(t *testing.T, age string, args ...string) (string, error) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "recover.sh")
	if err := os.WriteFile(script, []byte(recoverScript(t, "#!/bin/sh\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", append([]string{script}, args...)...)
	cmd.Env = []string{"PATH=" + age + ":/usr/bin:/bin", "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if left, _ := os.ReadDir(strings.TrimPrefix(cmd.Env[2], "TMPDIR=")); len(left) > 0 {
		t.Errorf("it left %s", left[0].Name())
	}
	return said.String(), err
}

// identityFile writes an identity file as vexa key recovery and vexa key export do.
func identityFile(t *testing.T, ids ...*seal.Identity) string {
	t.Helper()
	text := "# made by a test\n"
	for _, id := range ids {
		text += "# public key: " + id.Recipient() + "\n" + id.String() + "\n"
	}
	path := filepath.Join(t.TempDir(), "keys.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wasRecovered compares what was recovered with what the bucket has.
func (m *machine) wasRecovered(repo string) {
	m.tb.Helper()
	st, err := m.bucket.Head(m.tb.Context())
	if err != nil {
		m.tb.Fatal(err)
	}
	var want []string
	for name, id := range st.Refs {
		want = append(want, id+" "+name)
	}
	got := m.git("--git-dir="+repo, "for-each-ref", "--format=%(objectname) %(refname)")
	if n := len(strings.Fields(got)) / 2; n != len(want) {
		m.tb.Errorf("%d refs, want %d", n, len(want))
	}
	for _, ref := range want {
		if !strings.Contains("\n"+got+"\n", "\n"+ref+"\n") {
			m.tb.Errorf("%s is missing", ref)
		}
	}
	if head := m.git("--git-dir="+repo, "symbolic-ref", "HEAD"); head != st.Head {
		m.tb.Errorf("HEAD is %s, want %s", head, st.Head)
	}
	m.git("--git-dir="+repo, "fsck", "--full", "--strict")
}

// TestRecover: what is in a bucket comes back with age, git, gzip and a shell
// alone, by the script that is in the documents.
func TestRecover(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	m := create(t, storage)
	sshKey := filepath.Join(t.TempDir(), "id")
	if out, err := exec.Command(require.Tool(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", sshKey).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	public, err := os.ReadFile(sshKey + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	// More refs and packs than a manifest lists, names that look like JSON, refs
	// that are gone, and members that changed, with a new key.
	first := m.commit("a", "0\n")
	m.mustPush("refs/heads/main", first)
	odd := []string{`refs/tags/"},{],`, "refs/tags/<&>", "refs/heads/été", "refs/heads/a{b}", "refs/heads/deep/er/refs", "refs/tags/a\u2028b"}
	for i := range 32 {
		m.mustPush(fmt.Sprintf("refs/heads/b%02d", i), m.commit(fmt.Sprintf("dir%d/a", i%3), fmt.Sprintf("%d\n", i)))
	}
	var updates []bucket.Update
	for _, name := range odd {
		updates = append(updates, bucket.Update{Ref: name, New: first})
	}
	if _, results, err := m.bucket.Push(t.Context(), m.repo, updates, bucket.PushOptions{Atomic: true}); err != nil || results[0].Err != nil {
		t.Fatalf("%v, %v", results, err)
	}
	_, err = m.bucket.SetMembership(t.Context(), bucket.Edit(true, func(all *manifestv1.Membership) error {
		all.Members[0].Recipients = append(all.Members[0].Recipients, strings.Join(strings.Fields(string(public))[:2], " "))
		left := newPerson(t).member("joe")
		left.Name, left.Until = `Joe "the \ ]}é`, 3
		all.Members = append(all.Members, left)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	m.mustPush("refs/heads/b01", "")
	m.mustPush("refs/heads/b02", m.commit("a", "last\n"))
	hybrid, err := seal.NewHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	st, err := m.bucket.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	newest, err := blob.ReadAll(t.Context(), m.store, fmt.Sprintf("m/%016d", st.Generation), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range []string{`"snapshot":{`, `"deleted":[`, `"refs":[{`, `"packs":[{`} {
		if !bytes.Contains(gunzip(t, m.unsealed(newest)), []byte(member)) {
			t.Errorf("the newest manifest has no %s: this test shows less than it says", member)
		}
	}
	before, both := storageOnDisk(t, m.store), identityFile(t, m.who.id, hybrid)
	tools := agesToTry(t, false)
	repo := filepath.Join(t.TempDir(), "before.git")
	if said, err := runRecover(t, tools["of go.mod"], before, both, repo); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	m.wasRecovered(repo)
	// And tidied, with packs that were joined and manifests that are gone.
	m.open(grace(time.Nanosecond), keep(4))
	m.mustConsolidate(m.consolidation())
	m.mustPush("refs/heads/b03", m.commit("a", "after\n"))
	if got := m.mustCollect(); got.Objects == 0 {
		t.Errorf("collected %+v: this test shows less than it says", got)
	}
	dir := storageOnDisk(t, m.store)
	for which, age := range tools {
		for what, key := range map[string]string{"keys": both, "an SSH key": sshKey} {
			repo := filepath.Join(t.TempDir(), "re po.git")
			if said, err := runRecover(t, age, dir, key, repo); err != nil {
				t.Errorf("age %s, %s: %v: %s", which, what, err, said)
				continue
			}
			m.wasRecovered(repo)
		}
		repo := filepath.Join(t.TempDir(), "early.git")
		if said, err := runRecover(t, age, before, both, repo, "2"); err != nil || m.git("--git-dir="+repo, "rev-parse", "HEAD") != first {
			t.Errorf("age %s, generation 2: %v: %s", which, err, said)
		}
		if said, err := runRecover(t, age, dir, identityFile(t, newPerson(t).id), repo+"2"); err == nil || !strings.Contains(said, "no keyring") {
			t.Errorf("age %s, a stranger's key: %v: %s", which, err, said)
		}
	}
}

// TestRecoverFromGitRemote: what is fetched from a Git remote, a large blob in
// parts, is the bucket after the two commands that are in the documents.
func TestRecoverFromGitRemote(t *testing.T) {
	t.Parallel()
	m := create(t, mem.New())
	m.mustPush("refs/heads/main", m.commit("a", "1\n"))
	st, err := m.bucket.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	remote := &machine{tb: t, dir: storageOnDisk(t, m.store)}
	remote.git("init", "-q", "-b", "vexa-bucket")
	large := filepath.Join(remote.dir, "o", st.Packs[0].SHA256[:2], st.Packs[0].SHA256)
	data, err := os.ReadFile(large)
	if err == nil {
		err = errors.Join(os.Remove(large), os.Mkdir(large+"+", 0o700),
			os.WriteFile(large+"+/00000", data[:100], 0o600), os.WriteFile(large+"+/00001", data[100:], 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	remote.git("add", "-A")
	remote.git("commit", "-q", "-m", "bucket")

	script := strings.ReplaceAll(recoverScript(t, "git clone "), "URL", `"file://`+remote.dir+`"`)
	cmd := exec.Command("sh", "-e", "-c", script)
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	repo := filepath.Join(t.TempDir(), "repo.git")
	if said, err := runRecover(t, agesToTry(t, false)["of go.mod"], filepath.Join(cmd.Dir, "bucket"), identityFile(t, m.who.id), repo); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	m.wasRecovered(repo)
}

// quantum is somebody with a post-quantum key.
type quantum struct {
	*person
	hybrid *seal.Identity
}

func (q quantum) OpenKeyring(_ context.Context, sealed []byte) ([]byte, error) {
	return seal.DecryptBytes(sealed, q.id, q.hybrid)
}

// TestRecoverPostQuantum: with an age that has post-quantum keys, and SHA-256 as
// Git's own hash.
func TestRecoverPostQuantum(t *testing.T) {
	t.Parallel()
	hybrid, err := seal.NewHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	who := quantum{newPerson(t), hybrid}
	jane := who.member("jane")
	jane.Recipients = []string{hybrid.Recipient()}
	m := &machine{tb: t, who: who.person, state: t.TempDir(), store: mem.New().Handle()}
	opt := options(who.person, m.store, m.state)
	opt.Keys = who
	m.bucket, err = bucket.Create(t.Context(), opt, bucket.CreateOptions{
		Members: []manifestv1.Member{jane}, PostQuantum: true, ObjectFormat: "sha256", Head: "refs/heads/trunk",
	})
	if err != nil {
		t.Fatal(err)
	}
	m.dir = t.TempDir()
	m.git("init", "-q", "-b", "trunk", "--object-format=sha256")
	if m.repo, err = bucket.OpenRepo(t.Context(), newGit(t).Repo(filepath.Join(m.dir, ".git"))); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		m.mustPush("refs/heads/trunk", m.commit("a", fmt.Sprintf("%d\n", i)))
	}
	dir, key := storageOnDisk(t, m.store), identityFile(t, who.id, hybrid)
	for which, age := range agesToTry(t, true) {
		repo := filepath.Join(t.TempDir(), "repo.git")
		if said, err := runRecover(t, age, dir, key, repo); err != nil {
			t.Fatalf("age %s: %v: %s", which, err, said)
		}
		m.wasRecovered(repo)
	}
}

// TestRecoverRefuses: the script takes nothing that is damaged or that nobody
// signed.
func TestRecoverRefuses(t *testing.T) {
	t.Parallel()
	m := create(t, mem.New())
	m.mustPush("refs/heads/main", m.commit("a", "1\n"))
	st := m.mustFetch()
	key := identityFile(t, m.who.id)
	age := agesToTry(t, false)["of go.mod"]
	for name, c := range map[string]struct {
		spoil func(dir string)
		want  string
	}{
		"a damaged pack": {func(dir string) {
			spoilLastByte(t, filepath.Join(dir, "o", st.Packs[0].SHA256[:2], st.Packs[0].SHA256))
		}, "is damaged"},
		"a missing pack": {func(dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "o")); err != nil {
				t.Fatal(err)
			}
		}, "is damaged or missing"},
		"a damaged manifest":                {func(dir string) { spoilLastByte(t, filepath.Join(dir, "m", "0000000000000002")) }, "opens generation 2"},
		"other members":                     {func(dir string) { spoilLastByte(t, filepath.Join(dir, "m", "0000000000000001")) }, "another one"},
		"a manifest that a stranger signed": {func(dir string) { signAsStranger(t, m, filepath.Join(dir, "m", "0000000000000002")) }, "not signed by a member"},
	} {
		dir := storageOnDisk(t, m.store)
		c.spoil(dir)
		if said, err := runRecover(t, age, dir, key, filepath.Join(t.TempDir(), "repo.git")); err == nil || !strings.Contains(said, c.want) {
			t.Errorf("%s: %v: %s", name, err, said)
		}
	}
}

// spoilLastByte changes the last byte of a file.
func spoilLastByte(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		data[len(data)-1] ^= 1
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// signAsStranger has a stranger sign a manifest, who can encrypt to the bucket.
func signAsStranger(t *testing.T, m *machine, path string) {
	t.Helper()
	st := m.mustFetch()
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := gunzip(t, m.unsealed(stored))
	line := bytes.SplitAfter(text, []byte("\n"))[0]
	stranger, err := signature.Derive("somebody else")
	if err != nil {
		t.Fatal(err)
	}
	sig, err := stranger.Sign("vexa-bucket-manifest@v1", line)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, gzipSealed(t, append(line, sig...), st.Membership.Recipient), 0o600); err != nil {
		t.Fatal(err)
	}
}

// epochs are the private keys of the bucket, the newest first.
func (m *machine) epochs() []*seal.Identity {
	m.tb.Helper()
	st := m.mustFetch()
	sealed, err := blob.ReadAll(m.tb.Context(), m.store, st.Membership.Keyring.Name, 1<<20)
	if err != nil {
		m.tb.Fatal(err)
	}
	plain, err := m.who.OpenKeyring(m.tb.Context(), sealed)
	if err != nil {
		m.tb.Fatal(err)
	}
	ring, err := contract.Decode[keyringv1.Keyring]("bucket-keyring.v1", bytes.TrimSpace(plain))
	if err != nil {
		m.tb.Fatal(err)
	}
	var ids []*seal.Identity
	for _, key := range ring.Keys {
		id, err := seal.ParseIdentity(key.Secret)
		if err != nil {
			m.tb.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// unsealed opens what is encrypted to the bucket.
func (m *machine) unsealed(stored []byte) []byte {
	m.tb.Helper()
	plain, err := seal.DecryptBytes(stored, m.epochs()...)
	if err != nil {
		m.tb.Fatal(err)
	}
	return plain
}

func gunzip(tb testing.TB, zipped []byte) []byte {
	tb.Helper()
	z, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		tb.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// gzipSealed compresses text and encrypts it.
func gzipSealed(t *testing.T, text []byte, recipient string) []byte {
	t.Helper()
	to, err := seal.ParseRecipient(recipient)
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	stored, err := seal.EncryptBytes(zipped.Bytes(), to)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}
