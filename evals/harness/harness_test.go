package harness

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEvaluate(t *testing.T) {
	t.Parallel()
	const frames = `{"seq":1,"type":"a"}` + "\n" + `{"seq":2,"type":"b"}` + "\n"
	for _, c := range []struct {
		expr string
		want []string
	}{
		{`.type`, []string{"a", "b"}},
		{`select(.type=="b") | .seq`, []string{"2"}},
		{`$all[-1].type`, []string{"b"}},
		{`[$all[].seq] == [range(1; 3)]`, []string{"true"}},
		{`select(.type=="c")`, nil},
	} {
		got, err := evaluate(c.expr, frames)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v; want %q", c.expr, got, err, c.want)
		}
	}
	if _, err := evaluate(`.type`, "no json"); err == nil {
		t.Error("it took text for JSON")
	}
	if _, err := evaluate(`.[`, frames); err == nil {
		t.Error("it took a broken expression")
	}
}

// TestConnectedTo is the control of the claim that the daemon holds no Podman
// connection: a connection that exists is seen.
func TestConnectedTo(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "vx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "podman.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	before, err := connectedTo(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(before, path) {
		t.Fatal("it sees a connection that there is not")
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	after, err := connectedTo(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(after, path) {
		t.Errorf("it sees %q, not %s", after, path)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, stage := range []string{"stage0", "stage1"} {
		r := newReport(stage, dir, 3)
		r.add(result{Claim: "A <claim> of " + stage, Script: "evals/" + stage + "/b.txtar", Outcome: "held", Evidence: "> exec true"})
		r.add(result{Claim: "Another", Script: "evals/" + stage + "/a.txtar", Outcome: "failed"})
		if err := r.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	var stages []stageFile
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &stages); err != nil {
		t.Fatal(err)
	}
	if len(stages) != 2 || len(stages[0].Claims) != 2 || stages[0].Claims[0].Script != "evals/stage0/a.txtar" {
		t.Errorf("report.json: %+v", stages)
	}
	html, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A &lt;claim&gt; of stage0", "evals/stage1/b.txtar", "&gt; exec true", `<td class="failed">1</td><td>0</td><td class="failed">1</td>`, `href="#stage1"`, `id="stage1"`} {
		if !strings.Contains(string(html), want) {
			t.Errorf("report.html lacks %q", want)
		}
	}
}

// TestAReportThatCannotBeWritten is said before the claims run, with what to do.
func TestAReportThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	if err := checkOut(dir); err != nil {
		t.Fatalf("a fresh directory: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(dir, "report.json", "out") // which even root cannot write to
	refused := map[string]string{taken: taken}
	if os.Getuid() != 0 {
		refused[dir] = filepath.Join(dir, "report.json")
	}
	for dir, path := range refused {
		err := checkOut(dir)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove "+dir+",") || !strings.Contains(err.Error(), EnvOut) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// TestScriptsStateTheirClaim: a script without a claim proves nothing that the
// report could name, and two with one name would hide each other.
func TestScriptsStateTheirClaim(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("../stage*/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	claims := map[string]string{}
	for _, path := range scripts {
		text := statement(path)
		if len(text) < 40 || !strings.HasSuffix(text, ".") {
			t.Errorf("%s begins with %q, which states no claim", path, text)
		}
		if other, ok := claims[text]; ok {
			t.Errorf("%s and %s state the same claim", path, other)
		}
		claims[text] = path
	}
}

// TestCommandsAreDocumented compares the commands with the README.
func TestCommandsAreDocumented(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range (&suite{}).commands() {
		if !strings.Contains(string(data), "\n| `"+name+" ") && !strings.Contains(string(data), "\n| `"+name+"` ") &&
			!strings.Contains(string(data), "\n| `[!] "+name+" ") {
			t.Errorf("evals/README.md does not describe %s", name)
		}
	}
}
