package bucket

import (
	"context"
	"errors"
	"fmt"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

const (
	// fewestManifests is how many manifests are worth another log, at most.
	fewestManifests = 64
	// mostManifests is how many are moved into the log at once.
	mostManifests = 4096
)

// forgetting is how manifests of old generations move into the log. That has all
// generations up to its own, also those whose manifests are kept: somebody may
// have seen one of them last.
type forgetting struct {
	base  *manifestv1.Log // the log until now; nil: none
	text  []byte          // of the new one; nil: there is none
	upTo  int64
	names []string // of the manifests that go, the oldest first
	left  []string // those that are in the log already: a process was killed
}

// forgetting finds out which manifests go: they say nothing of members, are old
// enough in generations and time, and so are all before them.
func (s *survey) forgetting(ctx context.Context) (*forgetting, error) {
	b, st := s.b, s.at
	f := &forgetting{base: st.manifest.Log}
	if f.base != nil {
		f.upTo = f.base.Generation
	}
	logged := f.upTo
	for i, m := range s.manifests {
		g := generationOf(m.Name)
		if g > st.Generation-b.opt.Keep || !s.now.IsZero() && !s.past(m.Time, s.graceOf(i, len(s.manifests))) || len(f.names) == mostManifests {
			break
		}
		f.upTo = max(f.upTo, g)
		switch {
		case s.anchors[g]:
		case g <= logged:
			f.left = append(f.left, m.Name)
		default:
			f.names = append(f.names, m.Name)
		}
	}
	if int64(len(f.names)) < min(fewestManifests, b.opt.Keep) {
		f.names, f.upTo = nil, logged
		return f, nil
	}
	b.mu.Lock()
	hashes, err := b.readLog(ctx, f.base)
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := s.note(ctx, hashes, logged, f.upTo); err != nil {
		return nil, err
	}
	f.text = encodeLog(hashes)
	return f, nil
}

// note adds the hashes of the generations after one and up to another. They are
// what the next generation says of the one before, which is signed, and not what
// the storage has under that name now.
func (s *survey) note(ctx context.Context, hashes map[int64]string, after, upTo int64) error {
	with := s.b.identities()
	for g := upTo + 1; g > after; g-- {
		stored, err := blob.ReadAll(ctx, s.b.store, manifestName(g), maxManifest)
		if errors.Is(err, blob.ErrNotExist) || fault.Is(err, fault.Invalid) {
			continue
		}
		if err != nil {
			return unreadable(fmt.Sprintf("read generation %d of %s", g, s.b.store.URL()), err)
		}
		hash := sum(stored)
		if want := hashes[g]; want != "" && want != hash {
			s.b.opt.Log.WarnContext(ctx, "an old manifest is not the one that was there", "bucket", s.b.id, "generation", g)
			continue
		}
		m, err := decodeManifest(stored, with)
		if err != nil || m.Bucket != s.b.id || m.Generation != g {
			continue
		}
		if g <= upTo {
			hashes[g] = hash
		}
		for _, before := range []*manifestv1.Anchor{m.Repairs, {Generation: g - 1, SHA256: m.Previous}} {
			if before != nil && before.Generation > after {
				hashes[before.Generation] = before.SHA256
			}
		}
	}
	return nil
}

// follows reports whether the log of a state is still the one that it goes on
// from.
func (f *forgetting) follows(st *State) bool {
	now := st.manifest.Log
	return f.text != nil && (now == nil) == (f.base == nil) && (now == nil || *now == *f.base)
}
