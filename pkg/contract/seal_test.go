package contract

import (
	"context"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/schemas"
)

var reseal = flag.Bool("reseal", false, "write the seal anew")

// source is the directory of contracts of this source tree.
const source = "../../schemas"

// TestSeal holds both gates over the source tree and over what is embedded.
func TestSeal(t *testing.T) {
	t.Parallel()
	if *reseal {
		if sealed, err := seal(t.Context(), source, true); err != nil {
			t.Fatal(err)
		} else {
			t.Logf("sealed %v", sealed)
		}
	}
	for name, opt := range map[string]CheckOptions{"embedded": {}, "source": {FS: os.DirFS(source)}} {
		if name == "embedded" && *reseal {
			continue // it holds the seal of before
		}
		report := Check(t.Context(), opt)
		for _, line := range report.Findings() {
			t.Errorf("%s: %s", name, line)
		}
		if want := 2 * len(Names()); len(report.Results) != want {
			t.Errorf("%s: %d results, want %d", name, len(report.Results), want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	want := []string{
		"agent-runner.v1", "agent-runner.v2", "bucket-inbox.v1", "bucket-keyring.v1", "bucket-manifest.v1", "identity.v1", "invitation.v1", "proactive-card.v1", "proposal.v1", "runtime.v1", "schedule.v1",
		"tool.v1", "transcript.v1", "unit.v1", "workspace.v1", "ws.v1", "ws.v2",
	}
	if got := Names(); !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
}

// tree returns the contracts as a file system that can be changed.
func tree(t *testing.T) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	for _, name := range Names() {
		set, err := Embedded()
		if err != nil {
			t.Fatal(err)
		}
		files := []string{"README.md", expectFile, filepath.Base(schemaPath(name))}
		for _, dir := range []string{goldenDir, predecessorDir, invalidDir} {
			names, err := set.examples(name, dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range names {
				files = append(files, dir+"/"+f)
			}
		}
		for _, f := range files {
			data, err := schemas.FS.ReadFile(name + "/" + f)
			if err != nil {
				t.Fatal(err)
			}
			out[name+"/"+f] = &fstest.MapFile{Data: data}
		}
	}
	data, err := schemas.FS.ReadFile(SealFile)
	if err != nil {
		t.Fatal(err)
	}
	out[SealFile] = &fstest.MapFile{Data: data}
	return out
}

func replace(t *testing.T, fsys fstest.MapFS, file, old, repl string) {
	t.Helper()
	data := string(fsys[file].Data)
	if !strings.Contains(data, old) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	fsys[file] = &fstest.MapFile{Data: []byte(strings.Replace(data, old, repl, 1))}
}

// asBase is the seal of a merge base.
type asBase map[string]string

func (b asBase) Seal(context.Context) (map[string]string, bool, error) { return b, b != nil, nil }

// TestCheckFinds breaks what the gates are there to hold, one thing at a time.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(t *testing.T, fsys fstest.MapFS)
		want string
	}{
		{"golden reworded", func(t *testing.T, f fstest.MapFS) {
			t.Helper()
			replace(t, f, "unit.v1/golden/Unit.message.json", "open tasks", "tasks")
		}, "unit.v1: contract-version: it is sealed and has changed"},
		{"golden added", func(_ *testing.T, f fstest.MapFS) {
			f["unit.v1/golden/Unit.more.json"] = f["unit.v1/golden/Unit.minimal.json"]
		}, "unit.v1: contract-version: it is sealed and has changed"},
		{"golden renamed", func(_ *testing.T, f fstest.MapFS) {
			f["unit.v1/golden/Unit.other.json"] = f["unit.v1/golden/Unit.message.json"]
			delete(f, "unit.v1/golden/Unit.message.json")
		}, "unit.v1: contract-version: it is sealed and has changed"},
		{"schema loosened", func(t *testing.T, f fstest.MapFS) {
			t.Helper()
			replace(t, f, "unit.v1/unit.schema.json", `"minItems": 1`, `"minItems": 0`)
		}, "unit.v1: schema: invalid/Unit.workspaces-empty.json validates"},
		{"schema tightened", func(t *testing.T, f fstest.MapFS) {
			t.Helper()
			replace(t, f, "unit.v1/unit.schema.json", `"minItems": 1`, `"minItems": 2`)
		}, "unit.v1: schema: golden/Unit.mail.json does not validate"},
		{"predecessor refused", func(t *testing.T, f fstest.MapFS) {
			t.Helper()
			replace(t, f, "runtime.v1/predecessor/spec-agent.json", `"k8s"`, `"lxc"`)
		}, "predecessor/spec-agent.json does not validate"},
		{"a member that Go drops", func(t *testing.T, f fstest.MapFS) {
			t.Helper()
			replace(t, f, "workspace.v1/workspace.schema.json", `"bucket": {`, `"label": { "type": "string" }, "bucket": {`)
			replace(t, f, "workspace.v1/golden/Workspace.directory.json", `"mode"`, `"label": "x", "mode"`)
		}, "workspace.v1: schema: golden/Workspace.directory.json does not pass through its Go type"},
		{"a rule that is not the one", func(t *testing.T, f fstest.MapFS) {
			t.Helper()
			replace(t, f, "unit.v1/invalid.json", `"minItems"`, `"maxItems"`)
		}, "Unit.workspaces-empty.json breaks minItems"},
		{"two rules broken", func(t *testing.T, f fstest.MapFS) {
			t.Helper()
			replace(t, f, "unit.v1/invalid/Unit.mode-unknown.json", `"trigger": "message"`, `"trigger": "cron"`)
		}, "invalid/Unit.mode-unknown.json breaks"},
		{"an invalid example without a rule", func(_ *testing.T, f fstest.MapFS) {
			f["unit.v1/invalid/Unit.new.json"] = &fstest.MapFile{Data: []byte(`{}`)}
		}, "invalid.json names no rule for invalid/Unit.new.json"},
		{"a rule without an example", func(_ *testing.T, f fstest.MapFS) {
			delete(f, "unit.v1/invalid/Unit.mode-unknown.json")
		}, "invalid.json names Unit.mode-unknown.json, which does not exist"},
		{"a shape without golden", func(_ *testing.T, f fstest.MapFS) {
			delete(f, "tool.v1/golden/Call.gated.json")
			delete(f, "tool.v1/golden/Call.auto.json")
		}, "tool.v1: schema: shape Call has no golden"},
		{"a golden of no shape", func(_ *testing.T, f fstest.MapFS) {
			f["tool.v1/golden/Tol.x.json"] = &fstest.MapFile{Data: []byte(`{}`)}
		}, "there is no shape Tol"},
		{"no README", func(_ *testing.T, f fstest.MapFS) { delete(f, "ws.v2/README.md") }, "ws.v2: schema: it has no README.md"},
		{"a contract gone", func(_ *testing.T, f fstest.MapFS) {
			maps.DeleteFunc(f, func(name string, _ *fstest.MapFile) bool { return strings.HasPrefix(name, "tool.v1/") })
		}, "tool.v1: contract-version: it is sealed and gone"},
		{"not sealed", func(t *testing.T, f fstest.MapFS) {
			t.Helper()
			var seal map[string]string
			if err := json.Unmarshal(f[SealFile].Data, &seal); err != nil {
				t.Fatal(err)
			}
			delete(seal, "ws.v2")
			data, _ := json.Marshal(seal)
			f[SealFile] = &fstest.MapFile{Data: data}
		}, "ws.v2: contract-version: it is not sealed"},
		{"the seal names a contract twice", func(_ *testing.T, f fstest.MapFS) {
			f[SealFile] = &fstest.MapFile{Data: []byte(`{"unit.v1":"a","unit.v1":"b"}`)}
		}, "seal.json: contract-version: seal.json is given twice"},
		{"a reference out of the set", func(t *testing.T, f fstest.MapFS) {
			t.Helper()
			replace(t, f, "unit.v1/unit.schema.json", `"#/$defs/Unit"`, `"https://example.com/unit"`)
		}, "https://example.com/unit is not a contract of this set"},
		{"nothing at all", func(_ *testing.T, f fstest.MapFS) { clear(f) }, "schemas: schema: there is no contract here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fsys := tree(t)
			c.do(t, fsys)
			report := Check(t.Context(), CheckOptions{FS: fsys})
			if report.OK() {
				t.Fatalf("Check finds nothing, want %q", c.want)
			}
			if all := strings.Join(report.Findings(), "\n"); !strings.Contains(all, c.want) {
				t.Errorf("Check finds\n%s\nwant %q", all, c.want)
			}
		})
	}
}

// TestCheckMergeBase: changing contract and seal together does not pass, where
// there is a merge base to compare with.
func TestCheckMergeBase(t *testing.T) {
	t.Parallel()
	fsys := tree(t)
	set, err := Open(fsys)
	if err != nil {
		t.Fatal(err)
	}
	before, err := set.Sealed()
	if err != nil {
		t.Fatal(err)
	}
	if r := Check(t.Context(), CheckOptions{FS: fsys, Base: asBase(before)}); !r.OK() {
		t.Errorf("unchanged: %v", r.Findings())
	}
	if r := Check(t.Context(), CheckOptions{FS: fsys, Base: asBase(nil)}); !r.OK() {
		t.Errorf("without a merge base: %v", r.Findings())
	}
	replace(t, fsys, "unit.v1/golden/Unit.message.json", "open tasks", "tasks")
	_, now, err := set.reseal(t.Context(), before, true)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(now)
	if err != nil {
		t.Fatal(err)
	}
	fsys[SealFile] = &fstest.MapFile{Data: data}
	if r := Check(t.Context(), CheckOptions{FS: fsys}); !r.OK() {
		t.Errorf("sealed anew: %v", r.Findings())
	}
	got := Check(t.Context(), CheckOptions{FS: fsys, Base: asBase(before)}).Findings()
	want := "unit.v1: contract-version: it was sealed at the merge base and has changed; undo the change and add " + "unit." + "v2 beside it"
	if !slices.Equal(got, []string{want}) {
		t.Errorf("Check finds %q, want %q", got, want)
	}
}

func TestSealRefusesChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, tree(t)); err != nil {
		t.Fatal(err)
	}
	if sealed, err := Seal(t.Context(), dir); err != nil || len(sealed) != 0 {
		t.Fatalf("Seal of what is sealed = %v, %v", sealed, err)
	}

	// A new version beside the old one is sealed, and the old seal stays.
	next := nextVersion("workspace.v1")
	if err := os.CopyFS(filepath.Join(dir, next), os.DirFS(filepath.Join(dir, "workspace.v1"))); err != nil {
		t.Fatal(err)
	}
	schema := filepath.Join(dir, schemaPath(next))
	data, err := os.ReadFile(schema)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Seal(t.Context(), dir); !fault.Is(err, fault.Invalid) {
		t.Fatalf("Seal of a schema with the wrong $id: %v", err)
	}
	text := strings.ReplaceAll(string(data), "workspace.v1", next)
	if err := os.WriteFile(schema, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if sealed, err := Seal(t.Context(), dir); err != nil || !slices.Equal(sealed, []string{next}) {
		t.Fatalf("Seal of a new version = %v, %v", sealed, err)
	}
	if r := Check(t.Context(), CheckOptions{FS: os.DirFS(dir)}); !r.OK() {
		t.Errorf("a new version beside the old one: %v", r.Findings())
	}

	// A change of a sealed one is refused, and nothing is written.
	before, err := os.ReadFile(filepath.Join(dir, SealFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "unit.v1", goldenDir, "Unit.minimal.json")); err != nil {
		t.Fatal(err)
	}
	_, err = Seal(t.Context(), dir)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.HintOf(err), nextVersion("unit.v1")+" beside it") {
		t.Errorf("Seal of a changed contract: %v, hint %q", err, fault.HintOf(err))
	}
	after, err := os.ReadFile(filepath.Join(dir, SealFile))
	if err != nil || string(after) != string(before) {
		t.Errorf("Seal wrote although it refused (%v)", err)
	}
}

// TestSealNew seals a contract from nothing.
func TestSealNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, tree(t)); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, SealFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, SealFile)); err != nil {
		t.Fatal(err)
	}
	sealed, err := Seal(t.Context(), dir)
	if err != nil || !slices.Equal(sealed, Names()) {
		t.Fatalf("Seal = %v, %v", sealed, err)
	}
	got, err := os.ReadFile(filepath.Join(dir, SealFile))
	if err != nil || string(got) != string(want) {
		t.Errorf("the seal is %s (%v), want %s", got, err, want)
	}
}
