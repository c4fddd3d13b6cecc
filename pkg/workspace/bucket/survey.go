package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

const (
	// maxWaiting is how many objects that are not used any more, and how many
	// manifests, wait for the whole grace; those beyond wait for hurry.
	maxWaiting = 2000
	hurry      = time.Hour
)

// survey is what is in a storage, and how old that is by the storage's own clock:
// nobody's machine has a say in it.
type survey struct {
	b         *Bucket
	at        *State    // the newest when it was made
	now       time.Time // by the storage's clock; zero where it has none
	manifests []blob.Info
	made      map[int64]time.Time // when the manifest of a generation was
	objects   map[string]blob.Info
	keyrings  []blob.Info
	anchors   map[int64]bool  // generations whose manifests say who the members were
	named     map[string]bool // keyrings that one of them names

	// Where the storage has no clock: in which generation this installation first
	// saw a blob that nothing refers to, by name, until the last time and now.
	before, noticed map[string]int64
}

// survey looks at everything that is stored.
func (b *Bucket) survey(ctx context.Context, st *State) (*survey, error) {
	s := &survey{
		b: b, at: st, made: map[int64]time.Time{}, objects: map[string]blob.Info{},
		anchors: map[int64]bool{}, named: map[string]bool{},
	}
	if err := s.clock(ctx); err != nil {
		return nil, err
	}
	for prefix, note := range map[string]func(blob.Info){
		manifests: func(i blob.Info) {
			if g := generationOf(i.Name); g > 0 {
				s.manifests = append(s.manifests, i)
				s.made[g] = i.Time
			}
		},
		objects: func(i blob.Info) {
			if hash := objectOf(i.Name); hash != "" {
				s.objects[hash] = i
			}
		},
		keyrings: func(i blob.Info) { s.keyrings = append(s.keyrings, i) },
	} {
		err := b.store.List(ctx, prefix, "", func(i blob.Info) error {
			note(i)
			return nil
		})
		if err != nil {
			return nil, unreadable("list what is below "+prefix+" at "+b.store.URL(), err)
		}
	}
	return s, s.members(ctx)
}

// clock asks for the storage's time: it is that of what was just written.
func (s *survey) clock(ctx context.Context) error {
	b := s.b
	if err := b.store.Replace(ctx, hintName, []byte(strconv.FormatInt(s.at.Generation, 10)+"\n")); err != nil {
		return unreadable("write the hint of "+b.store.URL(), err)
	}
	i, err := b.store.Stat(ctx, hintName)
	if err != nil {
		return unreadable("ask "+b.store.URL()+" for its time", err)
	}
	s.now = i.Time
	if s.now.IsZero() {
		s.before, s.noticed = b.local.noticed(), map[string]int64{}
	}
	return nil
}

// members finds out which manifests and keyrings are kept for good.
func (s *survey) members(ctx context.Context) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	for at := &s.at.anchor; at != nil; {
		m, err := s.b.manifestAt(ctx, *at)
		if err != nil {
			return err
		}
		s.anchors[at.Generation] = true
		if m.Membership != nil {
			s.named[m.Membership.Keyring.Name] = true
		}
		at = m.Anchor
	}
	return nil
}

// past reports whether something was there for so long.
func (s *survey) past(i time.Time, grace time.Duration) bool {
	return !i.IsZero() && s.now.Sub(i) >= grace
}

// graceOf is how long the i-th of n things waits, the oldest being the first.
func (s *survey) graceOf(i, n int) time.Duration {
	if n-i > maxWaiting {
		return min(s.b.opt.Grace, hurry)
	}
	return s.b.opt.Grace
}

// overdue returns the objects that are no longer used and waited long enough.
func (s *survey) overdue(st *State) map[string]bool {
	waiting := slices.Clone(st.retired)
	slices.SortStableFunc(waiting, func(a, b manifestv1.Retired) int { return int(min(max(a.Generation-b.Generation, -1), 1)) })
	used := inUse(st)
	out := map[string]bool{}
	for i, r := range waiting {
		if used[r.SHA256] {
			continue // whoever retired it was wrong, or lied
		}
		late := false
		if made, there := s.made[r.Generation]; s.now.IsZero() {
			late = st.Generation-r.Generation >= s.b.opt.Keep
		} else if there {
			late = s.past(made, s.graceOf(i, len(waiting)))
		} else {
			late = r.Generation < s.at.Generation // its manifest is gone, so it is old
		}
		if late {
			out[r.SHA256] = true
		}
	}
	return out
}

// inUse are the hashes of the objects that a state needs.
func inUse(st *State) map[string]bool {
	used := map[string]bool{}
	for _, p := range st.Packs {
		used[p.SHA256] = true
		if p.Index != nil {
			used[p.Index.SHA256] = true
		}
	}
	if st.manifest.Snapshot != nil {
		used[st.manifest.Snapshot.SHA256] = true
	}
	if st.manifest.Log != nil {
		used[st.manifest.Log.SHA256] = true
	}
	return used
}

// orphans returns the objects that nothing refers to and that are older than
// what somebody may be about to refer to.
func (s *survey) orphans(st *State) (hashes []string) {
	used := inUse(st)
	for _, r := range st.retired {
		used[r.SHA256] = true
	}
	for _, hash := range slices.Sorted(maps.Keys(s.objects)) {
		if !used[hash] && s.abandoned(s.objects[hash]) {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}

// abandoned reports whether a blob that nothing refers to is that old. Where the
// storage has no clock it counts from the generation in which this installation
// noticed it.
func (s *survey) abandoned(i blob.Info) bool {
	if !s.now.IsZero() {
		return s.past(i.Time, s.b.opt.Grace)
	}
	since, ok := s.before[i.Name]
	if !ok {
		since = s.at.Generation
	}
	s.noticed[i.Name] = since
	return s.at.Generation-since >= s.b.opt.Keep
}

// strayKeyrings returns the keyrings that no manifest ever named.
func (s *survey) strayKeyrings(st *State) (names []string) {
	if st.anchor != s.at.anchor {
		return nil // there are newer members; the next time will tell
	}
	for _, i := range s.keyrings {
		if !s.named[i.Name] && s.abandoned(i) {
			names = append(names, i.Name)
		}
	}
	return names
}

const noticedFile = "noticed.json"

// noticed returns in which generation blobs were first seen that nothing refers
// to, by name.
func (l local) noticed() map[string]int64 {
	out := map[string]int64{}
	data, err := os.ReadFile(l.path(noticedFile))
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		return map[string]int64{} // it counts from now
	}
	return out
}

// notice keeps that.
func (l local) notice(noticed map[string]int64) error {
	if len(noticed) == 0 {
		if err := os.Remove(l.path(noticedFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	data, err := json.Marshal(noticed)
	if err != nil {
		return err
	}
	return atomicfile.Replace(l.path(noticedFile), data, 0o600)
}
