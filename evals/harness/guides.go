package harness

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/screentest"
)

// commandWithin is how long a command of a guide may take.
const commandWithin = 2 * time.Minute

// Guide is a page of documentation whose commands are run, and what it takes for
// granted.
type Guide struct {
	File   string            // in the repository
	Podman bool              // it starts containers
	Tools  []string          // programs that it takes for granted, beyond git and a shell
	Before string            // what its reader has done already, in the form of a guide's block
	After  string            // what has to hold when all of it was done, likewise
	Files  map[string]string // that are there
	Saved  map[string]string // blocks of the page that its reader saves, by what each begins with
	// Serve starts what the guide takes for granted. It says what stands here for what
	// the text names, and what people's environments have, by who; files are put into dir.
	Serve func(t *testing.T, dir string) (replace map[string]string, env map[string][]string)
}

// Counts are how many commands and scripts of a guide are run, and how many are not,
// with each reason once, as the guide says it.
type Counts struct {
	Run, Untested int
	Why           []string
}

// Count reads a guide and counts its commands. It fails where a script of the page is
// neither saved by its reader nor said to be untested.
func Count(t *testing.T, g Guide) Counts {
	t.Helper()
	page := loadGuide(t, filepath.Join(repository(t), g.File))
	g.checkScripts(t, page)
	return Counts{Run: page.run(), Untested: page.untested(), Why: page.why()}
}

func (g Guide) checkScripts(t *testing.T, page guide) {
	t.Helper()
	for _, s := range page.scripts {
		begins := func(begin string) bool {
			return strings.HasPrefix(s.begin+"\n", begin) || strings.HasPrefix(begin, s.begin+"\n")
		}
		if s.untested == "" && !slices.ContainsFunc(slices.Collect(maps.Values(g.Saved)), begins) {
			t.Errorf("%s:%d: nobody runs this script; where it cannot be, its first line ends in: # untested: why", g.File, s.line)
		}
	}
}

func loadGuide(t *testing.T, path string) guide {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g, err := readGuide(string(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return g
}

// RunGuides runs the commands of each guide, in order and in a home of its own, and
// compares what they print with what the guide shows. Guides run at the same time.
func RunGuides(t *testing.T, stage string, guides []Guide) {
	t.Helper()
	if err := checkOut(outDir(repository(t))); err != nil {
		t.Fatal(err)
	}
	s := &suite{stage: stage, root: repository(t), podman: podmanWorks(), report: newReport(stage, repository(t), len(guides))}
	s.bin = build(t, s.root)
	t.Cleanup(func() {
		if err := s.report.write(outDir(s.root)); err != nil {
			t.Errorf("the report: %v", err)
		}
	})
	for _, g := range guides {
		t.Run(strings.NewReplacer("docs/how-to/", "", "docs/", "", "/", "-", ".md", "").Replace(g.File), func(t *testing.T) {
			t.Parallel()
			s.guide(t, g)
		})
	}
}

// needsTool skips a guide or a claim, or fails it where VEXA_TEST_REQUIRE names the program.
func needsTool(t *testing.T, name string) {
	t.Helper()
	_, err := exec.LookPath(name)
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv(EnvNeeds), ","), name):
		t.Fatalf("%s requires %s: %v", EnvNeeds, name, err)
	default:
		t.Skipf("needs %s: %v", name, err)
	}
}

// reading is one guide as it is run.
type reading struct {
	*testing.T
	s        *suite
	g        Guide
	root     string // of everybody's homes
	desk     string // where everybody works; files are handed over there
	homes    map[string]bool
	places   map[string]string // directories that people have gone to, by who
	names    names
	replace  []string // of strings.NewReplacer
	env      map[string][]string
	evidence strings.Builder
}

func (r *reading) note(text string) { r.evidence.WriteString(text) }

func (s *suite) guide(t *testing.T, g Guide) {
	t.Helper()
	page := loadGuide(t, filepath.Join(s.root, g.File))
	if page.run() == 0 {
		t.Fatalf("%s has no command that is run", g.File)
	}
	g.checkScripts(t, page)
	if g.Podman {
		s.needsPodman(t)
	}
	for _, tool := range g.Tools {
		needsTool(t, tool)
	}
	begun := time.Now()
	r := &reading{T: t, s: s, g: g, root: t.TempDir(), homes: map[string]bool{}, places: map[string]string{}, names: names{}}
	r.desk = filepath.Join(r.root, "desk")
	t.Cleanup(func() { r.done(page, begun) })
	r.prepare()
	before, err := readGuide("```\n" + g.Before + "\n```\n")
	r.must(err)
	after, err := readGuide("```\n" + g.After + "\n```\n")
	r.must(err)
	for _, step := range slices.Concat(before.steps, page.steps, after.steps) {
		if !r.step(step) {
			return
		}
	}
}

// prepare makes what the guide takes for granted.
func (r *reading) prepare() {
	r.Helper()
	replace := map[string]string{"/media/stick": filepath.Join(r.root, "stick"), "/media/backup": filepath.Join(r.root, "backup")}
	for _, dir := range []string{"desk", "stick", "backup"} {
		r.must(os.MkdirAll(filepath.Join(r.root, dir), 0o700))
	}
	for name, text := range r.g.Files {
		path := filepath.Join(r.desk, name)
		r.must(os.MkdirAll(filepath.Dir(path), 0o700))
		r.must(os.WriteFile(path, []byte(text), 0o600))
	}
	for name, begin := range r.g.Saved {
		text := r.block(begin)
		path := filepath.Join(r.desk, name)
		r.must(os.MkdirAll(filepath.Dir(path), 0o700))
		r.must(os.WriteFile(path, []byte(text), 0o600))
	}
	if r.g.Serve != nil {
		more, env := r.g.Serve(r.T, r.desk)
		maps.Copy(replace, more)
		r.env = env
	}
	for text, here := range replace {
		r.replace = append(r.replace, text, here)
	}
}

// block is the block of the page that begins so.
func (r *reading) block(begin string) string {
	r.Helper()
	page, err := os.ReadFile(filepath.Join(r.s.root, r.g.File))
	r.must(err)
	for i, part := range strings.Split("\n"+string(page), "\n```") {
		_, text, _ := strings.Cut(part, "\n")
		if i%2 == 1 && strings.HasPrefix(text, begin) {
			return text + "\n"
		}
	}
	r.Fatalf("%s has no block that begins with %q", r.g.File, begin)
	return ""
}

func (r *reading) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// home is where a person lives, made when they first do something. What Vexa keeps is
// where it is without VEXA_HOME, which is set so that this home is told from others.
func (r *reading) home(who string) string {
	r.Helper()
	home := filepath.Join(r.root, "home-"+cmp.Or(who, "you"))
	if r.homes[home] {
		return home
	}
	r.homes[home] = true
	vexa := filepath.Join(home, ".vexa")
	r.must(os.MkdirAll(vexa, 0o700))
	for name, dir := range map[string]string{"config": ".config/vexa", "data": ".local/share/vexa", "state": ".local/state/vexa", "cache": ".cache/vexa"} {
		dir = filepath.Join(home, dir)
		r.must(os.MkdirAll(dir, 0o700))
		r.must(os.Symlink(dir, filepath.Join(vexa, name)))
	}
	for _, dir := range []string{".local/bin", "bin"} {
		r.must(os.MkdirAll(filepath.Join(home, dir), 0o700))
	}
	r.must(os.Symlink(filepath.Join(r.s.bin, "vexa"), filepath.Join(home, "bin", "vexa"))) // and no git-remote-vexa, which a guide installs
	person := cmp.Or(who, "jane")
	name := strings.ToUpper(person[:1]) + person[1:]
	r.must(os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[user]\n\tname = "+name+"\n\temail = "+person+"@example.org\n[init]\n\tdefaultBranch = main\n"), 0o600))
	return home
}

// environ is what a person's commands run in. Podman's storage is the user's.
func (r *reading) environ(who string) []string {
	home := r.home(who)
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		data = filepath.Join(os.Getenv("HOME"), ".local", "share")
	}
	env := []string{
		"HOME=" + home, "VEXA_HOME=" + filepath.Join(home, ".vexa"), "LANG=C.UTF-8", "TERM=xterm-256color", "NO_COLOR=1", "PAGER=cat", "MANPAGER=cat", "EDITOR=true",
		"XDG_DATA_HOME=" + data, "REPO=" + r.s.root,
		"PATH=" + filepath.Join(home, ".local", "bin") + ":" + filepath.Join(home, "bin") + ":" + os.Getenv("PATH"), failpoint.Env + "=",
	}
	for _, name := range []string{"USER", "XDG_RUNTIME_DIR", "VEXA_PLAINTEXT_DIR"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return append(env, r.env[who]...)
}

// replacer puts what is here for what a guide names.
func (r *reading) replacer() *strings.Replacer { return strings.NewReplacer(r.replace...) }

// step runs one command and compares what it printed. It returns whether to go on,
// which is so unless the command ended as it should not.
func (r *reading) step(s step) bool {
	r.Helper()
	if s.untested != "" {
		return true
	}
	replacer := r.replacer()
	command := r.names.in(replacer.Replace(s.command))
	fmt.Fprintf(&r.evidence, "%s$ %s\n", s.who, command)
	printed, code, err := r.keys(s, command)
	r.evidence.WriteString(printed)
	if err != nil {
		r.Errorf("%s:%d: %s: %v\n%s", r.g.File, s.line, command, err, printed)
		return false
	}
	if (code != 0) != s.fails() {
		r.Errorf("%s:%d: %s: it ended with code %d\n%s", r.g.File, s.line, command, code, printed)
		return false
	}
	if !s.shows() {
		return true
	}
	var want []string
	for _, line := range s.want {
		want = append(want, replacer.Replace(line))
	}
	if err := r.names.compare(want, strings.Split(printed, "\n")); err != nil {
		r.Errorf("%s:%d: %s: %v", r.g.File, s.line, command, err)
	}
	return true
}

// shell goes to where the person is, does what they typed, and notes where they are.
const shell = `cd "$1" || exit; eval "$3"; code=$?; pwd >"$2"; exit $code`

// keys runs a command on a terminal, typing what the guide says.
func (r *reading) keys(s step, command string) (printed string, code int, err error) {
	replacer := r.replacer()
	place := filepath.Join(r.home(s.who), ".place")
	t, err := screentest.Start(screentest.Options{
		Command: []string{"sh", "-c", shell, "sh", cmp.Or(r.places[s.who], r.desk), place, command},
		Env:     r.environ(s.who), Cols: 400, Rows: 50,
	})
	if err != nil {
		return "", 0, err
	}
	defer t.Close() //nolint:errcheck // its program has ended, or is what failed
	for _, a := range s.answers() {
		question, _ := r.names.pattern(replacer.Replace(a.question))
		asked := regexp.MustCompile(question)
		asks := func(screentest.Screen) bool { return asked.Match(t.Raw()) }
		if _, err := t.Wait(commandWithin, asks); err != nil {
			return plain(t), 0, fmt.Errorf("it never asked %q: %w", a.question, err)
		}
		t.Type([]byte(a.text + "\r"))
	}
	if s.screen {
		if _, err := t.Wait(commandWithin, composes); err != nil {
			return plain(t), 0, fmt.Errorf("its screen never came up: %w", err)
		}
		t.Type([]byte{4}) // Ctrl-D
	}
	code, err = t.Exit(commandWithin)
	if data, e := os.ReadFile(place); e == nil {
		r.places[s.who] = strings.TrimSpace(string(data))
	}
	return plain(t), code, err
}

// composes reports whether a screen is the chat's, which waits for a message.
func composes(s screentest.Screen) bool {
	return s.AltScreen && strings.Contains(s.Text(), "a message · ? keys · / commands")
}

// plain is what is left on a terminal of what a program wrote: without lines that were
// written over, and what only moves, paints or erases.
func plain(t *screentest.Terminal) string {
	text := strings.ReplaceAll(string(t.Raw()), "\r\n", "\n")
	escapes := regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|.\x08`) // and what is struck over, as a manual does for bold
	var out strings.Builder
	for line := range strings.Lines(text) {
		for strings.Contains(line, "\r") {
			_, line, _ = strings.Cut(line, "\r")
		}
		out.WriteString(escapes.ReplaceAllString(line, ""))
	}
	return out.String()
}

// done ends everybody's daemons and puts the guide into the report.
func (r *reading) done(page guide, begun time.Time) {
	for home := range r.homes {
		vexa := filepath.Join(home, ".vexa")
		tenancy{home: vexa, vexa: filepath.Join(r.s.bin, "vexa"), vars: append(os.Environ(), "VEXA_HOME="+vexa)}.leave(r)
	}
	outcome := "held"
	switch {
	case r.Skipped():
		outcome = "skipped"
	case r.Failed():
		outcome = "failed"
		r.Log(r.evidence.String())
	}
	r.s.report.add(result{
		Claim:  fmt.Sprintf("The guide “%s” does what it says: %d commands are run, %d are not.", page.title, page.run(), page.untested()),
		Script: r.g.File, Outcome: outcome, Seconds: time.Since(begun).Seconds(), Evidence: r.evidence.String(),
	})
}
