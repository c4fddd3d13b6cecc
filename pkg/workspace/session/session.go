// Package session keeps what a runner needs to go on with a conversation: the
// capsule, the files of its state directory that the runner's manifest names.
//
// A capsule is a tar archive of regular files, made by the host, encrypted to
// the subject and committed to refs/vexa/sessions/<subject>/<session> of the
// subject's own workspace. No checkout and no mounted history holds these refs.
// The host never reads what is in the files. Restoring one trusts nothing in
// the archive but plain relative paths of regular files and directories.
package session

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/tree"
)

// Sealer encrypts to the subject and decrypts; *seal.Identity is one.
type Sealer interface {
	Seal(w io.Writer) (io.WriteCloser, error)
	Open(r io.Reader) (io.Reader, error)
}

// Keeper is where capsules rest; *workspace.Store is one.
type Keeper interface {
	PutPrivate(ctx context.Context, id, name string, keep int, files []workspace.PrivateFile) error
	ReadPrivate(ctx context.Context, id, name, file string, read func(io.Reader) error) error
	ListPrivate(ctx context.Context, id, prefix string) ([]workspace.PrivateRef, error)
	DropPrivate(ctx context.Context, id, name string) error
}

// Options configures New.
type Options struct {
	Store     Keeper
	Workspace string // name or id of the subject's own workspace; default "personal"
	Sealer    Sealer
	Now       func() time.Time
	Limits    tree.Limits // of one capsule; defaults: see DefaultLimits
}

// DefaultLimits cap a capsule: 64 MiB a file, 256 MiB in all, 20,000 names.
func DefaultLimits() tree.Limits {
	return tree.Limits{FileBytes: 64 << 20, TotalBytes: 256 << 20, Files: 20_000, Depth: 32}
}

// Store keeps session capsules. It is safe for concurrent use.
type Store struct{ opt Options }

// New returns a store of capsules.
func New(opt Options) *Store {
	if opt.Workspace == "" {
		opt.Workspace = "personal"
	}
	if opt.Limits == (tree.Limits{}) {
		opt.Limits = DefaultLimits()
	}
	return &Store{opt: opt}
}

// SaveRequest asks to keep a session.
type SaveRequest struct {
	Subject    string
	Session    string
	Unit       string   // the dispatch that ran it
	First      string   // what was asked first, for a session that has no title; "": it was saved before
	Runner     string   // name of the runner
	Ref        string   // the runner's own session id, where it assigns it
	Model      string   // the model it talked to
	Workspaces []string // ids, first is the working directory
	Tools      []string // names
	Dir        string   // state directory, written by the agent
	Globs      []string // what of Dir is kept, as tree.Glob has it
}

// Meta describes a saved session.
type Meta struct {
	Subject    string    `json:"subject"`
	Session    string    `json:"session"`
	Title      string    `json:"title,omitempty"` // what was asked first, or what the person called it
	Unit       string    `json:"unit"`
	Runner     string    `json:"runner"`
	Ref        string    `json:"ref"`
	Model      string    `json:"model"`
	Workspaces []string  `json:"workspaces"`
	Tools      []string  `json:"tools,omitempty"`
	Time       time.Time `json:"time"`
	Files      int       `json:"files"`
	Bytes      int64     `json:"bytes"`
}

const (
	capsuleFile = "capsule.age"
	metaFile    = "meta.age"
	metaMax     = 1 << 20
	keepCommits = 50 // of one session
	maxName     = 80 // bytes; escaped it still fits a file name
)

// Save keeps the capsule of a session. It fails, and the capsule saved before
// stays, where a cap is passed.
func (s *Store) Save(ctx context.Context, req SaveRequest) error {
	name, err := refName(req.Subject, req.Session)
	if err != nil {
		return err
	}
	match, err := matcher(req.Globs)
	if err != nil {
		return err
	}
	meta := Meta{
		Subject: req.Subject, Session: req.Session, Unit: req.Unit, Runner: req.Runner, Ref: req.Ref,
		Model: req.Model, Workspaces: req.Workspaces, Tools: req.Tools, Time: s.opt.Now().UTC(), Title: titleOf(req.First),
	}
	if req.First == "" {
		if before, err := s.meta(ctx, name); err == nil {
			meta.Title = before.Title
		}
	}
	files := []workspace.PrivateFile{
		{Name: capsuleFile, Write: func(w io.Writer) error {
			return s.sealed(w, func(w io.Writer) error { return s.archive(ctx, w, req.Dir, match, &meta) })
		}},
		{Name: metaFile, Write: func(w io.Writer) error {
			return s.sealed(w, func(w io.Writer) error { return json.NewEncoder(w).Encode(meta) })
		}},
	}
	err = s.opt.Store.PutPrivate(ctx, s.opt.Workspace, name, keepCommits, files)
	return fault.Wrap(fault.KindOf(err), "keep session "+req.Session, err)
}

// sealed encrypts what fn writes.
func (s *Store) sealed(w io.Writer, fn func(io.Writer) error) error {
	enc, err := s.opt.Sealer.Seal(w)
	if err != nil {
		return err
	}
	if err := fn(enc); err != nil {
		return err // unfinished, and so never opened
	}
	return enc.Close()
}

// matcher compiles the globs.
func matcher(globs []string) (func(string) bool, error) {
	var list []tree.Glob
	for _, text := range globs {
		g, err := tree.ParseGlob(text)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, "the capsule of a session", err)
		}
		list = append(list, g)
	}
	return func(path string) bool {
		for _, g := range list {
			if g.Match(path) {
				return true
			}
		}
		return false
	}, nil
}

// refName is the private ref of a session.
func refName(subject, session string) (string, error) {
	if subject == "" || session == "" || len(subject) > maxName || len(session) > maxName {
		return "", fault.Newf(fault.Invalid, "not a session: %q of %q", session, subject)
	}
	return refPrefix(subject) + escape(session), nil
}

func refPrefix(subject string) string { return "sessions/" + escape(subject) + "/" }

// escape makes any text one part of a ref's name: all but letters, digits, "_"
// and "-" become %XX.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// Load unpacks a session's capsule into dir, which is made or must be empty.
// It returns fault.NotFound where nothing was saved.
func (s *Store) Load(ctx context.Context, subject, session, dir string) (Meta, error) {
	meta, err := s.Get(ctx, subject, session)
	if err != nil {
		return meta, err
	}
	name, err := refName(subject, session)
	if err != nil {
		return meta, err
	}
	err = s.opt.Store.ReadPrivate(ctx, s.opt.Workspace, name, capsuleFile, func(r io.Reader) error {
		plain, err := s.opt.Sealer.Open(r)
		if err != nil {
			return err
		}
		return unpack(ctx, plain, dir, s.opt.Limits)
	})
	return meta, fault.Wrap(fault.KindOf(err), "restore session "+session, err)
}

// Get describes a saved session without unpacking it.
func (s *Store) Get(ctx context.Context, subject, session string) (Meta, error) {
	name, err := refName(subject, session)
	if err != nil {
		return Meta{}, err
	}
	meta, err := s.meta(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return meta, fault.New(fault.NotFound, "there is no session "+session, "vexa ps -a shows the sessions of past dispatches")
	}
	if err == nil && (meta.Subject != subject || meta.Session != session) {
		return Meta{}, fault.New(fault.Denied, "what is kept as session "+session+" is another session", "")
	}
	if err == nil {
		s.titled(ctx, &meta)
	}
	return meta, err
}

func (s *Store) meta(ctx context.Context, name string) (meta Meta, err error) {
	err = s.opt.Store.ReadPrivate(ctx, s.opt.Workspace, name, metaFile, func(r io.Reader) error {
		plain, err := s.opt.Sealer.Open(r)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(plain, metaMax))
		return errors.Join(err, json.Unmarshal(data, &meta))
	})
	return meta, err
}

// Latest returns the session of the subject that was saved last, or
// fault.NotFound.
func (s *Store) Latest(ctx context.Context, subject string) (Meta, error) {
	list, err := s.list(ctx, subject, 1)
	if err != nil {
		return Meta{}, err
	}
	if len(list) == 0 {
		return Meta{}, fault.New(fault.NotFound, "there is no session to go on with", "start one: vexa chat")
	}
	return list[0], nil
}

// List returns the sessions of the subject, the last saved first.
func (s *Store) List(ctx context.Context, subject string) ([]Meta, error) {
	return s.list(ctx, subject, 0)
}

func (s *Store) list(ctx context.Context, subject string, limit int) ([]Meta, error) {
	if subject == "" {
		return nil, fault.New(fault.Invalid, "a session belongs to a subject", "")
	}
	refs, err := s.opt.Store.ListPrivate(ctx, s.opt.Workspace, refPrefix(subject))
	if err != nil {
		return nil, err
	}
	out := make([]Meta, 0, len(refs))
	for i, ref := range refs {
		if limit > 0 && i >= limit && ref.Time.Before(refs[i-1].Time) {
			break // refs are ordered to the second
		}
		meta, err := s.meta(ctx, ref.Name)
		if err != nil {
			return nil, err
		}
		s.titled(ctx, &meta)
		out = append(out, meta)
	}
	slices.SortStableFunc(out, func(a, b Meta) int { return b.Time.Compare(a.Time) })
	return out, nil
}

// IDs returns the ids of the subject's sessions in no order that counts; none is opened.
func (s *Store) IDs(ctx context.Context, subject string) ([]string, error) {
	refs, err := s.opt.Store.ListPrivate(ctx, s.opt.Workspace, refPrefix(subject))
	if fault.Is(err, fault.NotFound) {
		return nil, nil // there is no workspace yet to keep one
	}
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(refs))
	for _, ref := range refs {
		_, id, err := parseRef(ref.Name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Remove forgets a session; it need not exist.
func (s *Store) Remove(ctx context.Context, subject, session string) error {
	name, err := refName(subject, session)
	if err != nil {
		return err
	}
	if err := s.opt.Store.DropPrivate(ctx, s.opt.Workspace, name); err != nil {
		return err
	}
	return s.dropTitle(ctx, subject, session)
}
