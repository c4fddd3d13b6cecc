package bucket_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// place opens an empty directory as a store.
func place(tb testing.TB) blob.Store {
	tb.Helper()
	d, err := dir.Open(filepath.Join(tb.TempDir(), "backup"), dir.Options{Make: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.Close() })
	return d
}

// reads checks that a store is a whole bucket with these refs, for somebody who
// never saw it.
func reads(tb testing.TB, who *person, s blob.Store, refs map[string]string) *bucket.State {
	tb.Helper()
	b, err := bucket.Open(tb.Context(), options(who, s, tb.TempDir()))
	if err != nil {
		tb.Fatal(err)
	}
	healthy(tb, b)
	r, err := bucket.InitBare(tb.Context(), newGit(tb), tb.TempDir(), "sha1", "")
	if err != nil {
		tb.Fatal(err)
	}
	got, err := b.Fetch(tb.Context(), r, bucket.FetchOptions{})
	if err != nil {
		tb.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	if refs != nil && !maps.Equal(got.State.Refs, refs) {
		tb.Errorf("refs %v, want %v", got.State.Refs, refs)
	}
	return got.State
}

func backup(tb testing.TB, from, to blob.Store) bucket.Copied {
	tb.Helper()
	got, err := bucket.Backup(tb.Context(), from, to, bucket.CopyOptions{})
	if err != nil {
		tb.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	return got
}

// A backup is a bucket; what is there already is not copied again.
func TestBackup(t *testing.T) {
	t.Parallel()
	s := newScene(t, "mem")
	to := place(t)
	got := backup(t, s.store, to)
	if got.ID != s.id || got.Generation != 13 || got.Manifests != 11 || got.Keyrings != 3 || got.Present != 0 {
		t.Errorf("copied %+v", got)
	}
	if reads(t, s.jane, to, s.refs); !same(blobsOf(t, s.store), blobsOf(t, to)) {
		t.Error("it is not the same")
	}
	s.extend()
	if got = backup(t, s.store, to); got.Generation != 14 || got.Manifests != 1 || got.Keyrings != 0 || got.Objects != 1 {
		t.Errorf("copied %+v", got)
	}
	if got = backup(t, s.store, to); got.Manifests+got.Keyrings+got.Objects != 0 || got.Bytes != 0 {
		t.Errorf("copied %+v", got)
	}
	reads(t, s.jane, to, nil)
	// A backup of the backup.
	again := mem.New().Handle()
	backup(t, to, again)
	reads(t, s.jane, again, nil)
}

// What is damaged in the bucket does not come into the backup, and what is
// damaged in the backup is replaced where it is looked for.
func TestBackupOfDamage(t *testing.T) {
	t.Parallel()
	names := objectsOf(t)
	s := newScene(t, "mem")
	to := place(t)
	spoiled := slices.Clone(s.blobs[names["pack"]])
	spoiled[len(spoiled)/2] ^= 1
	s.put(names["pack"], spoiled)
	got, err := bucket.Backup(t.Context(), s.store, to, bucket.CopyOptions{})
	if !fault.Is(err, fault.Invalid) || !slices.Equal(got.Damaged, []string{names["pack"]}) || got.Generation != 13 {
		t.Fatalf("%v, %+v", err, got)
	}
	if !strings.Contains(err.Error(), names["pack"]) || !strings.Contains(fault.HintOf(err), "vexa workspace repair") {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
	s.put(names["pack"], s.blobs[names["pack"]])
	if got := backup(t, s.store, to); got.Objects != 1 {
		t.Fatalf("%+v", got)
	}
	reads(t, s.jane, to, s.refs)

	if err := to.Replace(t.Context(), names["pack"], spoiled); err != nil {
		t.Fatal(err)
	}
	if err := to.Replace(t.Context(), names["segment"], []byte("short")); err != nil {
		t.Fatal(err)
	}
	got = backup(t, s.store, to)
	if !slices.Equal(got.Replaced, []string{names["segment"]}) { // its length says so
		t.Fatalf("%+v", got)
	}
	got, err = bucket.Backup(t.Context(), s.store, to, bucket.CopyOptions{Check: true})
	if err != nil || !slices.Equal(got.Replaced, []string{names["pack"]}) {
		t.Fatalf("%v, %+v", err, got)
	}
	reads(t, s.jane, to, s.refs)
}

// A backup is kept from what is not the same bucket, going on.
func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(s *scene){
		"set back":             func(s *scene) { s.remove(head(13)) },
		"another history":      fork,
		"another one, longer":  func(s *scene) { fork(s); s.extend() },
		"another bucket":       func(s *scene) { s.setAll(blobsOf(s.tb, create(s.tb, mem.New()).store)) },
		"a damaged manifest":   func(s *scene) { s.put(head(13), []byte("noise")) },
		"no format":            func(s *scene) { s.remove("FORMAT") },
		"everything is gone":   func(s *scene) { s.setAll(nil) },
		"a format of nobody's": func(s *scene) { s.put("FORMAT", []byte("noise")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "mem")
			to := place(t)
			backup(t, s.store, to)
			before := blobsOf(t, to)
			do(s)
			_, err := bucket.Backup(t.Context(), s.store, to, bucket.CopyOptions{})
			if err == nil || fault.HintOf(err) == "" {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
			if !same(before, blobsOf(t, to)) {
				t.Error("the backup was changed")
			}
			reads(t, s.jane, to, s.refs)
		})
	}
}

// busy is a store in whose reads something happens.
type busy struct {
	blob.Store
	reads atomic.Int64
	at    map[int64]func()
}

func (b *busy) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if do := b.at[b.reads.Add(1)]; do != nil {
		do()
	}
	return b.Store.Open(ctx, name)
}

// While a bucket is copied somebody pushes, joins all packs and removes those
// that are no longer used, and old manifests: the backup is whole nevertheless.
func TestBackupWhileOthersPush(t *testing.T) {
	t.Parallel()
	for _, at := range []int64{2, 5, 9, 14, 20} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			storage := mem.New()
			a := create(t, storage)
			push := func(i int) {
				a.mustPush("refs/heads/main", a.commit("a", strings.Repeat(fmt.Sprintf("%d\n", i), 200)))
			}
			for i := range 8 {
				push(i)
			}
			join := func() {
				st, err := a.bucket.Head(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				a.git("repack", "-adq")
				packs, err := filepath.Glob(filepath.Join(a.dir, ".git/objects/pack/*.pack"))
				if err != nil || len(packs) != 1 {
					t.Errorf("packs: %v, %v", packs, err)
					return
				}
				var old, files []string
				for _, p := range st.Packs {
					old = append(old, p.SHA256)
					files = append(files, bucket.ObjectName(p.SHA256))
					if p.Index != nil {
						files = append(files, bucket.ObjectName(p.Index.SHA256))
					}
				}
				if _, err := bucket.StorePack(t.Context(), a.bucket, packs[0], strings.TrimSuffix(packs[0], ".pack")+".idx", nil, old...); err != nil {
					t.Error(err)
				}
				if err := a.store.Remove(t.Context(), files...); err != nil {
					t.Error(err)
				}
			}
			from := &busy{Store: storage.Handle(), at: map[int64]func(){
				at: func() { push(100); join(); push(101) },
				at + 11: func() {
					join()
					if _, err := bucket.RemoveManifests(t.Context(), a.bucket, 2, 3, 4); err != nil {
						t.Error(err)
					}
				},
			}}
			to := place(t)
			got, err := bucket.Backup(t.Context(), from, to, bucket.CopyOptions{})
			if err != nil {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
			if st := reads(t, a.who, to, nil); st.Generation != got.Generation {
				t.Errorf("%+v, generation %d", got, st.Generation)
			}
			backup(t, a.store, to)
			st, err := a.bucket.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			reads(t, a.who, to, st.Refs)
		})
	}
}

// A backup that was cut short is made whole by the next.
func TestBackupCutShort(t *testing.T) {
	t.Parallel()
	s := newScene(t, "mem")
	for _, at := range []int64{1, 3, 8, 15, 22} {
		ctx, cancel := context.WithCancel(t.Context())
		to := place(t)
		_, err := bucket.Backup(ctx, &busy{Store: s.store, at: map[int64]func(){at: cancel}}, to, bucket.CopyOptions{})
		if err == nil {
			t.Fatalf("at read %d: it was not cut short", at)
		}
		cancel()
		if got := backup(t, s.store, to); got.Generation != 13 {
			t.Errorf("at read %d: %+v", at, got)
		}
		reads(t, s.jane, to, s.refs)
	}
}

func restore(c *client, from blob.Store, with ...func(*bucket.RestoreOptions)) (bucket.Copied, error) {
	opt := bucket.RestoreOptions{State: c.state, Keys: c.jane}
	for _, w := range with {
		w(&opt)
	}
	return bucket.Restore(c.tb.Context(), from, c.store, opt)
}

func acceptOlder(o *bucket.RestoreOptions) { o.AcceptOlder = true }

// Every kind of file, damaged or gone, comes back from a backup, and nothing
// else is changed.
func TestRestore(t *testing.T) {
	t.Parallel()
	for kind, object := range objectsOf(t) {
		for i, how := range []string{"damaged", "cut to nothing", "gone", "all gone"} {
			t.Run(kind+"/"+how, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, "mem")
				from := place(t)
				backup(t, s.store, from)
				s.extend() // 14, which the backup has not
				want := blobsOf(t, s.store)
				switch data := slices.Clone(want[object]); how {
				case "damaged":
					data[len(data)-1] ^= 1
					s.put(object, data)
				case "cut to nothing":
					s.put(object, nil)
				case "gone":
					s.remove(object)
				default:
					s.setAll(nil)
					want = blobsOf(t, from)
				}
				c := s.client(installations[i%len(installations)])
				got, err := restore(c, from)
				if err != nil || len(got.Damaged) > 0 {
					t.Fatalf("%v (%s), %+v", err, fault.HintOf(err), got)
				}
				if !same(blobsOf(t, s.store), want) {
					t.Errorf("what was restored is something else: %+v", got)
				}
				if _, err := c.visit(); err != nil {
					t.Errorf("%v (%s)", err, fault.HintOf(err))
				}
			})
		}
	}
}

// A backup that is older than what was seen is not restored, unless that is
// accepted; then whoever saw more has to accept it, too.
func TestRestoreOlder(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(s *scene){
		"into an empty place":        func(s *scene) { s.setAll(nil) },
		"where the newest are gone":  func(s *scene) { s.remove(head(13), head(12)); s.put("hint", []byte("11\n")) },
		"where nothing can be found": func(s *scene) { s.setAll(map[string][]byte{"FORMAT": s.blobs["FORMAT"]}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "mem")
			from := mem.New().Handle()
			for name, data := range s.at[11] {
				if err := from.Replace(t.Context(), name, data); err != nil {
					t.Fatal(err)
				}
			}
			do(s)
			before := blobsOf(t, s.store)
			c := s.client(atNewest)
			knew := c.knows()
			_, err := restore(c, from)
			if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "11") || !strings.Contains(err.Error(), "13") || !strings.Contains(fault.HintOf(err), "--accept-older") {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
			if !same(before, blobsOf(t, s.store)) || c.knows() != knew {
				t.Fatal("it changed something")
			}
			if _, err := restore(c, from, acceptOlder); err != nil {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
			st, err := c.visit()
			if err != nil || st.Generation != 11 || st.SHA256 != s.sums[11] {
				t.Fatalf("%v (%s), %+v", err, fault.HintOf(err), st)
			}
			s.extend()
			if st, err = c.visit(); err != nil || st.Generation != 12 {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
			// Another installation, which saw 13.
			other := s.client(atNewest)
			if _, err := other.visit(); !fault.Is(err, fault.Denied) {
				t.Fatalf("it takes an older state: %v", err)
			}
			b := other.openAs(s.jane)
			if _, err := b.Accept(t.Context(), 12, s.sums[12]); !fault.Is(err, fault.Conflict) {
				t.Fatalf("something else was accepted: %v", err)
			}
			if _, err := b.Accept(t.Context(), 12, st.SHA256[:12]); err != nil {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
			if st, err := other.visit(); err != nil || st.Generation != 12 {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
			s.extend()
			if st, err := b.Head(t.Context()); err != nil || st.Generation != 13 {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
		})
	}
}

// An open bucket notices that another process accepted an older state.
func TestAcceptElsewhere(t *testing.T) {
	t.Parallel()
	s := newScene(t, "mem")
	c := s.client(atNewest)
	open := c.openAs(s.jane)
	if st, err := open.Head(t.Context()); err != nil || st.Generation != 13 {
		t.Fatal(err)
	}
	s.setAll(s.at[9])
	if _, err := c.openAs(s.jane).Accept(t.Context(), 9, s.sums[9]); err != nil {
		t.Fatal(err)
	}
	if st, err := open.Head(t.Context()); err != nil || st.Generation != 9 {
		t.Fatalf("%v, %+v", err, st)
	}
}

// What was accepted unread is verified when it is read.
func TestAcceptedIsVerified(t *testing.T) {
	t.Parallel()
	s := newScene(t, "mem")
	from := mem.New().Handle()
	s.forge(newPerson(t), nothing)
	for name, data := range blobsOf(t, s.store) {
		if err := from.Replace(t.Context(), name, data); err != nil {
			t.Fatal(err)
		}
	}
	s.setAll(nil)
	c := s.client(atNewest)
	if _, err := restore(c, from, acceptOlder); err != nil {
		t.Fatal(err)
	}
	_, err := c.visit()
	if !fault.Is(err, fault.Denied) {
		t.Fatalf("a manifest of nobody's: %v", err)
	}
	told(t, "a manifest of nobody's", err, head(14))
	if _, err := c.openAs(s.jane).Accept(t.Context(), 14, bucket.Sum(blobsOf(t, c.store)[head(14)])); !fault.Is(err, fault.Denied) {
		t.Fatalf("a manifest of nobody's was accepted: %v", err)
	}
}

// Two histories, and two buckets, are not mixed.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	s := newScene(t, "mem")
	from := place(t)
	backup(t, s.store, from)
	fork(s)
	for _, with := range []func(*bucket.RestoreOptions){func(*bucket.RestoreOptions) {}, func(o *bucket.RestoreOptions) { o.Keys = nil }} {
		before := blobsOf(t, s.store)
		if _, err := restore(s.client(atBehind), from, with); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), head(13)) {
			t.Errorf("another history: %v", err)
		}
		if !same(before, blobsOf(t, s.store)) {
			t.Error("it changed something")
		}
	}
	other := create(t, mem.New())
	if _, err := bucket.Restore(t.Context(), from, other.store, bucket.RestoreOptions{State: t.TempDir()}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), s.id) {
		t.Errorf("another bucket: %v", err)
	}
	if _, err := bucket.Restore(t.Context(), mem.New().Handle(), s.store, bucket.RestoreOptions{State: t.TempDir()}); !fault.Is(err, fault.NotFound) {
		t.Errorf("an empty backup: %v", err)
	}
	// A backup of another history, where the bucket lost the generation.
	s = newScene(t, "mem")
	fork(s)
	forked := place(t)
	backup(t, s.store, forked)
	s.remove(head(13))
	if _, err := restore(s.client(atNewest), forked); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "13") {
		t.Errorf("a backup of another history: %v", err)
	}
}
