// Package blobtest is the conformance suite of package blob, and a store that
// fails as a test says, for the tests of those who use the port.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// timeout bounds each test of the suite.
const timeout = 5 * time.Minute

// Option says what an adapter under test cannot be asked.
type Option int

// HoldsInMemory is for an adapter, or the fake storage of its tests, that holds
// blobs in the memory of this process: how much that takes is not tested.
const HoldsInMemory Option = 1

// Run proves that an adapter keeps the promises of the port. open returns two
// stores over one storage, a new and empty one each time, as two machines have
// them. The suite closes both; open may clean up what else it made.
func Run(t *testing.T, open func(t *testing.T) (first, second blob.Store), options ...Option) {
	t.Helper()
	big := func(f *fixture) { bigBlob(f, options) }
	tests := []struct {
		name string
		run  func(*fixture)
	}{
		{"URL", urls},
		{"Names", names},
		{"NamesRefused", namesRefused},
		{"NamesOfNothing", namesOfNothing},
		{"Create", create},
		{"CreateAgain", createAgain},
		{"CreateOwnsItsBytes", createOwnsItsBytes},
		{"CreateRace", createRace},
		{"CreateRaceOfEqualBytes", createRaceOfEqualBytes},
		{"CreateRaceAfterCommit", createRaceAfterCommit},
		{"Empty", empty},
		{"Stage", stage},
		{"StageAbort", stageAbort},
		{"StageMany", stageMany},
		{"StageTakenName", stageTakenName},
		{"StageThenCreateTheSame", stageThenCreateTheSame},
		{"CommitThenLose", commitThenLose},
		{"CommitThenConfirm", commitThenConfirm},
		{"CommitThenRemove", commitThenRemove},
		{"List", list},
		{"ListOrder", listOrder},
		{"ListAfter", listAfter},
		{"ListEnds", listEnds},
		{"ListMany", listMany},
		{"ListCallsBack", listCallsBack},
		{"Replace", replace},
		{"ReplaceIsWhole", replaceIsWhole},
		{"Remove", remove},
		{"RemoveUnderReader", removeUnderReader},
		{"Cancel", cancel},
		{"CancelReader", cancelReader},
		{"Probe", probe},
		{"ProbeAtOnce", probeAtOnce},
		{"Close", closing},
		{"CloseAborts", closeAborts},
		{"Together", together},
	}
	// By itself, since it measures.
	t.Run("Big", func(t *testing.T) { run(t, open, big) })
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			run(t, open, test.run)
		})
	}
}

func run(t *testing.T, open func(t *testing.T) (first, second blob.Store), test func(*fixture)) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), timeout)
	defer stop()
	f := &fixture{T: t, ctx: ctx}
	f.first, f.second = open(t)
	defer func() {
		if err := errors.Join(f.first.Close(), f.second.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	test(f)
}

// fixture is one test's stores.
type fixture struct {
	*testing.T
	ctx           context.Context //nolint:containedctx // of the test that the fixture is made for
	first, second blob.Store
}

func (f *fixture) both() []blob.Store { return []blob.Store{f.first, f.second} }

// must fails unless err is nil.
func (f *fixture) must(err error, what string) {
	f.Helper()
	if err != nil {
		f.Fatalf("%s: %v", what, err)
	}
}

// fails fails unless err matches target and names the blob.
func (f *fixture) fails(err, target error, name, what string) {
	f.Helper()
	if !errors.Is(err, target) {
		f.Errorf("%s of %s: %v, want %v", what, name, err, target)
	} else if !strings.Contains(err.Error(), name) {
		f.Errorf("%s of %s: the error does not name it: %v", what, name, err)
	}
}

func (f *fixture) create(s blob.Store, name, data string) {
	f.Helper()
	f.must(s.Create(f.ctx, name, []byte(data)), "create "+name)
}

// commit stages data in pieces and commits it.
func (f *fixture) commit(s blob.Store, name, data string) {
	f.Helper()
	st, err := s.Stage(f.ctx)
	f.must(err, "stage "+name)
	for rest := data; rest != ""; {
		n := min(len(rest), 7)
		f.write(st, rest[:n])
		rest = rest[n:]
	}
	f.must(st.Commit(f.ctx, name), "commit "+name)
}

func (f *fixture) write(st blob.Stage, data string) {
	f.Helper()
	if n, err := io.WriteString(st, data); err != nil || n != len(data) {
		f.Fatalf("write %d bytes: %d, %v", len(data), n, err)
	}
}

// holds fails unless each store has the blob with exactly these bytes, by Open
// and by Stat.
func (f *fixture) holds(name, data string, stores ...blob.Store) {
	f.Helper()
	for i, s := range stores {
		got, err := blob.ReadAll(f.ctx, s, name, int64(len(data))+1000)
		if err != nil || !bytes.Equal(got, []byte(data)) {
			f.Errorf("store %d: %s holds %d bytes %.40q (%v), want %d bytes %.40q", i+1, name, len(got), got, err, len(data), data)
			continue
		}
		info, err := s.Stat(f.ctx, name)
		if err != nil || info.Name != name || info.Size != int64(len(data)) {
			f.Errorf("store %d: stat of %s: %+v, %v", i+1, name, info, err)
		}
		if now := time.Now(); !info.Time.IsZero() && (info.Time.Before(now.Add(-48*time.Hour)) || info.Time.After(now.Add(48*time.Hour))) {
			f.Errorf("store %d: %s was stored at %v", i+1, name, info.Time)
		}
	}
}

// lacks fails unless each store has no blob of the name.
func (f *fixture) lacks(name string, stores ...blob.Store) {
	f.Helper()
	for _, s := range stores {
		_, err := blob.ReadAll(f.ctx, s, name, 1000)
		f.fails(err, blob.ErrNotExist, name, "open")
		_, err = s.Stat(f.ctx, name)
		f.fails(err, blob.ErrNotExist, name, "stat")
	}
}

// listed are the names that a listing calls back with.
func (f *fixture) listed(s blob.Store, prefix, after string) []string {
	f.Helper()
	got := []string{}
	f.must(s.List(f.ctx, prefix, after, func(info blob.Info) error {
		got = append(got, info.Name)
		return nil
	}), "list "+prefix)
	return got
}

// urls: a URL names the storage and holds no credential.
func urls(f *fixture) {
	for _, s := range f.both() {
		u, err := url.Parse(s.URL())
		if err != nil || u.Scheme == "" {
			f.Errorf("%q is no URL: %v", s.URL(), err)
			continue
		}
		if _, secret := u.User.Password(); secret {
			f.Errorf("%q holds a password", s.URL())
		}
	}
}
