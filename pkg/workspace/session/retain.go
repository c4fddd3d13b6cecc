package session

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/retention"
)

// Guard calls drop unless the session is in use, and sees to it that nobody
// begins to use it meanwhile.
type Guard func(subject, session string, drop func() error) error

// Trim forgets the sessions of all subjects that the policy does not keep, the
// ones that were saved longest ago first.
func (s *Store) Trim(ctx context.Context, p retention.Sessions, now time.Time, guard Guard) error {
	if p == (retention.Sessions{}) {
		return nil
	}
	refs, err := s.opt.Store.ListPrivate(ctx, s.opt.Workspace, allSessions)
	if fault.Is(err, fault.NotFound) {
		return nil // there is no workspace yet to keep one
	}
	if err != nil {
		return err
	}
	oldest := time.Time{}
	if p.Age > 0 {
		oldest = now.Add(-p.Age)
	}
	for i, ref := range refs {
		if (p.Count == 0 || i < p.Count) && !ref.Time.Before(oldest) {
			continue
		}
		subject, id, err := parseRef(ref.Name)
		if err != nil {
			return err
		}
		drop := func() error { return s.Remove(ctx, subject, id) }
		if err := guard(subject, id, drop); err != nil {
			return err
		}
	}
	return nil
}

// allSessions is what the private refs of sessions begin with.
const allSessions = "sessions/"

// parseRef is the inverse of refName.
func parseRef(name string) (subject, session string, err error) {
	rest, ok := strings.CutPrefix(name, allSessions)
	a, b, two := strings.Cut(rest, "/")
	subject, err1 := url.PathUnescape(a)
	session, err2 := url.PathUnescape(b)
	again, err3 := refName(subject, session)
	if !ok || !two || err1 != nil || err2 != nil || err3 != nil || again != name {
		return "", "", fault.Newf(fault.Internal, "%q is not the ref of a session", name)
	}
	return subject, session, nil
}
