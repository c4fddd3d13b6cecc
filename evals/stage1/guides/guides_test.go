package guides

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/evals/harness"
)

// TestGuides runs what each guide says.
func TestGuides(t *testing.T) { harness.RunGuides(t, "stage1-guides", guides()) }

const index = "docs/how-to/README.md"

// The list of the guides has each with how many of its commands are run and why others
// are not, and no page beside it is left out.
func TestTheListOfGuides(t *testing.T) {
	const root = "../../../"
	text, err := os.ReadFile(root + index)
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]string{} // by file
	for _, m := range regexp.MustCompile(`(?m)^\| \[[^]]+\]\(([^)#]+)[^)]*\) \|[^|]*\| (\d+) \| (\d+)(?:: ([^|]*))? \|$`).FindAllStringSubmatch(string(text), -1) {
		counted[filepath.Join(filepath.Dir(index), m[1])] = m[2] + " run, " + m[3] + " untested: " + m[4]
	}
	run := map[string]bool{}
	for _, g := range guides() {
		run[g.File] = true
		n := harness.Count(t, g)
		if n.Run == 0 {
			t.Errorf("no command of %s is run", g.File)
		}
		if want := fmt.Sprintf("%d run, %d untested: %s", n.Run, n.Untested, strings.Join(n.Why, "; ")); counted[g.File] != want {
			t.Errorf("%s says of %s %q, and it is %s", index, g.File, counted[g.File], want)
		}
	}
	pages, err := filepath.Glob(root + "docs/how-to/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if page = strings.TrimPrefix(page, root); page != index && !run[page] {
			t.Errorf("the commands of %s are not run", page)
		}
	}
	for page := range counted {
		if !slices.ContainsFunc(guides(), func(g harness.Guide) bool { return g.File == page }) {
			t.Errorf("%s lists %s, which is not run", index, page)
		}
	}
}

func guides() []harness.Guide {
	return []harness.Guide{
		{File: "docs/how-to/chat.md", Podman: true, Before: "$ cp -r $REPO/workspaces-example ."},
		{File: "docs/how-to/terminal.md", Podman: true, Before: `$ vexa init --yes && vexa workspace create notes && vexa workspace create handbook
$ vexa chat -p "Write a note that says the otters are back"`},
		{File: "docs/how-to/web.md", Serve: browser, Before: "$ vexa init --yes\nthere$ vexa init --yes", After: `$ grep -cE '^http://[a-z0-9-]+\.localhost:[0-9]+/#sign-in=[A-Za-z0-9_-]+$' opened
1`},
		{File: "docs/how-to/slash-commands.md", Podman: true, Saved: map[string]string{"review.md": "---\ndescription: Review"}, Before: "$ vexa init --yes && vexa git install"},
		{File: "docs/how-to/workspaces.md", Podman: true, Files: map[string]string{"handbook/start.md": "Start here.\n"}},
		{File: "docs/how-to/share.md", Podman: true, Before: `jane$ vexa init --yes && mkdir /media/stick/vexa
joe$ vexa init --yes
kim$ vexa init --yes
ci$ vexa init --yes`},
		{File: "docs/how-to/air-gapped.md", Podman: true, Saved: map[string]string{"my-agent/runner.json": "{\n  \"name\": \"my-agent\""}, Serve: registry, Before: `online$ vexa init --yes
online$ mkdir -p /media/stick/release && cp $(command -v vexa) /media/stick/release
online$ vexa docs --man /media/stick/release/man`},
		{File: "docs/how-to/see-what-is-sent.md", Podman: true, Serve: server, Before: `$ vexa init --yes && vexa workspace create notes
$ vexa model add local --protocol openai-chat --url http://127.0.0.1:8000/v1 --model qwen3 --default`},
		{File: "docs/how-to/models.md", Podman: true, Serve: server, Files: map[string]string{"key": "vx-a-key-of-nobody\n"}, Before: "$ vexa init --yes"},
		{File: "docs/how-to/runners.md", Podman: true, Saved: map[string]string{"my-agent/runner.json": "{\n  \"name\": \"my-agent\""}, Before: "$ vexa init --yes && vexa workspace create notes"},
		{File: "docs/how-to/command-line.md", Tools: []string{"man"}, Before: "$ vexa docs --man man"},
		{File: "docs/how-to/encrypted-git.md", Podman: true, Before: "first$ vexa init --yes && mkdir /media/stick/vexa"},
		{File: "docs/how-to/recover.md", Podman: true, Tools: []string{"age"}, Saved: map[string]string{"recover.sh": "#!/bin/sh\n# sh recover.sh", "fetch.sh": "git clone -q --depth 1 --branch vexa-bucket"}, After: `$ git init -q --bare remote.git && vexa workspace create other --bucket "file://$PWD/remote.git" && vexa chat -w other -p "Write a note that says once"
…
$ sed "s#URL#file://$PWD/remote.git#" fetch.sh | sh && sh recover.sh bucket recovery.txt other.git
…
$ git clone -q other.git other && cat other/notes/once.md
once`, Before: `$ vexa init --yes
$ mkdir /media/stick/vexa && vexa workspace create notes --bucket /media/stick/vexa
$ vexa chat -w notes -p "Write a note that says hello"`},
		{File: "README.md", Podman: true},
		{File: "docs/api/README.md", Podman: true, Tools: []string{"curl"}, Before: "$ vexa init --yes"},
	}
}
