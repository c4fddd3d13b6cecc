package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// Repo is a repository on this machine that a bucket is fetched into or pushed
// from: a person's clone, or one of Vexa's own.
type Repo struct {
	*git.Repo
	Format   string    // sha1 | sha256
	Objects  string    // absolute path of its objects directory
	Shallow  bool      // it lacks history on purpose
	Progress io.Writer // what git says of its progress goes here; nil: nowhere
}

// OpenRepo looks at a repository. What killed processes of this package left in
// it is removed.
func OpenRepo(ctx context.Context, r *git.Repo) (*Repo, error) {
	out := &Repo{Repo: r}
	if !out.plain() {
		if err := out.ask(ctx); err != nil {
			return nil, err
		}
	}
	sweepScratch(out.Objects)
	clearKeeps(filepath.Join(out.Objects, "pack"))
	return out, nil
}

// plain reads the files that git would (gitrepository-layout(5)), and reports
// whether they said everything: that is quicker than a process. A repository of
// another format than sha1, or that is none, is for git to explain.
func (r *Repo) plain() bool {
	common := r.Dir()
	if text, err := os.ReadFile(filepath.Join(common, "commondir")); err == nil { // of a linked worktree
		dir := strings.TrimSuffix(string(text), "\n")
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(common, dir)
		}
		common = dir
	}
	config, err := os.ReadFile(filepath.Join(common, "config"))
	if err != nil || strings.Contains(strings.ToLower(string(config)), "objectformat") {
		return false
	}
	objects := filepath.Join(common, "objects")
	for _, path := range []string{objects, filepath.Join(r.Dir(), "HEAD")} {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	_, err = os.Stat(filepath.Join(common, "shallow"))
	r.Format, r.Objects, r.Shallow = formatSHA1, objects, err == nil
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

// ask has git say it.
func (r *Repo) ask(ctx context.Context) error {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"rev-parse", "--show-object-format", "--is-shallow-repository", "--git-path", "objects"}})
	if err != nil {
		return err
	}
	lines := strings.SplitN(strings.TrimSuffix(string(res.Stdout), "\n"), "\n", 3) // a path may have line ends
	if len(lines) != 3 {
		return fmt.Errorf("git rev-parse printed %d lines", len(lines))
	}
	r.Format, r.Shallow, r.Objects = lines[0], lines[1] == "true", lines[2]
	if !filepath.IsAbs(r.Objects) {
		r.Objects = filepath.Join(r.Dir(), r.Objects)
	}
	return nil
}

// Types returns the types of objects, by id; of those that are not there, none.
func (r *Repo) Types(ctx context.Context, ids []string) (map[string]string, error) {
	out := make(map[string]string, len(ids))
	err := r.Look(ctx, ids, func(o git.Object) error {
		if o.ID != "" {
			out[o.ID] = o.Type
		}
		return nil
	})
	return out, err
}

// Resolve returns the ids of what the names mean, refs or ids, in order; of "" it
// is "".
func (r *Repo) Resolve(ctx context.Context, names []string) ([]string, error) {
	ask := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "" })
	ids := make([]string, 0, len(ask))
	err := r.Look(ctx, ask, func(o git.Object) error {
		if o.ID == "" {
			return fault.Newf(fault.NotFound, "the repository has nothing called %.100q", ask[len(ids)])
		}
		ids = append(ids, o.ID)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]string, len(names))
	for i, n := range names {
		if n != "" {
			out[i], ids = ids[0], ids[1:]
		}
	}
	return out, nil
}

// isAncestor reports whether descendant holds every commit of ancestor, as far as
// the repository has what it takes to know.
func (r *Repo) isAncestor(ctx context.Context, ancestor, descendant string) (bool, error) {
	holds, err := r.IsAncestor(ctx, ancestor, descendant)
	if failed, ok := errors.AsType[*git.Error](err); ok && failed.Code == 128 {
		return false, nil
	}
	return holds, err
}

// reachesCut reports whether what id reaches and have does not has a commit whose
// parents a shallow repository lacks.
func (r *Repo) reachesCut(ctx context.Context, id string, have []string) (bool, error) {
	res, err := r.Run(ctx, git.Cmd{Args: []string{"rev-parse", "--git-path", "shallow"}})
	if err != nil {
		return false, err
	}
	path := strings.TrimSuffix(string(res.Stdout), "\n")
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.Dir(), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	cut := setOf(strings.Fields(string(text)))
	res, err = r.Run(ctx, git.Cmd{Args: []string{"rev-list", "--stdin"}, Stdin: revs([]string{id}, have), Limit: 1 << 30})
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(res.Stdout)) {
		if cut[strings.TrimSpace(line)] {
			return true, nil
		}
	}
	return false, nil
}

// revs is what pack-objects and rev-list read.
func revs(include, exclude []string) io.Reader {
	var text strings.Builder
	for _, id := range include {
		text.WriteString(id + "\n")
	}
	for _, id := range exclude {
		text.WriteString("^" + id + "\n")
	}
	return strings.NewReader(text.String())
}

// packThin writes a thin pack of what include reaches and exclude does not.
func (r *Repo) packThin(ctx context.Context, include, exclude []string, w io.Writer) error {
	dst := &failingWriter{w: w}
	_, err := r.Run(ctx, git.Cmd{
		Args:  append([]string{"pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset"}, r.verbosity()...),
		Stdin: revs(include, exclude), Stdout: dst, Progress: r.Progress,
	})
	if dst.err != nil {
		return dst.err // git says no more than that nobody read on
	}
	return lacking(err)
}

// lacking explains that pack-objects found what a partial clone left out.
func lacking(err error) error {
	e, ok := errors.AsType[*git.Error](err)
	if !ok || !strings.Contains(e.Stderr, "promisor remote") {
		return err
	}
	return &fault.Error{
		Kind: fault.Invalid, Msg: "the repository is a partial clone and lacks objects that are to be pushed", Err: err,
		Hint: "fetch them from where it was cloned: git fetch --refetch --no-filter",
	}
}

func (r *Repo) verbosity() []string {
	if r.Progress == nil {
		return []string{"-q"}
	}
	return []string{"--progress"}
}

// packWhole writes a pack that is whole by itself, and its index, to base-<id>;
// base lies in a directory of the caller's. It returns "" where there is nothing
// to write.
func (r *Repo) packWhole(ctx context.Context, base string, stdin io.Reader, args ...string) (pack, index string, err error) {
	args = append([]string{"pack-objects", "--delta-base-offset"}, append(args, r.verbosity()...)...)
	res, err := r.Run(ctx, git.Cmd{Args: append(args, base), Stdin: stdin, Progress: r.Progress})
	if err != nil {
		return "", "", lacking(err)
	}
	id := strings.TrimSpace(string(res.Stdout))
	if id == "" {
		return "", "", nil
	}
	if len(id) != 40 && len(id) != 64 {
		return "", "", fmt.Errorf("git pack-objects wrote %.100q", id)
	}
	return base + "-" + id + ".pack", base + "-" + id + ".idx", nil
}

// indexPack takes over a pack that may be thin and returns its name, "pack-<id>".
// With keep a .keep file holds it until it is removed. strict looks at every
// object's form, too; whether what objects refer to is there is another
// question, which no single pack answers.
func (r *Repo) indexPack(ctx context.Context, pack io.Reader, keep string, strict bool) (string, error) {
	args := []string{"index-pack", "--stdin", "--fix-thin"}
	if strict {
		args = append(args, "--fsck-objects")
	}
	return r.index(ctx, pack, keep, strict, args...)
}

// index has git index a pack, and takes both over.
func (r *Repo) index(ctx context.Context, pack io.Reader, keep string, strict bool, args ...string) (string, error) {
	dir, drop, err := scratch(r.Objects) // git leaves what it could not finish
	if err != nil {
		return "", err
	}
	defer drop()
	src := &failing{r: pack}
	res, err := r.Run(ctx, git.Cmd{Args: args, Stdin: src, Objects: dir})
	if err == nil {
		// Git reads to the pack's own end; that nothing follows is ours to see.
		_, err = io.Copy(io.Discard, src)
	}
	if src.err != nil {
		return "", src.err
	}
	if err != nil {
		return "", err
	}
	f := strings.Fields(string(res.Stdout)) // with strict ids of .gitmodules files may follow that are elsewhere
	if len(f) < 2 || len(f) > 2 && !strict || !isHex(f[1], 40) && !isHex(f[1], 64) {
		return "", fmt.Errorf("git index-pack printed %.100q", res.Stdout)
	}
	name := "pack-" + f[1]
	made := filepath.Join(dir, "pack", name)
	return name, takeOver(made+".pack", made+".idx", filepath.Join(r.Objects, "pack", name), keep != "")
}

// failing remembers the error of a reader that a process reads from.
type failing struct {
	r   io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// failingWriter remembers the error of a writer.
type failingWriter struct {
	w   io.Writer
	err error
}

func (f *failingWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil {
		f.err = err
	}
	return n, err
}

// Connected reports whether everything that the ids reach is there.
func (r *Repo) Connected(ctx context.Context, ids []string) (bool, error) {
	if len(ids) == 0 {
		return true, nil
	}
	res, err := r.Run(ctx, git.Cmd{
		Args:  []string{"rev-list", "--objects", "--stdin", "--quiet", "--not", "--all"},
		Stdin: revs(ids, nil), OK: []int{1, 128},
	})
	return err == nil && res.Code == 0, err
}

// checkFormat refuses to bring two object formats together.
func (r *Repo) checkFormat(st *State, url string) error {
	if r.Format == st.ObjectFormat {
		return nil
	}
	return fault.New(fault.Invalid, "the repository is of format "+r.Format+", and the bucket at "+url+" of "+st.ObjectFormat,
		"clone the bucket and copy the files, or make a bucket with the format "+r.Format)
}
