package bucket_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// unused returns how many objects are stored besides packs and indexes.
func (m *machine) unused() int {
	m.tb.Helper()
	names := blobs(m.tb, m.store, "o/")
	n := len(names)
	for _, p := range m.head().Packs {
		n--
		if p.Index != nil {
			n--
		}
		if !slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, p.SHA256) }) {
			m.tb.Errorf("the pack %s is gone", p.SHA256)
		}
	}
	return n
}

// leave stores an object that nothing refers to, as a killed process does.
func leave(tb testing.TB, s blob.Store, digit string) string {
	tb.Helper()
	name := "o/" + digit + digit + "/" + strings.Repeat(digit, 64)
	st, err := s.Stage(tb.Context())
	if err == nil {
		_, err = st.Write([]byte("left"))
	}
	if err == nil {
		err = st.Commit(tb.Context(), name)
	}
	if err == nil {
		err = s.Create(tb.Context(), "k/999999.99999"+digit+".age", []byte("left"))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return name
}

// Whose clocks are wrong is of no account: ages are told by the storage's.
func TestCollectGoesByTheStoragesClock(t *testing.T) {
	t.Parallel()
	for name, years := range map[string]int{"a storage that is behind": -1, "a storage that is ahead": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storage := mem.New()
			c := newClock(time.Now().AddDate(years, 0, 0))
			wrong := func(o *bucket.Options) {
				o.Grace = 2 * time.Hour
				o.Now = func() time.Time { return time.Now().AddDate(-years, 0, 0) }
			}
			a := found(t, timed{storage.Handle(), c}, wrong)
			for _, id := range a.line("main", 10) {
				a.mustPush("refs/heads/main", id)
			}
			leave(t, a.store, "1")
			c.pass(time.Hour)
			a.mustConsolidate(a.consolidation())
			leave(t, a.store, "2")
			generation := a.head().Generation
			if got := a.mustCollect(); got != (bucket.Collected{}) || a.head().Generation != generation {
				t.Fatalf("too early: %+v, generation %d", got, a.head().Generation)
			}
			c.pass(90 * time.Minute) // what was left first is old enough, the packs are not
			if got := a.mustCollect(); got.Objects != 1 || got.Keyrings != 1 || got.Bytes != 4 || a.head().Generation != generation+1 {
				t.Fatalf("%+v, generation %d", got, a.head().Generation)
			}
			c.pass(90 * time.Minute)
			if got := a.mustCollect(); got.Objects != 12 || got.Keyrings != 1 || got.Manifests != 0 {
				t.Fatalf("%+v", got)
			}
			if n := a.unused(); n > 2 {
				t.Errorf("%d objects are left that are not packs", n)
			}
			if got := blobs(t, a.store, "k/"); len(got) != 1 {
				t.Errorf("keyrings: %v", got)
			}
			a.clone(storage)
		})
	}
}

// It comes to rest: a collection leaves less for the next one each time.
func TestCollectComesToRest(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := found(t, storage.Handle(), grace(time.Nanosecond), keep(8))
	opt := a.consolidation()
	for _, id := range a.line("main", 60) {
		a.mustPush("refs/heads/main", id)
		a.mustConsolidate(opt)
	}
	last := int64(0)
	for range 6 {
		a.mustCollect()
		last = a.head().Generation
	}
	if got := a.mustCollect(); got != (bucket.Collected{}) || a.head().Generation != last {
		t.Errorf("it goes on: %+v", got)
	}
	if n := a.unused(); n > 2 {
		t.Errorf("%d objects are left that are not packs", n)
	}
	if n := len(blobs(t, a.store, "m/")); n > 2*8+1 {
		t.Errorf("%d manifests are left", n)
	}
	a.reopen()
	a.clone(storage)
}

// A storage without a clock counts in generations.
func TestCollectWithoutAClock(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := found(t, timed{storage.Handle(), newClock(time.Time{})}, keep(8))
	ids := a.line("main", 40)
	left := leave(t, a.store, "1")
	for i, id := range ids[:20] {
		a.mustPush("refs/heads/main", id)
		if i == 9 {
			a.mustConsolidate(a.consolidation())
		}
		if got := a.mustCollect(); i < 7 && got != (bucket.Collected{}) {
			t.Fatalf("after %d pushes: %+v", i+1, got)
		}
	}
	if names := blobs(t, a.store, ""); slices.Contains(names, left) || slices.Contains(names, "k/999999.999991.age") {
		t.Errorf("what was left is still there")
	}
	for _, id := range ids[20:] {
		a.mustPush("refs/heads/main", id)
	}
	for range 4 {
		a.mustCollect()
	}
	if n := a.unused(); n > 8 {
		t.Errorf("%d objects are left that are not packs", n)
	}
	if n := len(blobs(t, a.store, "m/")); n > 2*8+1 {
		t.Errorf("%d manifests are left", n)
	}
	a.clone(storage, ids...)
}

// A clone that is under way while what it reads is collected starts over with
// what is there.
func TestCollectDuringAClone(t *testing.T) {
	t.Parallel()
	for _, at := range []string{blobtest.OpOpen, blobtest.OpRead} {
		for name, maintain := range map[string]func(a *machine){
			"joined":       func(a *machine) { a.mustConsolidate(a.consolidation()) },
			"written anew": func(a *machine) { a.mustConsolidate(full(a.consolidation())) },
		} {
			t.Run(name+" at "+at, func(t *testing.T) {
				t.Parallel()
				storage := mem.New()
				a, ids := pushed(t, storage, 12, grace(time.Nanosecond), keep(4))
				var reads atomic.Int64
				var once sync.Once
				b := a.join(&blobtest.Faulty{Store: storage.Handle(), Before: func(op, name string) error {
					if op == at && strings.HasPrefix(name, "o/") && reads.Add(1) > 5 {
						once.Do(func() {
							maintain(a)
							if got := a.mustCollect(); got.Objects < 12 {
								t.Errorf("collected %+v", got)
							}
						})
					}
					return nil
				}})
				st := b.mustFetch()
				if len(st.Packs) != 1 || st.Refs["refs/heads/main"] != ids[11] {
					t.Errorf("%+v", st)
				}
				b.git("cat-file", "-e", ids[0])
			})
		}
	}
}

// Who looks for the newest generation while manifests, snapshots and logs go
// finds it.
func TestHeadWhileCollecting(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := found(t, storage.Handle(), grace(time.Nanosecond), keep(4))
	ids := a.line("main", 2)
	old := a.another(storage.Handle())
	move := func(n int) {
		for i := range n {
			a.mustPush("refs/heads/main", ids[i%2], forced)
		}
	}
	move(1)
	old.head()
	move(60)
	var once sync.Once
	for name, m := range map[string]*machine{"old": old, "new": a.another(storage.Handle())} {
		once = sync.Once{}
		m.store = &blobtest.Faulty{Store: storage.Handle(), Before: func(op, name string) error {
			if op == blobtest.OpOpen && (strings.HasPrefix(name, "m/") || strings.HasPrefix(name, "o/")) {
				once.Do(func() {
					for range 3 {
						move(40)
						a.mustCollect()
					}
				})
			}
			return nil
		}}
		m.open()
		if st := m.head(); st.Generation != a.head().Generation {
			t.Errorf("%s: generation %d of %d", name, st.Generation, a.head().Generation)
		}
	}
}

// Whoever saw a generation whose manifest is gone can tell from the log that the
// newest comes after it; also where that manifest is one that stays.
func TestPinnedLongAgo(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := found(t, storage.Handle(), grace(time.Nanosecond), keep(16))
	ids := a.line("main", 2)
	first := a.another(storage.Handle()) // which has seen generation 1
	first.head()
	n := 0
	push := func(times int) {
		for range times {
			n++
			a.mustPush("refs/heads/main", ids[n%2], forced)
		}
	}
	push(4)
	fifth := a.another(storage.Handle())
	liar := a.another(storage.Handle())
	if fifth.head().Generation != 5 || liar.head().Generation != 5 {
		t.Fatal("not generation 5")
	}
	// What the storage loses or changes meanwhile does not come into the log.
	damaged := map[string]*machine{}
	for g := 6; g <= 10; g++ {
		push(1)
		if name := fmt.Sprintf("m/%016d", g); g == 7 || g == 9 {
			damaged[name] = a.another(storage.Handle())
			damaged[name].head()
		}
	}
	for name := range damaged {
		if err := a.store.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.store.Create(t.Context(), "m/0000000000000007", []byte("junk")); err != nil {
		t.Fatal(err)
	}
	for range scaled(12, 6) {
		push(50)
		a.mustCollect()
	}
	names := blobs(t, a.store, "m/")
	if len(names) > 40 || names[0] != "m/0000000000000001" {
		t.Fatalf("%d manifests, the first is %s", len(names), names[0])
	}
	newest := a.head().Generation
	if err := a.store.Remove(t.Context(), "hint"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]*machine{"generation 1": first, "generation 5": fifth, "nothing": a.another(storage.Handle())}
	maps.Copy(seen, damaged)
	for name, m := range seen {
		for range 2 {
			m.reopen()
			if st := m.head(); st.Generation != newest {
				t.Errorf("who has seen %s sees generation %d of %d", name, st.Generation, newest)
			}
		}
	}
	pin := filepath.Join(liar.state, liar.bucket.ID(), "pin.json")
	data, err := os.ReadFile(pin)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(data), `"sha256":"`) + len(`"sha256":"`)
	data[i] ^= 1 // a hexadecimal digit still, or else a damaged pin
	if data[i] < '0' || data[i] > '9' && data[i] < 'a' || data[i] > 'f' {
		data[i] = '0'
	}
	if err := os.WriteFile(pin, data, 0o600); err != nil {
		t.Fatal(err)
	}
	liar.reopen()
	if _, err := liar.bucket.Head(t.Context()); !fault.Is(err, fault.Denied) {
		t.Errorf("who has seen another generation 5: %v", err)
	}
}

// A keyring that a manifest names stays, however old it is.
func TestCollectKeepsKeyrings(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a, ids := pushed(t, storage, 2, grace(time.Nanosecond), keep(4))
	for i := range 3 {
		_, err := a.bucket.SetMembership(t.Context(), bucket.Edit(true, func(*manifestv1.Membership) error { return nil }))
		if err != nil {
			t.Fatal(err)
		}
		a.mustPush("refs/heads/main", ids[i%2], forced)
	}
	want := blobs(t, a.store, "k/")
	leave(t, a.store, "1")
	for i := range 20 {
		a.mustPush("refs/heads/main", ids[i%2], forced)
		a.mustCollect()
	}
	if got := blobs(t, a.store, "k/"); !slices.Equal(got, want) || len(want) != 4 {
		t.Errorf("keyrings %v, want %v", got, want)
	}
	a.clone(storage, ids...)
}

// A storage that fails ends a collection; the next one removes the rest.
func TestCollectFails(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a, ids := pushed(t, storage, 40, grace(time.Nanosecond), keep(4))
	a.mustConsolidate(a.consolidation())
	broken := errors.New("broken")
	var fails atomic.Int64
	good := a.store
	a.store = &blobtest.Faulty{Store: storage.Handle(), Before: func(op, _ string) error {
		if fails.Add(-1) == 0 {
			return broken
		}
		return nil
	}}
	for try := int64(1); ; try++ {
		a.open(grace(time.Nanosecond), keep(4))
		fails.Store(try)
		_, err := a.bucket.Collect(t.Context())
		fails.Store(0)
		if err == nil {
			break
		}
		if !errors.Is(err, broken) || try > 500 {
			t.Fatalf("try %d: %v", try, err)
		}
	}
	a.store = good
	a.open(grace(time.Nanosecond), keep(4))
	for range 4 {
		a.mustCollect()
	}
	if n := a.unused(); n > 2 {
		t.Errorf("%d objects are left that are not packs", n)
	}
	a.clone(storage, ids...)
}
