package speed

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/evals/harness"
)

// BenchmarkGit is the distribution's own git on an encrypted bucket against the
// same git on a bare repository over file://, and where Debian's package is
// installed on git-remote-gcrypt, over a repository of more than 100,000
// objects. Goals: first push and clone faster than plain git; a one-line push at
// 1.5 times and never over a second, with at most 4 KB more than its thin pack.
func BenchmarkGit(b *testing.B) {
	l := harness.NewLive(b)
	r := newRemotes(b, l)
	b.Run("FirstPush", r.firstPush)
	b.Run("CloneBare", func(b *testing.B) { r.clone(b, "--bare") })
	b.Run("CloneAndCheckout", func(b *testing.B) { r.clone(b) })
	b.Run("NoOpFetch", r.noOpFetch)
	b.Run("OneLinePush", r.oneLinePush)
	b.Run("EightPushersAtOnce", r.pushersAtOnce)
	b.Run("BytesAtRest", r.bytesAtRest)
}

// remote is one way to keep a repository elsewhere.
type remote struct {
	name string
	url  string
	dir  string   // where it rests
	env  []string // of git
}

// remotes are those that are compared: ours, and the floors.
type remotes struct {
	live   *harness.Live
	source string // a bare repository
	ours   remote
	others []remote
}

func newRemotes(b *testing.B, l *harness.Live) *remotes {
	b.Helper()
	dir := b.TempDir()
	r := &remotes{live: l, source: filepath.Join(dir, "source.git")}
	env := append(l.Env, "PATH="+filepath.Dir(l.Vexa)+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+dir,
		"GIT_AUTHOR_NAME=Jane", "GIT_AUTHOR_EMAIL=jane@example.org", "GIT_COMMITTER_NAME=Jane", "GIT_COMMITTER_EMAIL=jane@example.org",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=gc.auto", "GIT_CONFIG_VALUE_0=0")
	r.ours = remote{name: "vexa", url: "vexa::speed", env: env}
	l.Run(b, "workspace", "create", "speed")
	r.ours.dir = strings.TrimPrefix(strings.TrimSpace(l.Run(b, "workspace", "show", "speed", "--json", "bucket", "--jq", ".bucket")), "file://")
	plain := filepath.Join(dir, "plain.git")
	r.others = []remote{{name: "plain", url: "file://" + plain, dir: plain, env: env}}
	r.git(b, env, "init", "-q", "--bare", "-b", "main", plain)
	r.git(b, env, "init", "-q", "--bare", "-b", "main", r.source)
	cmd := exec.CommandContext(b.Context(), "git", "--git-dir="+r.source, "fast-import", "--quiet", "--done")
	cmd.Env, cmd.Stdin = env, bytes.NewReader(history(11_500))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("git fast-import: %v\n%s", err, out)
	}
	r.git(b, env, "--git-dir="+r.source, "gc", "-q")
	if g, ok := gcrypt(b, dir, env); ok {
		r.others = append(r.others, g)
	}
	return r
}

// gcrypt is a remote of git-remote-gcrypt with a key of its own.
func gcrypt(b *testing.B, dir string, env []string) (remote, bool) {
	b.Helper()
	if _, err := exec.LookPath("git-remote-gcrypt"); err != nil {
		b.Log("git-remote-gcrypt is not installed: it is not compared")
		return remote{}, false
	}
	at, keys := filepath.Join(dir, "gcrypt"), filepath.Join(dir, "g")
	for _, d := range []string{at, keys} {
		if err := os.Mkdir(d, 0o700); err != nil {
			b.Fatal(err)
		}
	}
	env = append(env, "GNUPGHOME="+keys)
	cmd := exec.CommandContext(b.Context(), "gpg", "--batch", "--passphrase", "", "--quick-gen-key", "speed <speed@example.org>", "default", "default", "never")
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Logf("gpg makes no key: %v: git-remote-gcrypt is not compared\n%s", err, out)
		return remote{}, false
	}
	b.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", keys, "--kill", "all").Run() })
	return remote{name: "gcrypt", url: "gcrypt::" + at, dir: at, env: env}, true
}

// cost is what one command took.
type cost struct {
	wall, cpu time.Duration
}

func (r *remotes) git(b *testing.B, env []string, args ...string) cost {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "git", args...)
	cmd.Env = env
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	c := cost{wall: time.Since(begun)}
	if err != nil {
		b.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return c
}

// measure does the same with every remote, in as many turns for each round, and
// reports.
func (r *remotes) measure(b *testing.B, turns int, do func(remote) cost) {
	b.Helper()
	all := append([]remote{r.ours}, r.others...)
	costs := make(map[string][]cost)
	for b.Loop() {
		for range turns {
			for _, at := range all {
				costs[at.name] = append(costs[at.name], do(at))
			}
		}
	}
	r.report(b, costs)
}

func (r *remotes) report(b *testing.B, costs map[string][]cost) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	p50 := make(map[string]time.Duration)
	for name, list := range costs {
		var walls, cpus []time.Duration
		for _, c := range list {
			walls, cpus = append(walls, c.wall), append(cpus, c.cpu)
		}
		p50[name] = quantile(walls, 0.5)
		b.ReportMetric(ms(p50[name]), name+"-p50-ms")
		if len(list) >= 20 {
			b.ReportMetric(ms(quantile(walls, 0.95)), name+"-p95-ms")
			b.ReportMetric(ms(quantile(walls, 1)), name+"-worst-ms")
		}
		b.ReportMetric(ms(quantile(cpus, 0.5)), name+"-cpu-ms")
	}
	b.ReportMetric(float64(p50["vexa"])/float64(p50["plain"]), "x-floor")
	if p50["gcrypt"] > 0 {
		b.ReportMetric(float64(p50["vexa"])/float64(p50["gcrypt"]), "x-gcrypt")
	}
}

// branch counts, so that each first push brings all of the history under a name
// of its own; only the very first brings objects.
func (r *remotes) firstPush(b *testing.B) {
	costs := make(map[string][]cost)
	done := false
	for b.Loop() {
		if done {
			continue
		}
		done = true
		for _, at := range append([]remote{r.ours}, r.others...) {
			costs[at.name] = []cost{r.git(b, at.env, "--git-dir="+r.source, "push", "-q", at.url, "+main:main")}
		}
	}
	r.report(b, costs)
}

// A first clone after much was written may wait for the disk for seconds,
// whosever it is: that is why there are several, in turns.
const manyClones = 5

func (r *remotes) clone(b *testing.B, args ...string) {
	b.Helper()
	r.measure(b, manyClones, func(at remote) cost {
		to := filepath.Join(b.TempDir(), at.name)
		return r.git(b, at.env, append(append([]string{"clone", "-q"}, args...), at.url, to)...)
	})
}

// checkouts clones every remote once.
func (r *remotes) checkouts(b *testing.B) map[string]string {
	b.Helper()
	dirs := make(map[string]string)
	for _, at := range append([]remote{r.ours}, r.others...) {
		dirs[at.name] = filepath.Join(b.TempDir(), at.name)
		r.git(b, at.env, "clone", "-q", at.url, dirs[at.name])
	}
	return dirs
}

func (r *remotes) noOpFetch(b *testing.B) {
	dirs := r.checkouts(b)
	r.measure(b, 1, func(at remote) cost { return r.git(b, at.env, "-C", dirs[at.name], "fetch", "-q") })
}

// manyPushes is over how many pushes the worst is reported.
const manyPushes = 200

func (r *remotes) oneLinePush(b *testing.B) {
	dirs := r.checkouts(b)
	costs := make(map[string][]cost)
	before, pushes := size(b, r.ours.dir), 0
	for b.Loop() {
		for range manyPushes {
			for _, at := range append([]remote{r.ours}, r.others...) {
				if at.name == "gcrypt" && pushes >= 30 {
					continue // it packs everything again at the 26th: seen once is enough
				}
				r.oneLine(b, at, dirs[at.name], pushes)
				costs[at.name] = append(costs[at.name], r.git(b, at.env, "-C", dirs[at.name], "push", "-q"))
			}
			pushes++
		}
	}
	r.report(b, costs)
	b.ReportMetric(float64(size(b, r.ours.dir)-before)/float64(pushes), "bytes/push")
}

func (r *remotes) oneLine(b *testing.B, at remote, dir string, n int) {
	b.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "log.md"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	_, err = fmt.Fprintf(f, "line %d\n", n)
	if cerr := f.Close(); err != nil || cerr != nil {
		b.Fatal(err, cerr)
	}
	r.git(b, at.env, "-C", dir, "add", "log.md")
	r.git(b, at.env, "-C", dir, "commit", "-q", "-m", "One line")
}

func (r *remotes) pushersAtOnce(b *testing.B) {
	const pushers = 8
	dirs := make(map[string][]string)
	for _, at := range []remote{r.ours, r.others[0]} {
		for range pushers {
			dir := filepath.Join(b.TempDir(), at.name)
			r.git(b, at.env, "clone", "-q", at.url, dir)
			dirs[at.name] = append(dirs[at.name], dir)
		}
	}
	costs := make(map[string][]cost)
	for n := 0; b.Loop(); n++ {
		for _, at := range []remote{r.ours, r.others[0]} {
			for _, dir := range dirs[at.name] {
				r.oneLine(b, at, dir, n)
			}
			begun := time.Now()
			var wg sync.WaitGroup
			for i, dir := range dirs[at.name] {
				wg.Go(func() { r.git(b, at.env, "-C", dir, "push", "-q", at.url, fmt.Sprintf("HEAD:refs/heads/pusher-%d", i)) })
			}
			wg.Wait()
			costs[at.name] = append(costs[at.name], cost{wall: time.Since(begun)})
		}
	}
	r.report(b, costs)
}

func (r *remotes) bytesAtRest(b *testing.B) {
	for b.Loop() {
	}
	b.ReportMetric(0, "ns/op")
	ours, plain := size(b, r.ours.dir), size(b, r.others[0].dir)
	b.ReportMetric(float64(ours)/(1<<20), "vexa-MB")
	b.ReportMetric(float64(plain)/(1<<20), "plain-MB")
	b.ReportMetric(float64(ours)/float64(plain), "x-floor")
}

// size is what the files below a directory hold, in bytes.
func size(b *testing.B, dir string) int64 {
	b.Helper()
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}
