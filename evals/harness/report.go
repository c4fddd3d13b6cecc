package harness

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed report.html
var page string

// result is one claim as the report lists it.
type result struct {
	Claim    string  `json:"claim"`
	Script   string  `json:"script"`
	Outcome  string  `json:"outcome"` // held | failed | skipped
	Seconds  float64 `json:"seconds"`
	Evidence string  `json:"evidence"` // the script and what it printed

	Pictures []picture `json:"pictures,omitempty"` // what browsers showed
}

// picture is what a browser showed.
type picture struct {
	Title string `json:"title"`
	File  string `json:"file"` // PNG, below the report's directory
}

// report collects the claims of one stage.
type report struct {
	stage    string
	begun    time.Time
	revision string
	of       int // claims that there are; 0: unknown

	mu      sync.Mutex
	results []result
}

// stageFile is what each stage leaves for the common report.
type stageFile struct {
	Stage   string    `json:"stage"`
	Time    time.Time `json:"time"`
	Scale   string    `json:"scale"`
	Machine string    `json:"machine"`

	Revision string `json:"revision"`     // the commit, with "and changes" where files differ from it; empty: unknown
	Of       int    `json:"of,omitempty"` // claims that there are, of which Claims may be a part; 0: unknown

	Claims []result `json:"claims"`
}

// Count is how many claims ended so.
func (s stageFile) Count(outcome string) (n int) {
	for _, c := range s.Claims {
		if c.Outcome == outcome {
			n++
		}
	}
	return n
}

// Left is how many claims of the stage were not tried.
func (s stageFile) Left() int { return max(s.Of-len(s.Claims), 0) }

// newReport begins the report of a stage that has so many claims; 0: it is not known.
func newReport(stage, root string, of int) *report {
	return &report{stage: stage, begun: time.Now().UTC(), revision: revision(root), of: of}
}

// revision is the commit that a tree is of, as far as git knows.
func revision(root string) string {
	git := func(args ...string) string {
		out, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	commit := git("log", "-1", "--format=%h %s")
	if commit != "" && git("status", "--porcelain") != "" {
		commit += ", and changes"
	}
	return commit
}

func (r *report) add(res result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, res)
}

// checkOut says, before anything runs, that the report could not be written to
// dir, as where an earlier run was another user's.
func checkOut(dir string) error {
	for _, name := range []string{".lock", "stage0.json", "stage1.json", "stage1-guides.json", "report.json", "report.html"} {
		path := filepath.Join(dir, name)
		if err := unix.Access(path, unix.W_OK); err != nil && !errors.Is(err, unix.ENOENT) {
			return cannotWrite(dir, path, err)
		}
	}
	lock, err := lockFile(dir)
	if err != nil {
		return cannotWrite(dir, dir, err)
	}
	return lock.Close()
}

func cannotWrite(dir, path string, err error) error {
	return fmt.Errorf("%s cannot be written: %w; remove %s, which is made again, or set %s to another directory", path, err, dir, EnvOut)
}

func lockFile(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
}

// write leaves the stage's results in dir and makes report.json and report.html
// from those of every stage that is there. Stages run in processes of their
// own, so that a lock keeps two of them from writing at once.
func (r *report) write(dir string) error {
	lock, err := lockFile(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.results, func(a, b result) int { return strings.Compare(a.Script, b.Script) })
	scale := "reduced"
	if Full() {
		scale = "full"
	}
	own := stageFile{Stage: r.stage, Time: r.begun, Scale: scale, Machine: machine(), Revision: r.revision, Of: r.of, Claims: r.results}
	if err := writeJSON(filepath.Join(dir, r.stage+".json"), own); err != nil {
		return err
	}
	stages, err := readStages(dir)
	if err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, "report.json"), stages); err != nil {
		return err
	}
	tmpl, err := template.New("report").Parse(page)
	if err != nil {
		return err
	}
	var html bytes.Buffer
	if err := tmpl.Execute(&html, stages); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "report.html"), html.Bytes(), 0o644)
}

func readStages(dir string) ([]stageFile, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "stage*.json"))
	if err != nil {
		return nil, err
	}
	var stages []stageFile
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var s stageFile
		if err := json.Unmarshal(data, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		stages = append(stages, s)
	}
	return stages, nil
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// machine says what the claims ran on.
func machine() string {
	var u unix.Utsname
	release := "unknown"
	if unix.Uname(&u) == nil {
		release = unix.ByteSliceToString(u.Release[:])
	}
	return fmt.Sprintf("%s, %d CPUs, Linux %s", runtime.GOARCH, runtime.NumCPU(), release)
}
