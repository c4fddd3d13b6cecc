package archtest

import (
	"slices"
	"strings"
	"testing"
)

// families are the third-party families that one package owns.
const (
	podman1 = "github.com/containers"
	podman2 = "go.podman.io"
	podman3 = "github.com/podman-container-tools"
	age     = "filippo.io/age"
	goGit   = "github.com/go-git"
	cobra   = "github.com/spf13"
	jose    = "github.com/go-jose"
	dbus    = "github.com/godbus"
	schema  = "github.com/santhosh-tekuri/jsonschema"
	minio   = "github.com/minio"
	mcpSDK  = "github.com/modelcontextprotocol"
	charm1  = "charm.land"
	charm2  = "github.com/charmbracelet"
	markup  = "github.com/yuin/goldmark"
	termVT  = "github.com/charmbracelet/x/vt"
	chrome  = "github.com/chromedp"
	sockets = "github.com/coder/websocket"
)

// TestReach is about everything that is linked, however far down.
func TestReach(t *testing.T) {
	t.Parallel()
	rules := []struct {
		from  []string // packages the rule is about, with what lies below them
		never []string // what they must not reach, likewise
		why   string
	}{
		{
			[]string{"pkg/daemon", "pkg/dispatch"},
			[]string{"pkg/agent", "pkg/acp", "pkg/worker"},
			"the agent runs in a container; a daemon that links it could run it on the host",
		},
		{
			[]string{"pkg/daemon", "pkg/dispatch", "pkg/broker", "pkg/inference", "pkg/workspace", "pkg/client", "pkg/cli", "pkg/api", "pkg/agent", "pkg/acp", "pkg/worker"},
			[]string{"pkg/runtime/podman", podman1, podman2, podman3},
			"only the runtime kernel's process holds a Podman connection",
		},
		{
			[]string{"pkg/client", "pkg/api"},
			[]string{"pkg/runtime", "pkg/stream", "pkg/workspace", "pkg/broker", "pkg/inference", "pkg/dispatch", "pkg/daemon", "pkg/seal", "pkg/journal", age, goGit, cobra},
			"a client speaks to the daemon over its socket and holds nothing else",
		},
		{
			[]string{"pkg/cli", "pkg/tui"},
			[]string{"pkg/stream/journal", "pkg/keys/secretservice", "pkg/workspace", "pkg/broker", "pkg/dispatch", "pkg/daemon", "pkg/journal", "pkg/agent", "pkg/acp", "pkg/worker", goGit},
			"a frontend that reached an adapter would be a second control plane",
		},
		{
			[]string{"pkg/web"},
			[]string{"pkg/client", "pkg/stream", "pkg/workspace", "pkg/broker", "pkg/dispatch", "pkg/daemon", "pkg/journal", "pkg/seal", "pkg/keys", "pkg/agent", "pkg/acp", "pkg/worker", "pkg/runtime", goGit, age},
			"the pages reach what the daemon's own API answers, and nothing beside it",
		},
		{
			[]string{"pkg/agent", "pkg/acp", "pkg/worker"},
			[]string{"pkg/seal", "pkg/journal", "pkg/workspace", "pkg/broker", "pkg/daemon", "pkg/dispatch", "pkg/stream", age, goGit},
			"what runs in the container holds no key, no store and no history",
		},
		{
			[]string{"pkg/runtime"},
			[]string{"pkg/workspace", "pkg/broker", "pkg/inference", "pkg/daemon", "pkg/dispatch", "pkg/seal", "pkg/cli", goGit, age},
			"the kernel runs workloads; it opens no workspace and holds no key",
		},
		{
			[]string{"cmd", "pkg/cli", "pkg/client", "pkg/daemon", "pkg/worker"},
			[]string{"pkg/screentest", termVT, "pkg/browsertest", chrome},
			"the models of a terminal and of a browser are for tests; the binary does not carry them",
		},
		{
			[]string{"pkg/contract", "pkg/fault", "pkg/home", "pkg/journal", "pkg/identity"},
			[]string{"pkg/daemon", "pkg/dispatch", "pkg/cli", "pkg/client", "pkg/runtime", "pkg/workspace", "pkg/broker"},
			"dependencies point inward",
		},
	}
	all := load(t)
	for _, rule := range rules {
		for _, p := range packages(t) {
			if !underAny(short(p.ImportPath), rule.from) {
				continue
			}
			for _, dep := range p.Deps {
				name := dep
				if d, ok := all[dep]; ok && d.ours() {
					name = short(dep)
				}
				// A port's adapters lie below it: pkg/runtime may hold pkg/runtime/podman.
				if underAny(name, rule.never) && !under(short(p.ImportPath), name) {
					t.Errorf("%s reaches %s (%s): %s", short(p.ImportPath), name, strings.Join(chain(all, p.ImportPath, dep), " -> "), rule.why)
				}
			}
		}
	}
}

// TestOwners is about the packages that may import a third-party family.
func TestOwners(t *testing.T) {
	t.Parallel()
	rules := []struct {
		family []string
		owners []string
		why    string
	}{
		{[]string{podman1, podman2, podman3}, []string{"pkg/runtime/podman"}, "Podman's traps are sealed inside one adapter"},
		{[]string{age}, []string{"pkg/seal"}, "one package decides how anything is encrypted"},
		{[]string{goGit}, []string{"pkg/workspace"}, "one package knows how workspaces are kept"},
		{[]string{cobra}, []string{"pkg/cli", "cmd/vexa"}, "commands are the command line's business"},
		{[]string{dbus}, []string{"pkg/keys/secretservice"}, "the desktop keyring is reached through keys.Keyring"},
		{[]string{"github.com/hiddeco"}, []string{"pkg/signature"}, "one package decides how manifests and approvals are signed"},
		{[]string{jose}, []string{"pkg/identity"}, "one package decides which signatures count"},
		{[]string{minio}, []string{"pkg/workspace/blob/s3"}, "one adapter speaks S3, and knows what its servers get wrong"},
		{[]string{"github.com/fsnotify"}, []string{"pkg/watch"}, "one package knows what the kernel tells of files, and what it does not"},
		{[]string{mcpSDK}, []string{"pkg/mcp"}, "one package knows the SDK of a protocol that moves"},
		{[]string{charm1, charm2}, []string{"pkg/tui", "pkg/screentest"}, "the terminal chat is one model over pkg/client"},
		{[]string{markup}, []string{"pkg/tui/markdown"}, "one package decides what Markdown looks like"},
		{[]string{termVT}, []string{"pkg/screentest"}, "tests have one model of a terminal"},
		{[]string{chrome}, []string{"pkg/browsertest"}, "tests have one way to a browser"},
		{[]string{sockets}, []string{"pkg/daemon"}, "frames go over a WebSocket in one place; whose it may be is decided before"},
		{[]string{schema}, []string{"pkg/contract", "pkg/api/openapi"}, "everything validates through contract.Validate"},
		{[]string{"github.com/vexa-ai/vexa/pkg/api/openapi"}, []string{"evals"}, "tests alone write and check the description of the HTTP API"},
	}
	for _, rule := range rules {
		for _, p := range packages(t) {
			name := short(p.ImportPath)
			if underAny(name, rule.owners) {
				continue
			}
			for _, imp := range p.Imports {
				if underAny(imp, rule.family) {
					t.Errorf("%s imports %s, which belongs to %s: %s", name, imp, strings.Join(rule.owners, ", "), rule.why)
				}
			}
		}
	}
}

// TestPodmanReach: beyond its adapter only the binary links Podman.
func TestPodmanReach(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		if underAny(name, []string{"pkg/runtime/podman", "cmd"}) {
			continue
		}
		for _, dep := range p.Deps {
			if underAny(dep, []string{podman1, podman2, podman3}) {
				t.Errorf("%s links %s: only cmd/vexa wires the adapter", name, dep)
				break
			}
		}
	}
}

// TestStandardLibraryOnly is about the leaves that everything imports: they
// reach the standard library and each other.
func TestStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	all := load(t)
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		contractType := strings.HasPrefix(name, "pkg/contract/") && strings.HasSuffix(name, "v1")
		if name != "pkg/fault" && !contractType {
			continue
		}
		for _, dep := range p.Deps {
			leaf := short(dep) == "pkg/fault" || strings.HasPrefix(short(dep), "pkg/contract/")
			if d := all[dep]; !d.Standard && (!leaf || name == "pkg/fault") {
				t.Errorf("%s reaches %s: every package imports it, so it imports none", name, short(dep))
			}
		}
	}
}

// TestFrontendsAreTheEdge: nothing imports a frontend or main but frontends and main.
func TestFrontendsAreTheEdge(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		for _, imp := range p.Imports {
			imp = short(imp)
			if underAny(imp, []string{"pkg/cli", "pkg/tui", "pkg/web", "cmd"}) && !underAny(name, []string{"pkg/cli", "pkg/tui", "pkg/web", "cmd"}) {
				t.Errorf("%s imports %s: dependencies point inward", name, imp)
			}
		}
	}
}

// chain is one shortest path of imports between two packages.
func chain(all map[string]listed, from, to string) []string {
	prev := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, imp := range all[queue[0]].Imports {
			if _, seen := prev[imp]; seen {
				continue
			}
			prev[imp] = queue[0]
			queue = append(queue, imp)
		}
	}
	var path []string
	for at := to; at != ""; at = prev[at] {
		path = append(path, short(at))
	}
	slices.Reverse(path)
	return path
}
