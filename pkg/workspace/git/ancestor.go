package git

import (
	"bufio"
	"context"
	"errors"
	"slices"
	"strings"
)

// nearby is how many commits are looked at for an ancestor before git is asked.
const nearby = 8

// IsAncestor reports whether the commit descendant is the commit ancestor, or
// follows it. Where the repository lacks what it takes to know, that is an
// *Error.
func (r *Repo) IsAncestor(ctx context.Context, ancestor, descendant string) (bool, error) {
	if ancestor == descendant {
		return true, nil
	}
	// Most often it is a parent, and the process that reads it is there already.
	queue := []string{descendant}
	for i := 0; i < len(queue) && i < nearby; i++ {
		above, err := r.parents(ctx, queue[i])
		if errors.Is(err, ErrMissing) || errors.Is(err, errNoCommit) {
			break // git says what that means
		}
		if err != nil {
			return false, err
		}
		if slices.Contains(above, ancestor) {
			return true, nil
		}
		queue = append(queue, above...)
	}
	res, err := r.Run(ctx, Cmd{Args: []string{"merge-base", "--is-ancestor", ancestor, descendant}, OK: []int{1}})
	return err == nil && res.Code == 0, err
}

var errNoCommit = errors.New("the object is no commit")

// parents returns the ids of a commit's parents.
func (r *Repo) parents(ctx context.Context, id string) (ids []string, err error) {
	err = r.Objects(ctx, []string{id}, func(o Object) error {
		if o.Type != "commit" {
			return errNoCommit
		}
		for in := bufio.NewReader(o.Content); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				return err // a header ends with an empty line
			}
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			switch {
			case key == "parent" && isID(value):
				ids = append(ids, value)
			case key != "tree":
				return nil
			}
		}
	})
	return ids, err
}
