package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vexa-ai/vexa/pkg/cli"
	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/quota"
	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/runner"
	"github.com/vexa-ai/vexa/pkg/runner/image"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// topic is the text of vexa help NAME.
func topic(t *testing.T, name string) string {
	t.Helper()
	cmd, _, err := cli.New(processFactory()).Find([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Long
}

// What vexa help files says is where pkg/home has it, and the files that people write
// are called as the packages that read them call them.
func TestFilesAreWhereTheyAreSaidToBe(t *testing.T) {
	t.Parallel()
	text := topic(t, "files")
	has := func(what, path string) {
		t.Helper()
		if !regexp.MustCompile(`(?m)(^| )` + regexp.QuoteMeta(path) + `([ ;.,]|$)`).MatchString(text) {
			t.Errorf("vexa help files does not say that %s: %s", what, path)
		}
	}
	user, run, plain := t.TempDir(), t.TempDir(), t.TempDir()
	open := func(env map[string]string) home.Home {
		t.Helper()
		h, err := home.Open(func(name string) string { return env[name] }, os.Getuid())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := open(map[string]string{"HOME": user, "XDG_RUNTIME_DIR": run, "VEXA_PLAINTEXT_DIR": plain})
	below := func(path string) string {
		path = strings.Replace(path, user, "~", 1)
		path = strings.Replace(path, run, "$XDG_RUNTIME_DIR", 1)
		return strings.Replace(path, h.InstallID, "ID", 1)
	}
	for what, path := range map[string]string{
		"settings are there": h.Config, "data is there": h.Data, "state is there": h.State, "the cache is there": h.Cache, "sockets are there": h.Run,
	} {
		has(what, below(path))
	}
	if h.Plain != filepath.Join(plain, "vexa-"+h.InstallID) || !strings.Contains(text, "VEXA_PLAINTEXT_DIR is set vexa-ID in it") {
		t.Errorf("open workspaces are in %s", h.Plain)
	}
	if in := open(map[string]string{"HOME": user, "XDG_RUNTIME_DIR": shm(t)}); filepath.Base(in.Plain) == "plain" {
		has("open workspaces are there", "$XDG_RUNTIME_DIR/vexa-ID/plain")
	} else {
		t.Errorf("open workspaces are in %s", in.Plain)
	}
	moved := open(map[string]string{"VEXA_HOME": filepath.Join(user, "home"), "XDG_RUNTIME_DIR": run, "VEXA_PLAINTEXT_DIR": plain})
	for name, path := range map[string]string{"config": moved.Config, "data": moved.Data, "state": moved.State, "cache": moved.Cache} {
		if path != filepath.Join(user, "home", name) {
			t.Errorf("with VEXA_HOME %s is %s", name, path)
		}
	}
	if !strings.Contains(text, "beneath\nit as config, data, state and cache") {
		t.Error("vexa help files does not say what VEXA_HOME moves")
	}
	runners, err := filepath.Rel(h.Config, filepath.Join(h.Runners(), "NAME", runner.ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	log, err := filepath.Rel(h.State, h.DaemonLog())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{runners, retention.File, quota.File, transcript.File, image.SourcesFile, "plugins.json", "rehearsal.yaml", log} {
		has("there is", name)
	}
}

// shm is a directory in memory.
func shm(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "vexa-topics-")
	if err != nil {
		t.Skip("there is no /dev/shm: ", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// What the command line and the daemon read of the environment is listed, and nothing
// that they do not read.
func TestTheEnvironmentIsListed(t *testing.T) {
	t.Parallel()
	text := topic(t, "environment")
	// In containers, and of tests.
	others := regexp.MustCompile(`^VEXA_(AGENT|MCP|TEST)_|^VEXA_FAILPOINTS$`)
	name := regexp.MustCompile(`"(VEXA_[A-Z_]+|NO_COLOR|CLICOLOR_FORCE|TERM|VISUAL|EDITOR|CI|XDG_[A-Z]+_(?:HOME|DIR)|DBUS_SESSION_BUS_ADDRESS)"`)
	read := map[string]bool{}
	for _, dir := range []string{"../../cmd", ".."} {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "tui/") {
				return err
			}
			data, err := os.ReadFile(path)
			for _, m := range name.FindAllStringSubmatch(string(data), -1) {
				read[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for variable := range read {
		if !others.MatchString(variable) && !regexp.MustCompile(`\b`+variable+`\b`).MatchString(text) {
			t.Errorf("vexa help environment does not list %s", variable)
		}
	}
	for _, variable := range regexp.MustCompile(`\b(VEXA_[A-Z_]+|XDG_[A-Z_]+|NO_COLOR|CLICOLOR_FORCE|VISUAL)\b`).FindAllString(text, -1) {
		if !read[variable] {
			t.Errorf("vexa help environment lists %s, which nothing reads", variable)
		}
	}
}

// A contract that is named in a topic, or in the help of a command, is one that there is,
// and the newest of its kind: what is shown is what the commands print.
func TestContractsThatAreNamedAreThere(t *testing.T) {
	t.Parallel()
	set, err := contract.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\b([a-z][a-z-]*)\.v([0-9]+)\b`)
	newest := map[string]int{}
	version := func(m []string) int {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, known := range set.Names() {
		m := name.FindStringSubmatch(known)
		newest[m[1]] = max(newest[m[1]], version(m))
	}
	seen := map[string]bool{}
	walk(cli.New(processFactory()), func(cmd *cobra.Command) {
		text := cmd.Long + "\n" + cmd.Example
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { text += "\n" + f.Usage })
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			if newest[m[1]] != version(m) {
				t.Errorf("%s names %s, and the newest is version %d", cmd.CommandPath(), m[0], newest[m[1]])
			}
			seen[cmd.CommandPath()] = true
		}
	})
	for _, path := range []string{"vexa json", "vexa chat", "vexa logs"} {
		if !seen[path] {
			t.Errorf("%s names no contract", path)
		}
	}
}
