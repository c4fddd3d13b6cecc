package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Object is one object as cat-file announces it. Content must be used before
// the callback that got it returns; what it leaves unread is skipped.
type Object struct {
	ID      string
	Type    string // blob | tree | commit | tag
	Size    int64
	Content io.Reader
}

// The errors of reading objects.
var (
	ErrMissing  = errors.New("object is missing")
	ErrTooLarge = errors.New("object is too large")
)

// Objects reads the objects with the given ids, full hexadecimal ones, through
// one cat-file process, and calls fn with each in order. An error of fn ends it
// and is returned. It is safe for concurrent use; fn may read other objects.
//
// The process is kept for later reads, see Close. One that has ended meanwhile
// is replaced. Objects that were added since it was started are found.
func (r *Repo) Objects(ctx context.Context, ids []string, fn func(Object) error) error {
	return r.ask(ctx, question{ids: ids}, fn)
}

// Headers is [Repo.Objects] without any Content.
func (r *Repo) Headers(ctx context.Context, ids []string, fn func(Object) error) error {
	return r.ask(ctx, question{ids: ids, heads: true}, fn)
}

// Look does so with names, each of which may be whatever git takes for one
// object: a ref, an id, an expression. Of what is not there it says the zero
// Object. It opens objects of another format than sha1, too.
func (r *Repo) Look(ctx context.Context, names []string, fn func(Object) error) error {
	for _, name := range names {
		if name == "" || len(name) > maxName || strings.ContainsAny(name, "\n\x00") {
			return fault.Newf(fault.Invalid, "not the name of an object: %.100q", name)
		}
	}
	return r.ask(ctx, question{ids: names, heads: true, names: true}, fn)
}

// maxName is the longest name that is looked up, in bytes.
const maxName = 32 << 10

func (r *Repo) ask(ctx context.Context, q question, fn func(Object) error) error {
	for _, id := range q.ids {
		if !q.names && !isID(id) {
			return fault.Newf(fault.Internal, "not an object id: %q", id)
		}
	}
	if len(q.ids) == 0 {
		return nil
	}
	for {
		if ctx.Err() != nil {
			return fmt.Errorf("git cat-file: %w", context.Cause(ctx))
		}
		p, err := r.take(ctx)
		if err != nil {
			return err
		}
		used := p.used
		answered, err := r.read(ctx, p, q, fn)
		if !used || answered || !errors.Is(err, errEnded) {
			return err
		}
	}
}

// Object returns the content of one object of the given type. One that is larger
// than limit bytes is ErrTooLarge.
func (r *Repo) Object(ctx context.Context, id, kind string, limit int64) ([]byte, error) {
	var data []byte
	err := r.Objects(ctx, []string{id}, func(o Object) error {
		if o.Type != kind {
			return fmt.Errorf("%s is a %s, not a %s", id, o.Type, kind)
		}
		if o.Size > limit {
			return fmt.Errorf("%s has %d bytes: %w", id, o.Size, ErrTooLarge)
		}
		data = make([]byte, o.Size)
		_, err := io.ReadFull(o.Content, data)
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// isID reports whether a text is a full id, of either format.
func isID(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

func quote(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strconv.Quote(s)
}
