// Package session keeps what a runner needs to go on with a conversation.
package session

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace"
)

// Sealer encrypts to the subject and decrypts; *seal.Identity is one.
type Sealer interface {
	Seal(w io.Writer) (io.WriteCloser, error)
	Open(r io.Reader) (io.Reader, error)
}

// Options configures New.
type Options struct {
	Store     *workspace.Store
	Workspace string // name or id of the subject's own workspace; default "personal"
	Sealer    Sealer
	Now       func() time.Time
}

// Store keeps session capsules.
type Store struct{ opt Options }

// New returns a store of capsules.
func New(opt Options) *Store { return &Store{opt: opt} }

// SaveRequest asks to keep a session.
type SaveRequest struct {
	Subject    string
	Session    string
	Unit       string   // the dispatch that ran it
	Runner     string   // name of the runner
	Ref        string   // the runner's own session id, where it assigns it
	Model      string   // the model it talked to
	Workspaces []string // ids, first is the working directory
	Dir        string   // state directory, written by the agent
	Globs      []string // what of Dir is kept
}

// Meta describes a saved session.
type Meta struct {
	Subject    string    `json:"subject"`
	Session    string    `json:"session"`
	Unit       string    `json:"unit"`
	Runner     string    `json:"runner"`
	Ref        string    `json:"ref"`
	Model      string    `json:"model"`
	Workspaces []string  `json:"workspaces"`
	Time       time.Time `json:"time"`
}

var errSoon = errors.New("session: in progress")

// Save keeps the capsule of a session.
func (s *Store) Save(ctx context.Context, req SaveRequest) error { return errSoon }

// Load unpacks a session's capsule into dir, which must be empty.
func (s *Store) Load(ctx context.Context, subject, session, dir string) (Meta, error) {
	return Meta{}, errSoon
}

// Latest returns the session of the subject that was saved last.
func (s *Store) Latest(ctx context.Context, subject string) (Meta, error) { return Meta{}, errSoon }

// List returns the sessions of the subject, the last saved first.
func (s *Store) List(ctx context.Context, subject string) ([]Meta, error) { return nil, errSoon }
