package bucket_test

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/failpoint"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// openAs opens the bucket of a scene as an installation.
func (c *client) openAs(who *person) *bucket.Bucket {
	c.tb.Helper()
	b, err := bucket.OpenDamaged(c.tb.Context(), options(who, c.store, c.state), "")
	if err != nil {
		c.tb.Fatalf("open: %v (%s)", err, fault.HintOf(err))
	}
	return b
}

// clone is jane's, of everything.
func (s *scene) clone() *bucket.Repo {
	s.tb.Helper()
	r, err := bucket.OpenRepo(s.tb.Context(), newGit(s.tb).Repo(s.repo+"/.git"))
	if err != nil {
		s.tb.Fatal(err)
	}
	return r
}

// repair repairs as an installation, first dry, which changes nothing.
func (c *client) repair(from *bucket.Repo) (*bucket.Bucket, bucket.Repaired) {
	c.tb.Helper()
	b := c.openAs(c.jane)
	opt := bucket.RepairOptions{Git: newGit(c.tb), Scratch: c.tb.TempDir(), DryRun: true}
	before, knew := blobsOf(c.tb, c.store), c.knows()
	if opt.DryRun = !c.wet; c.wet {
		got, err := b.Repair(c.tb.Context(), from, opt)
		if err != nil {
			c.tb.Fatalf("repair: %v (%s)", err, fault.HintOf(err))
		}
		return b, got
	}
	dry, err := b.Repair(c.tb.Context(), from, opt)
	if err != nil {
		c.tb.Fatalf("dry run: %v (%s)", err, fault.HintOf(err))
	}
	if !same(before, blobsOf(c.tb, c.store)) || c.knows() != knew {
		c.tb.Fatal("a dry run changed something")
	}
	opt.DryRun = false
	got, err := b.Repair(c.tb.Context(), from, opt)
	if err != nil {
		c.tb.Fatalf("repair: %v (%s)", err, fault.HintOf(err))
	}
	if !slices.Equal(got.Actions, dry.Actions) {
		c.tb.Errorf("a dry run says\n%v\nand what was done is\n%v", dry.Actions, got.Actions)
	}
	return b, got
}

// healthy checks that nothing is wrong with a bucket any more.
func healthy(tb testing.TB, b *bucket.Bucket) {
	tb.Helper()
	r, err := b.Verify(tb.Context(), bucket.VerifyOptions{Paranoid: true, Git: newGit(tb), Scratch: tb.TempDir()})
	if err != nil || !r.Healthy {
		tb.Errorf("after the repair: %v\n%s", err, r)
	}
}

// Every kind of file, damaged or gone, is put right by an installation that has
// seen everything and has a clone; everybody reads everything again.
func TestRepair(t *testing.T) {
	t.Parallel()
	for kind, object := range objectsOf(t) {
		for _, how := range []string{"damaged", "cut to nothing", "gone"} {
			t.Run(kind+"/"+how, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, "mem")
				switch data := slices.Clone(s.blobs[object]); how {
				case "damaged":
					data[len(data)-1] ^= 1
					s.put(object, data)
				case "cut to nothing":
					s.put(object, nil)
				default:
					s.remove(object)
				}
				c := s.client(atNewest)
				c.wet = how != "damaged"
				b, got := c.repair(s.clone())
				if kind == "hint" && how != "cut to nothing" {
					return // nothing is wrong
				}
				if len(got.Actions) == 0 || len(got.Left) > 0 || len(got.Broken) > 0 || len(got.Moved) > 0 {
					t.Errorf("repaired %+v", got)
				}
				healthy(t, b)
				s.everybodyReads(t, s.refs)
			})
		}
	}
}

// everybodyReads has every installation read everything.
func (s *scene) everybodyReads(t *testing.T, refs map[string]string) {
	t.Helper()
	for _, name := range installations {
		c := s.client(name)
		look := c.look
		if name == atNone {
			look = c.visit
		}
		st, err := look()
		if err != nil {
			t.Errorf("an installation %s: %v (%s)", name, err, fault.HintOf(err))
			continue
		}
		if !maps.Equal(st.Refs, refs) {
			t.Errorf("an installation %s reads %v, want %v", name, st.Refs, refs)
		}
	}
}

// Without a clone what can be put right is, and the rest is said.
func TestRepairWithoutClone(t *testing.T) {
	t.Parallel()
	names := objectsOf(t)
	for kind, whole := range map[string]bool{"index": true, "segment": false, "pack": false} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "mem")
			s.remove(names[kind])
			b, got := s.client(atNewest).repair(nil)
			if whole {
				healthy(t, b)
				s.everybodyReads(t, s.refs)
				return
			}
			if len(got.Actions) > 0 || len(got.Left) != 1 || got.Left[0].Object != names[kind] || len(got.Broken) == 0 {
				t.Fatalf("repaired %+v", got)
			}
		})
	}
}

// A clone that lacks what is lost: what it has is put right, the refs that it
// has not stay where they are, and another clone puts those right.
func TestRepairInPart(t *testing.T) {
	t.Parallel()
	s := newScene(t, "mem")
	a := s.client(atNewest)
	b := a.openAs(s.jane)
	m := (&machine{tb: t, who: s.jane, state: a.state, store: a.store, bucket: b}).withRepo()
	m.mustFetch()
	side := m.commit("side/a.md", "only here\n")
	m.mustPush("refs/heads/side", side)
	st, err := b.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost := st.Packs[len(st.Packs)-1]
	s.remove(bucket.ObjectName(lost.SHA256), bucket.ObjectName(packNamed(t, "base").SHA256))
	opt := bucket.RepairOptions{Git: newGit(t), Scratch: t.TempDir()}
	got, err := b.Repair(t.Context(), s.clone(), opt)
	if err != nil || len(got.Broken) != 1 || got.Broken["refs/heads/side"] != side || got.State.Refs["refs/heads/side"] != side {
		t.Fatalf("%v, %+v", err, got)
	}
	r, err := b.Verify(t.Context(), bucket.VerifyOptions{Paranoid: true, Git: newGit(t), Scratch: t.TempDir()})
	if err != nil || len(r.Findings) != 1 || r.Findings[0].Object != "refs/heads/side" || r.Findings[0].Kind != bucket.KindNotWhole {
		t.Fatalf("%v\n%s", err, r)
	}
	if got, err = b.Repair(t.Context(), m.repo, opt); err != nil || len(got.Broken) > 0 || len(got.Left) > 0 {
		t.Fatalf("%v, %+v", err, got)
	}
	healthy(t, b)
	want := maps.Clone(s.refs)
	want["refs/heads/side"] = side
	s.everybodyReads(t, want)
}

// The newest manifests are lost and nobody has a copy: the history goes on from
// the newest that can be read, and the clone says what came after.
func TestRepairLostGenerations(t *testing.T) {
	t.Parallel()
	noise := []byte("noise")
	for name, c := range map[string]struct {
		do    func(*scene)
		lost  int64 // the newest that was
		clone bool
		log   bool // the log is among what is lost
	}{
		"the newest is damaged":                          {func(s *scene) { s.put(head(13), noise) }, 13, true, false},
		"three are damaged":                              {func(s *scene) { s.put(head(13), noise); s.put(head(12), noise); s.put(head(11), noise) }, 13, true, true},
		"the newest is gone, and the one before damaged": {func(s *scene) { s.remove(head(13)); s.put(head(12), noise) }, 12, true, true},
		"no clone": {func(s *scene) { s.put(head(13), noise) }, 13, false, false},
		"noise far ahead": {func(s *scene) {
			s.put(head(13), noise)
			s.put(head(1<<53-1), noise)
		}, 13, true, false},
		"a manifest of nobody's": {func(s *scene) { s.forge(newPerson(s.tb), nothing) }, 14, true, false},
		"a manifest by who was removed": {func(s *scene) {
			s.forge(s.bob, func(m *manifestv1.Manifest) { m.Anchor = &manifestv1.Anchor{Generation: 4, SHA256: s.sums[4]} })
		}, 14, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "mem")
			c.do(s)
			var from *bucket.Repo
			if c.clone {
				from = s.clone()
			}
			// An installation without copies of what was lost, and of one that saw
			// only what is there still.
			who := s.client(atBehind)
			if name == "no clone" {
				who = s.client(atNone)
			}
			b, got := who.repair(from)
			if got.State.Generation != c.lost+1 || len(got.Left) > 0 || len(got.Broken) > 0 {
				t.Fatalf("repaired %+v", got)
			}
			want := maps.Clone(s.refs)
			switch {
			case c.clone && c.lost == 14:
				if len(got.Moved) > 0 {
					t.Errorf("moved %+v", got.Moved)
				}
			case c.clone:
				if len(got.Moved) != 1 || got.Moved[0].Ref != "refs/heads/main" || got.Moved[0].New != want["refs/heads/main"] {
					t.Errorf("moved %+v", got.Moved)
				}
			default:
				want["refs/heads/main"] = got.State.Refs["refs/heads/main"]
			}
			healthy(t, b)
			for _, name := range installations {
				st, err := s.client(name).visit()
				if name == atNewest && c.lost == 12 {
					// It saw 13, which the repair could not know of, and repairs better.
					if err == nil {
						t.Errorf("an installation %s takes generation %d", name, st.Generation)
					}
					continue
				}
				if name == atLog && c.log { // the log was lost, too
					if err == nil {
						t.Errorf("an installation %s takes generation %d", name, st.Generation)
					} else {
						told(t, name, err, head(2))
					}
					continue
				}
				if err != nil || !maps.Equal(st.Refs, want) {
					t.Errorf("an installation %s: %v (%s)", name, err, fault.HintOf(err))
				}
			}
			// Whoever repaired it, pushes go on.
			m := (&machine{tb: t, who: s.jane, store: s.open(), state: t.TempDir()})
			m.reopen()
			m.withRepo().mustFetch()
			m.git("reset", "-q", "--hard", "refs/bucket/heads/main")
			m.mustPush("refs/heads/main", m.commit("notes/b.md", "after the repair\n"))
			if _, err := s.client(atBehind).visit(); err != nil {
				t.Errorf("after a push: %v", err)
			}
		})
	}
}

// A bucket that was set back, repaired by who has seen the newest.
func TestRepairSetBack(t *testing.T) {
	t.Parallel()
	for _, g := range []int64{12, 8, 5} {
		s := newScene(t, "mem")
		for name := range s.blobs {
			if _, then := s.at[g][name]; !then {
				s.remove(name)
			}
		}
		c := s.client(atNewest)
		b, got := c.repair(s.clone())
		if len(got.Broken) > 0 || got.State.Refs["refs/heads/main"] != s.refs["refs/heads/main"] {
			t.Fatalf("set back to %d, repaired %+v", g, got)
		}
		if _, err := b.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{atNewest, atNone} {
			st, err := s.client(name).visit()
			if err != nil || !maps.Equal(st.Refs, s.refs) {
				t.Errorf("set back to %d, an installation %s: %v (%s)", g, name, err, fault.HintOf(err))
			}
			if err == nil && slices.ContainsFunc(st.Membership.Members, func(m manifestv1.Member) bool { return m.Name == "bob" && m.Until == 0 }) {
				t.Errorf("set back to %d: who was removed is a member again", g)
			}
		}
	}
}

// The snapshot is lost and nobody has a copy: it is made again from the one
// before and what changed since, and the clone has the rest.
func TestRepairLostSnapshot(t *testing.T) {
	t.Parallel()
	s := newScene(t, "mem")
	s.put(objectsOf(t)["snapshot"], []byte("noise"))
	_, got := s.client(atBehind).repair(s.clone())
	if len(got.Left) > 0 || len(got.Broken) > 0 || !maps.Equal(got.State.Refs, s.refs) || got.State.Generation != 14 {
		t.Fatalf("repaired %+v", got)
	}
	s.everybodyReads(t, s.refs)
}

// Two histories are not for a repair to decide.
func TestRepairRefuses(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*scene){
		"a fork":               fork,
		"a longer fork":        func(s *scene) { fork(s); s.extend() },
		"a history of its own": func(s *scene) { s.forge(s.jane, func(m *manifestv1.Manifest) { m.Previous = strings.Repeat("1", 64) }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "mem")
			do(s)
			before := blobsOf(t, s.store)
			c := s.client(atNewest)
			_, err := c.openAs(s.jane).Repair(t.Context(), s.clone(), bucket.RepairOptions{Git: newGit(t), Scratch: t.TempDir()})
			if !fault.Is(err, fault.Denied) {
				t.Fatalf("it was repaired: %v", err)
			}
			told(t, name, err, "m/")
			if !same(before, blobsOf(t, s.store)) {
				t.Fatal("it changed something")
			}
		})
	}
	// Who saw members that the readable part does not know goes back to no other.
	s := newScene(t, "mem")
	s.setAll(s.at[6])
	c := s.client(atNewest)
	if err := removeAll(c.state, s.id, "anchors", "cache"); err != nil {
		t.Fatal(err)
	}
	_, err := c.openAs(s.jane).Repair(t.Context(), s.clone(), bucket.RepairOptions{Git: newGit(t), Scratch: t.TempDir()})
	if !fault.Is(err, fault.Denied) {
		t.Fatalf("who was removed is a member again: %v", err)
	}
	told(t, "old members", err, head(7))
	// Who may only write does not pass over generations.
	s = newScene(t, "mem")
	s.put(head(13), []byte("noise"))
	carol := &client{scene: s, store: s.open(), state: t.TempDir()}
	if _, err := carol.openAs(s.carol).Repair(t.Context(), s.clone(), bucket.RepairOptions{Git: newGit(t), Scratch: t.TempDir()}); !fault.Is(err, fault.Denied) {
		t.Fatalf("a writer passed over a generation: %v", err)
	}
}

// Blobs that were moved are put back where they belong, by whoever has no copy.
func TestRepairMoved(t *testing.T) {
	t.Parallel()
	keyring := objectsOf(t)["keyring"]
	for name, do := range map[string]func(*scene){
		"two manifests":     func(s *scene) { s.swap(head(13), head(12)) },
		"two old manifests": func(s *scene) { s.swap(head(8), head(5)) },
		"who the members are": func(s *scene) {
			s.swap(head(7), head(9))
		},
		"a keyring": func(s *scene) {
			s.put("k/000009.000001.age", s.blobs[keyring])
			s.put(keyring, s.blobs["k/000001.000001.age"])
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "mem")
			do(s)
			b, got := s.client(atNone).repair(nil)
			if got.State.Generation != 13 || len(got.Left) > 0 && name != "a keyring" {
				t.Errorf("repaired %+v", got)
			}
			s.remove("k/000009.000001.age") // it is strange, and nobody uses it
			healthy(t, b)
			s.everybodyReads(t, s.refs)
		})
	}
}

// A forged index is made again from its pack.
func TestRepairForgedIndex(t *testing.T) {
	t.Parallel()
	a := create(t, mem.New())
	st := forgedIndex(t, a)
	opt := bucket.RepairOptions{Git: newGit(t), Scratch: t.TempDir()}
	got, err := a.bucket.Repair(t.Context(), a.repo, opt)
	if err != nil || len(got.Actions) != 1 || got.Actions[0].Object != bucket.ObjectName(st.Packs[0].Index.SHA256) {
		t.Fatalf("%v, %+v", err, got)
	}
	healthy(t, a.bucket)
	// The pack is the same, and further changes keep its new index.
	for i := range 40 {
		a.mustPush(fmt.Sprintf("refs/heads/b%d", i), a.git("rev-parse", "HEAD"))
	}
	healthy(t, a.bucket)
	now, err := a.bucket.Head(t.Context())
	if err != nil || now.Packs[0].SHA256 != st.Packs[0].SHA256 || now.Packs[0].Index.SHA256 == st.Packs[0].Index.SHA256 {
		t.Fatalf("%v, %+v", err, now.Packs)
	}
}

// FORMAT is written again where the id is known: by the address, as the only
// one, or given.
func TestRepairFormat(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{"another": []byte("vexa-bucket 1\n" + strings.Repeat("a", 32) + "\n"), "noise": []byte("noise"), "gone": nil} {
		s := newScene(t, "mem")
		if s.put("FORMAT", data); data == nil {
			s.remove("FORMAT")
		}
		_, got := s.client(atNewest).repair(nil)
		if len(got.Actions) != 1 || len(got.Left) > 0 {
			t.Errorf("%s: repaired %+v", name, got)
		}
		s.everybodyReads(t, s.refs)
		if s.put("FORMAT", data); data == nil {
			s.remove("FORMAT")
		}
		c := s.client(atNone)
		if _, err := bucket.OpenDamaged(t.Context(), options(s.jane, c.store, c.state), ""); name != "another" && err == nil {
			t.Errorf("%s: an id was guessed", name)
		}
		b, err := bucket.OpenDamaged(t.Context(), options(s.jane, c.store, c.state), s.id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Repair(t.Context(), nil, bucket.RepairOptions{Git: newGit(t), Scratch: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		s.everybodyReads(t, s.refs)
	}
	if _, err := bucket.OpenDamaged(t.Context(), options(newPerson(t), mem.New().Handle(), t.TempDir()), strings.Repeat("a", 32)); !fault.Is(err, fault.NotFound) {
		t.Errorf("an empty store is opened: %v", err)
	}
	// A bucket that lost its first file is not taken for an empty place.
	s := newScene(t, "mem")
	s.remove("FORMAT")
	if _, err := bucket.Create(t.Context(), options(s.jane, s.open(), t.TempDir()), bucket.CreateOptions{Members: []manifestv1.Member{s.jane.member("jane")}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a bucket was made over another one: %v", err)
	}
}

// Somebody pushes while a bucket is repaired: the repair is not made, nothing is
// lost, and made again it goes through.
func TestRepairWhileOthersPush(t *testing.T) {
	t.Parallel()
	s := newScene(t, "mem")
	s.remove(objectsOf(t)["index"])
	points := t.TempDir()
	if err := failpoint.Arm(points, "bucket.manifest"); err != nil {
		t.Fatal(err)
	}
	c := s.client(atNewest)
	opt := options(s.jane, c.store, c.state)
	opt.Failpoints = failpoint.New(points)
	b, err := bucket.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := b.Repair(context.WithoutCancel(t.Context()), nil, bucket.RepairOptions{Git: newGit(t), Scratch: t.TempDir()})
		done <- err
	}()
	for !failpoint.Reached(points, "bucket.manifest") {
		time.Sleep(time.Millisecond)
	}
	other := (&machine{tb: t, who: s.jane, store: s.open(), state: t.TempDir()})
	other.reopen()
	other.withRepo()
	id := other.commit("x", "x\n")
	other.mustPush("refs/heads/other", id)
	if err := failpoint.Release(points, "bucket.manifest"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !fault.Is(err, fault.Conflict) {
		t.Fatalf("the repair: %v", err)
	}
	if _, err := b.Repair(t.Context(), nil, bucket.RepairOptions{Git: newGit(t), Scratch: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	healthy(t, b)
	want := maps.Clone(s.refs)
	want["refs/heads/other"] = id
	s.everybodyReads(t, want)
}

// A repository of the other object format.
func TestRepairSHA256(t *testing.T) {
	t.Parallel()
	storage := mem.New()
	a := create(t, storage)
	a.dir = t.TempDir()
	a.git("init", "-q", "-b", "main", "--object-format=sha256")
	r, err := bucket.OpenRepo(t.Context(), newGit(t).Repo(filepath.Join(a.dir, ".git")))
	if err != nil {
		t.Fatal(err)
	}
	a.repo = r
	for i := range 5 {
		a.mustPush("refs/heads/main", a.commit("a", strings.Repeat(fmt.Sprintf("%d\n", i), 300)))
	}
	healthy(t, a.bucket)
	st, err := a.bucket.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.store.Remove(t.Context(), bucket.ObjectName(st.Packs[0].SHA256), bucket.ObjectName(st.Packs[2].SHA256)); err != nil {
		t.Fatal(err)
	}
	got, err := a.bucket.Repair(t.Context(), a.repo, bucket.RepairOptions{Git: newGit(t), Scratch: t.TempDir()})
	if err != nil || len(got.Broken) > 0 || len(got.Left) > 0 {
		t.Fatalf("%v, %+v", err, got)
	}
	healthy(t, a.bucket)
}

// What cannot be opened here need not be damaged: a repair does not pass over
// generations that others read.
func TestRepairOfWhatOthersRead(t *testing.T) {
	t.Parallel()
	keyring := objectsOf(t)["keyring"]
	alien := newIdentity(t)
	for name, c := range map[string]struct {
		do   func(*scene)
		who  func(*scene) *person
		left int64 // the newest that can be read here
	}{
		"the keyring is gone":                        {func(s *scene) { s.remove(keyring) }, func(s *scene) *person { return s.jane }, 6},
		"the keyring is damaged":                     {func(s *scene) { s.put(keyring, append(s.blobs[keyring][:300:300], s.blobs[keyring][301:]...)) }, func(s *scene) *person { return s.jane }, 6},
		"the keyring is not for one who was removed": {func(s *scene) {}, func(s *scene) *person { return s.bob }, 6},
		"a manifest for a key of nobody's": {func(s *scene) {
			stored, err := bucket.Encrypt([]byte("x"), alien.Recipient())
			if err != nil {
				s.tb.Fatal(err)
			}
			s.put(head(14), stored)
		}, func(s *scene) *person { return s.jane }, 13},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "mem")
			c.do(s)
			before := blobsOf(t, s.store)
			who := s.client(atNone)
			opt := bucket.RepairOptions{Git: newGit(t), Scratch: t.TempDir()}
			b, err := bucket.OpenDamaged(t.Context(), options(c.who(s), who.store, who.state), s.id)
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.Repair(t.Context(), s.clone(), opt)
			if !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "--pass-over") {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
			told(t, name, err, head(c.left+1))
			if !same(before, blobsOf(t, s.store)) {
				t.Fatal("it changed something")
			}
			if r, err := b.Verify(t.Context(), bucket.VerifyOptions{}); err != nil || r.Healthy || r.Generation != c.left {
				t.Fatalf("%v, %+v", err, r)
			}
			if c.left != 13 {
				return
			}
			opt.PassOver = true
			got, err := b.Repair(t.Context(), s.clone(), opt)
			if err != nil || got.State.Generation != 15 || !maps.Equal(got.State.Refs, s.refs) {
				t.Fatalf("%v (%s), %+v", err, fault.HintOf(err), got)
			}
			healthy(t, b)
			s.everybodyReads(t, s.refs)
		})
	}
}
