package gitremote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/internal/removetree"
	"github.com/vexa-ai/vexa/pkg/internal/require"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// helperName is what git starts.
const helperName = "git-remote-vexa"

// TestMain lets the test binary be the helper, with faults that the real one has
// no way to be given. Most tests use the real one.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == helperName {
		os.Exit(serveFaulty())
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the real program, built once for each run.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// envProgram hands the program to a test that runs itself again.
const envProgram = "VEXA_TEST_PROGRAM"

// program returns the path of the real vexa.
func program(tb testing.TB) string {
	tb.Helper()
	if path := os.Getenv(envProgram); path != "" {
		return path
	}
	built.once.Do(func() {
		goTool := require.Tool(tb, "go")
		if built.dir, built.err = os.MkdirTemp("", "vexa-gitremote-*"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "vexa")
		cmd := exec.Command(goTool, "build", "-buildvcs=false", "-o", built.path, "github.com/vexa-ai/vexa/cmd/vexa")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("go build: %w: %s", err, out)
		}
	})
	must(tb, built.err)
	return built.path
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// scale is n at the stated scale, and reduced otherwise.
func scale(n, reduced int) int {
	if os.Getenv("VEXA_SCALE") == "full" {
		return n
	}
	return reduced
}

// world is one bucket in a directory, and the machines of its one member.
type world struct {
	tb     testing.TB
	dir    string // everything lies below it; short enough for a socket
	bin    string // a directory for the PATH, with git-remote-vexa in it
	bucket string // the directory
	url    string
	chain  *seal.Keychain
	signer signature.Signer
}

// machine is one installation of the member.
type machine struct {
	*world
	home string
	env  []string
}

// newWorld makes an empty bucket, in memory where there is some.
func newWorld(tb testing.TB) *world {
	tb.Helper()
	parent := "/dev/shm"
	if !home.InMemory(parent) {
		parent = ""
	}
	return newWorldIn(tb, parent)
}

// newWorldIn does it in a directory.
func newWorldIn(tb testing.TB, parent string) *world {
	tb.Helper()
	root, err := os.MkdirTemp(parent, "vx-")
	must(tb, err)
	tb.Cleanup(func() {
		settled(tb, root)
		must(tb, removetree.All(root))
	})
	w := &world{tb: tb, dir: root, bin: filepath.Join(root, "bin"), bucket: filepath.Join(root, "bucket")}
	w.url = "vexa::" + w.bucket
	for _, d := range []string{w.bin, filepath.Join(root, "run")} {
		must(tb, os.Mkdir(d, 0o700))
	}
	must(tb, os.Symlink(program(tb), filepath.Join(w.bin, "vexa")))
	must(tb, os.Symlink("vexa", filepath.Join(w.bin, helperName)))
	id, err := seal.NewIdentity()
	must(tb, err)
	w.chain, err = seal.NewKeychain(id, nil)
	must(tb, err)
	w.signer, err = signature.Derive(id.String())
	must(tb, err)
	w.makeBucket(w.bucket)
	return w
}

// makeBucket makes an empty bucket in a directory.
func (w *world) makeBucket(path string) {
	w.tb.Helper()
	store, err := dir.Open(path, dir.Options{Make: true})
	must(w.tb, err)
	state := filepath.Join(w.dir, "maker")
	b, err := bucket.Create(context.Background(), bucket.Options{Store: store, Keys: w, State: state, Now: time.Now}, bucket.CreateOptions{
		Members: []manifestv1.Member{w.member("jane")},
	})
	must(w.tb, err)
	must(w.tb, b.Close())
}

// OpenKeyring implements bucket.Keys.
func (w *world) OpenKeyring(_ context.Context, sealed []byte) ([]byte, error) {
	ids, err := keys.Identities(w.chain)
	if err != nil {
		return nil, err
	}
	return seal.DecryptBytes(sealed, ids...)
}

// ParseRecipient implements bucket.Keys.
func (w *world) ParseRecipient(text string) (seal.Recipient, error) { return seal.ParseRecipient(text) }

// Signer implements bucket.Keys.
func (w *world) Signer(context.Context) (signature.Signer, error) { return w.signer, nil }

// state reads the newest generation, as a machine that never saw the bucket.
func (w *world) state() *bucket.State {
	w.tb.Helper()
	store, err := dir.Open(w.bucket, dir.Options{})
	must(w.tb, err)
	b, err := bucket.Open(context.Background(), bucket.Options{Store: store, Keys: w, State: w.tb.TempDir(), Now: time.Now})
	must(w.tb, err)
	defer b.Close()
	st, err := b.Head(context.Background())
	must(w.tb, err)
	return st
}

// machine makes another installation of the member.
func (w *world) machine(name string) *machine {
	w.tb.Helper()
	m := &machine{world: w, home: filepath.Join(w.dir, name)}
	must(w.tb, os.MkdirAll(filepath.Join(m.home, "user"), 0o700))
	m.env = []string{
		"PATH=" + w.bin + ":/usr/bin:/bin", "HOME=" + filepath.Join(m.home, "user"), "VEXA_HOME=" + filepath.Join(m.home, "vexa"), "LC_ALL=C.UTF-8",
		"XDG_RUNTIME_DIR=" + filepath.Join(w.dir, "run"), "VEXA_PLAINTEXT_DIR=" + filepath.Join(w.dir, "run"), "TMPDIR=" + filepath.Join(m.home, "tmp"),
		"VEXA_NO_INPUT=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}
	must(w.tb, os.Mkdir(filepath.Join(m.home, "tmp"), 0o700))
	must(w.tb, os.WriteFile(filepath.Join(m.home, "user", ".gitconfig"),
		[]byte("[user]\nname = Jane\nemail = jane@example.org\n[init]\ndefaultBranch = main\n[gc]\nauto = 0\n[advice]\ndetachedHead = false\n[core]\nfsync = none\n"), 0o600))
	h, err := home.Open(m.lookup, os.Getuid())
	must(w.tb, err)
	must(w.tb, keys.New(keys.Options{Dir: h.Keys(), Install: h.InstallID, Now: time.Now}).Adopt(context.Background(), w.chain, keys.With{}))
	return m
}

// lookup is getenv of the machine.
func (m *machine) lookup(name string) string {
	for _, kv := range slices.Backward(m.env) {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// with returns the machine with more in its environment.
func (m *machine) with(env ...string) *machine {
	out := *m
	out.env = append(append([]string{}, m.env...), env...)
	return &out
}

// ran is what one command did.
type ran struct {
	out  string // of stdout, without its last line end
	err  string // of stderr
	code int
}

// command prepares a program of the machine, in a process group of its own.
func (m *machine) command(at string, args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	if filepath.Base(args[0]) == args[0] {
		for _, d := range filepath.SplitList(m.lookup("PATH")) {
			if path := filepath.Join(d, args[0]); isFile(path) {
				cmd.Path, cmd.Err = path, nil
				break
			}
		}
	}
	cmd.Dir, cmd.Env = at, m.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// run runs a program to its end.
func (m *machine) run(at string, args ...string) ran {
	m.tb.Helper()
	cmd := m.command(at, args...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.tb.Errorf("%s: %v", strings.Join(args, " "), err)
	}
	return ran{out: strings.TrimSuffix(out.String(), "\n"), err: stderr.String(), code: cmd.ProcessState.ExitCode()}
}

// try runs git and takes it as it comes.
func (m *machine) try(at string, args ...string) ran {
	m.tb.Helper()
	return m.run(at, append([]string{"git"}, args...)...)
}

// git runs git, which succeeds, and returns its output.
func (m *machine) git(at string, args ...string) string {
	m.tb.Helper()
	r := m.try(at, args...)
	if r.code != 0 {
		m.tb.Fatalf("git %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// refused runs git, which fails, and says each of the texts on stderr.
func (m *machine) refused(at string, says []string, args ...string) ran {
	m.tb.Helper()
	r := m.try(at, args...)
	if r.code == 0 {
		m.tb.Errorf("git %s succeeded: %s", strings.Join(args, " "), r.err)
	}
	for _, text := range says {
		if !strings.Contains(r.err, text) {
			m.tb.Errorf("git %s does not say %q:\n%s", strings.Join(args, " "), text, r.err)
		}
	}
	return r
}

// path is a path of the machine's.
func (m *machine) path(name ...string) string {
	return filepath.Join(append([]string{m.home}, name...)...)
}

// init makes an empty repository with the bucket as its origin.
func (m *machine) init(name string, args ...string) string {
	m.tb.Helper()
	m.git(m.home, append(append([]string{"init", "-q"}, args...), name)...)
	m.git(m.path(name), "remote", "add", "origin", m.url)
	return m.path(name)
}

// clone clones the bucket.
func (m *machine) clone(name string, args ...string) string {
	m.tb.Helper()
	m.git(m.home, append(append([]string{"clone", "-q"}, args...), m.url, name)...)
	return m.path(name)
}

// seeded makes a repository with one commit on main, which is pushed.
func (m *machine) seeded(name string) string {
	m.tb.Helper()
	at := m.init(name)
	m.commit(at, "first.md", "first\n")
	m.git(at, "push", "-q", "-u", "origin", "main")
	return at
}

// commit writes a file, commits it and returns the commit's id.
func (m *machine) commit(at, path, text string) string {
	m.tb.Helper()
	full := filepath.Join(at, path)
	must(m.tb, os.MkdirAll(filepath.Dir(full), 0o700))
	must(m.tb, os.WriteFile(full, []byte(text), 0o600))
	m.git(at, "add", "--", path)
	m.git(at, "commit", "-q", "-m", "Change "+path)
	return m.head(at)
}

func (m *machine) head(at string) string {
	m.tb.Helper()
	return m.git(at, "rev-parse", "HEAD")
}

// sound checks that a repository lacks nothing and holds nothing broken.
func (m *machine) sound(at string) {
	m.tb.Helper()
	r := m.try(at, "fsck", "--full", "--strict", "--no-dangling", "--no-progress")
	for line := range strings.Lines(r.err) { // git notices where there is no branch at all, or not that of HEAD
		if !strings.HasPrefix(line, "notice: ") {
			r.code = max(r.code, 1)
		}
	}
	if r.code != 0 {
		m.tb.Errorf("git fsck in %s: exit %d\n%s%s", at, r.code, r.out, r.err)
	}
}

// remoteRefs returns the bucket's refs as git sees them, by name, HEAD among
// them.
func (m *machine) remoteRefs() map[string]string {
	m.tb.Helper()
	out := map[string]string{}
	for line := range strings.Lines(m.git(m.home, "ls-remote", m.url)) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		out[name] = id
	}
	return out
}

// same checks that a fresh clone of the whole bucket, by a machine that never
// saw it, is sound and has exactly the refs of a repository, less what that knows of others.
func (w *world) same(m *machine, at string) {
	w.tb.Helper()
	fresh := w.machine("fresh" + fmt.Sprint(time.Now().UnixNano()))
	copied := fresh.clone("mirror", "--mirror")
	fresh.sound(copied)
	const format = "--format=%(objectname) %(refname)"
	own := []string{"for-each-ref", format, "refs/heads", "refs/tags", "refs/notes", "refs/replace"}
	want, got := m.git(at, own...), fresh.git(copied, "for-each-ref", format)
	if want != got {
		w.tb.Errorf("the bucket holds other refs:\n%s\nand the repository\n%s", got, want)
	}
}

// adopt gives a machine the key of another world's member.
func adopt(tb testing.TB, m *machine, from *world) {
	tb.Helper()
	h, err := home.Open(m.lookup, os.Getuid())
	must(tb, err)
	must(tb, keys.New(keys.Options{Dir: h.Keys(), Install: h.InstallID, Now: time.Now}).Adopt(context.Background(), from.chain, keys.With{}))
}

// share makes the member of another world a member of this bucket, with all
// rights unless others are given.
func (w *world) share(with *world, rights ...manifestv1.Right) {
	w.tb.Helper()
	store, err := dir.Open(w.bucket, dir.Options{})
	must(w.tb, err)
	b, err := bucket.Open(context.Background(), bucket.Options{Store: store, Keys: w, State: w.tb.TempDir(), Now: time.Now})
	must(w.tb, err)
	defer b.Close()
	_, err = b.SetMembership(context.Background(), func(m *manifestv1.Membership, _ *bucket.State) (bool, error) {
		kim := with.member("kim")
		if rights != nil {
			kim.Rights = rights
		}
		m.Members = append(m.Members, kim)
		return false, nil
	})
	must(w.tb, err)
}

// member is the world's member, who may do everything.
func (w *world) member(name string) manifestv1.Member {
	return manifestv1.Member{
		ID: "u_" + name, Name: name, Recipients: []string{w.chain.Classic().Recipient()}, Signers: []string{w.signer.Key().String()},
		Rights: []manifestv1.Right{{Refs: "refs/*", Allow: []string{"write", "admin"}}},
	}
}

// settled waits until nothing is maintained below a directory: git push starts
// that and does not wait for it.
func settled(tb testing.TB, root string) {
	tb.Helper()
	for start := time.Now(); time.Since(start) < patience; <-time.After(10 * time.Millisecond) {
		all, err := filepath.Glob("/proc/[0-9]*/cmdline")
		must(tb, err)
		if !slices.ContainsFunc(all, func(path string) bool {
			line, err := os.ReadFile(path)
			return err == nil && bytes.Contains(line, []byte("\x00maintain\x00")) && bytes.Contains(line, []byte(root))
		}) {
			return
		}
	}
	tb.Error("a bucket is maintained for a minute")
}
