package session

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// maxTitle is the longest title, in bytes.
const maxTitle = 200

// The title that a person gave a session lies beside it: saving the session does not
// take it back.
const (
	allTitles = "titles/"
	titleFile = "title.age"
)

// checkTitle is the title as it is kept, or fault.Invalid: one line, of something that
// can be seen.
func checkTitle(title string) (string, error) {
	title = strings.TrimSpace(title)
	switch {
	case title == "":
		return "", fault.New(fault.Invalid, "a session's title says something", "vexa session rename SESSION TITLE")
	case len(title) > maxTitle:
		return "", fault.Newf(fault.Invalid, "the title is longer than %d bytes", maxTitle)
	case !utf8.ValidString(title) || strings.ContainsFunc(title, unicode.IsControl):
		return "", fault.New(fault.Invalid, "the title has a line break or a control character", "give it in one line")
	}
	return title, nil
}

// titleOf is the title of a session that nobody gave one: what was asked first, in one
// line. Its first paragraph says that; files that were attached come behind it.
func titleOf(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n\n")
	line := strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	line = strings.ToValidUTF8(line, "\uFFFD")
	const most = 80
	if utf8.RuneCountInString(line) <= most {
		return line
	}
	return strings.TrimSpace(string([]rune(line)[:most-1])) + "…"
}

// Rename gives a session a title. It is fault.NotFound where there is no session, and
// fault.Invalid where the title is none.
func (s *Store) Rename(ctx context.Context, subject, session, title string) (Meta, error) {
	title, err := checkTitle(title)
	if err != nil {
		return Meta{}, err
	}
	meta, err := s.Get(ctx, subject, session)
	if err != nil {
		return meta, err
	}
	meta.Title = title
	file := workspace.PrivateFile{Name: titleFile, Write: func(w io.Writer) error {
		return s.sealed(w, func(w io.Writer) error { return json.NewEncoder(w).Encode(given{subject, session, title}) })
	}}
	err = s.opt.Store.PutPrivate(ctx, s.opt.Workspace, titleName(subject, session), keepTitles, []workspace.PrivateFile{file})
	return meta, fault.Wrap(fault.KindOf(err), "rename session "+session, err)
}

// keepTitles is how many titles of a session are in its history.
const keepTitles = 10

// given is a title's file: it says of which session it is, as a session's own does.
type given struct {
	Subject string `json:"subject"`
	Session string `json:"session"`
	Title   string `json:"title"`
}

func titleName(subject, session string) string {
	return allTitles + escape(subject) + "/" + escape(session)
}

// titled puts the title that a person gave, where there is one, into the description of
// a session. One that cannot be read is none: the session is there without it.
func (s *Store) titled(ctx context.Context, meta *Meta) {
	var g given
	err := s.opt.Store.ReadPrivate(ctx, s.opt.Workspace, titleName(meta.Subject, meta.Session), titleFile, func(r io.Reader) error {
		plain, err := s.opt.Sealer.Open(r)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(plain, metaMax))
		return errors.Join(err, json.Unmarshal(data, &g))
	})
	if title, bad := checkTitle(g.Title); err == nil && bad == nil && g.Subject == meta.Subject && g.Session == meta.Session {
		meta.Title = title
	}
}

// dropTitle forgets the title of a session that is forgotten.
func (s *Store) dropTitle(ctx context.Context, subject, session string) error {
	return s.opt.Store.DropPrivate(ctx, s.opt.Workspace, titleName(subject, session))
}
