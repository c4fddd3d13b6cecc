package git

import (
	"context"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

var (
	hexForm    = textform.Name{First: textform.Hex, Rest: textform.Hex, Min: 4, Max: 40}
	branchForm = textform.Regexp(`^[A-Za-z0-9][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_-]+)*$`)
	walkForm   = textform.Regexp(`^(?:~[0-9]{0,6}|\^[0-9]{0,2})*$`)
)

// MaxRev is the longest revision that is looked at.
const MaxRev = 256

// CheckRev validates a revision that came from outside and returns it in the
// one form that is handed to git: a commit id, or the full name of a branch,
// with any ~N and ^N. "HEAD" and "" mean main. Everything else that git would
// understand (options, ranges, reflogs, paths, searches) is fault.Invalid.
func CheckRev(rev string) (string, error) {
	bad := fault.New(fault.Invalid, "not a revision: "+quote(rev), "give a commit id, main, or vexa/<dispatch>, with ~N if you like")
	if len(rev) > MaxRev {
		return "", fault.New(fault.Invalid, "the revision is too long", bad.Hint)
	}
	base, walk := rev, ""
	if i := strings.IndexAny(rev, "~^"); i >= 0 {
		base, walk = rev[:i], rev[i:]
	}
	if !walkForm.MatchString(walk) {
		return "", bad
	}
	switch {
	case base == "" && walk == "", base == "HEAD":
		return "refs/heads/main" + walk, nil
	case hexForm.MatchString(base):
		return base + walk, nil
	case strings.HasPrefix(base, "refs/heads/") && branchForm.MatchString(base):
		return base + walk, nil
	case branchForm.MatchString(base) && !strings.HasPrefix(base, "refs/"):
		return "refs/heads/" + base + walk, nil
	default:
		return "", bad
	}
}

// Resolve validates rev and returns the id of the commit it names, or
// fault.NotFound.
func (r *Repo) Resolve(ctx context.Context, rev string) (string, error) {
	name, err := CheckRev(rev)
	if err != nil {
		return "", err
	}
	res, err := r.Run(ctx, Cmd{Args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"}, OK: []int{1, 128}})
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(res.Stdout))
	if res.Code != 0 || len(id) != 40 {
		return "", fault.New(fault.NotFound, "no commit "+quote(rev), "vexa workspace log lists them")
	}
	return id, nil
}

// MaxPath is the longest path that git and the kernel can both handle, in bytes.
const MaxPath = 4000

// CheckPath validates a path inside a tree that came from outside: relative,
// without empty, "." or ".." components.
func CheckPath(path string) error {
	if path == "" || len(path) > MaxPath || strings.HasPrefix(path, "/") || strings.ContainsRune(path, 0) {
		return fault.New(fault.Invalid, "not a path in a workspace: "+quote(path), "give one relative to the workspace's root")
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return fault.New(fault.Invalid, "not a path in a workspace: "+quote(path), "give one relative to the workspace's root")
		}
	}
	return nil
}
