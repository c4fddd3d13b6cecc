package gitremote_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/dir"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/inbox"
)

// blind lets the member of another world write this bucket and not read it, and
// returns a machine of theirs that knows so.
func (w *world) blind(name string, with *world) *machine {
	w.tb.Helper()
	ctx := context.Background()
	b := w.opened(w, w.tb.TempDir())
	st, err := b.SetMembership(ctx, func(m *manifestv1.Membership, _ *bucket.State) (bool, error) {
		if !slices.ContainsFunc(m.Members, bucket.WriteOnly) {
			kim := with.member("kim")
			kim.Recipients, kim.Rights = []string{}, []manifestv1.Right{{Refs: "refs/*", Allow: []string{"write"}}}
			m.Members = append(m.Members, kim)
		}
		return false, nil
	})
	must(w.tb, err)
	must(w.tb, inbox.Of(b).Announce(ctx, st))
	m := w.machine(name)
	must(w.tb, os.RemoveAll(m.path("vexa", "data", "keys")))
	adopt(w.tb, m, with)
	h, err := home.Open(m.lookup, os.Getuid())
	must(w.tb, err)
	theirs := w.opened(with, h.BucketState())
	met, err := inbox.Of(theirs).Meet(ctx, b.ID(), w.signer.Key(), false)
	must(w.tb, err)
	must(w.tb, met.Keep())
	return m
}

// opened opens the bucket with somebody's keys.
func (w *world) opened(keys bucket.Keys, state string) *bucket.Bucket {
	w.tb.Helper()
	store, err := dir.Open(w.bucket, dir.Options{})
	must(w.tb, err)
	b, err := bucket.Open(context.Background(), bucket.Options{Store: store, Keys: keys, State: state, Now: time.Now})
	must(w.tb, err)
	w.tb.Cleanup(func() { _ = b.Close() })
	return b
}

// delivered returns what lies in the inbox, each with its pack unpacked into one
// repository in turn, by ref.
func (w *world) delivered() map[string]string {
	w.tb.Helper()
	ctx := context.Background()
	b := w.opened(w, w.tb.TempDir())
	box := inbox.Of(b)
	list, err := box.List(ctx)
	must(w.tb, err)
	at := filepath.Join(w.tb.TempDir(), "all.git")
	w.machine("reader"+fmt.Sprint(time.Now().UnixNano())).git(w.dir, "init", "-q", "--bare", at)
	g, err := git.New(ctx, git.Options{})
	must(w.tb, err)
	r, err := bucket.OpenRepo(ctx, g.Repo(at))
	must(w.tb, err)
	defer r.Close()
	out := map[string]string{}
	for _, e := range list {
		if !e.Named {
			continue
		}
		d, err := box.Read(ctx, e.ID)
		must(w.tb, err)
		_, err = box.Unpack(ctx, r, d)
		must(w.tb, err)
		for _, u := range d.Updates {
			out[u.Ref] = u.ID
			if whole, err := r.Connected(ctx, []string{u.ID}); err != nil || !whole {
				w.tb.Errorf("%s lacks objects: %v", u.Ref, err)
			}
		}
	}
	return out
}

// TestDeliver: git of who writes and does not read pushes, in pieces that build on each
// other, and reads nothing.
func TestDeliver(t *testing.T) {
	t.Parallel()
	w, kim := newWorld(t), newWorld(t)
	w.machine("a").seeded("notes")
	before := w.state()
	m := w.blind("kim", kim)
	at := m.init("own")
	says := []string{"vexa: error: ", "does not read it", "vexa: hint: git push"}
	m.refused(m.home, says, "clone", w.url, "copy")
	m.refused(m.home, says, "ls-remote", w.url)
	m.refused(at, says, "fetch", "origin")
	if _, err := os.Stat(m.path("copy")); !os.IsNotExist(err) {
		t.Errorf("the clone left something: %v", err)
	}
	text := strings.Repeat("A line of a log.\n", 20_000)
	want := map[string]string{}
	var sizes []int64
	files := w.files()
	for i := range 3 {
		text += fmt.Sprintf("%d\n", i)
		want["refs/heads/log"] = m.commit(at, "log", text)
		m.git(at, "push", "-q", "origin", "HEAD:log")
		now := w.files()
		sizes = append(sizes, now.since(files))
		files = now
	}
	if sizes[2] > overhead {
		t.Errorf("deliveries have %v bytes: what was delivered before is sent again", sizes)
	}
	m.git(at, "push", "-q", "origin", "HEAD~1:refs/heads/old", "HEAD:refs/tags/v1")
	want["refs/heads/old"], want["refs/tags/v1"] = m.git(at, "rev-parse", "HEAD~1"), want["refs/heads/log"]
	if r := m.try(at, "push", "origin", "HEAD:log"); r.code != 0 || !strings.Contains(r.err, "Everything up-to-date") {
		t.Errorf("%+v", r)
	}
	m.refused(at, []string{"already exists"}, "push", "origin", "HEAD~1:refs/tags/v1")
	m.refused(at, []string{"deletes nothing"}, "push", "origin", ":log")
	m.refused(at, []string{"branches and tags alone"}, "push", "origin", "HEAD:refs/notes/x")
	m.refused(at, []string{"a dispatch's own"}, "push", "origin", "HEAD:refs/heads/vexa/x")
	m.refused(at, []string{"rejected", "log"}, "push", "origin", "HEAD~2:log")
	m.refused(at, []string{"atomic"}, "push", "--atomic", "origin", "HEAD:refs/heads/both", "HEAD~2:log")
	m.git(at, "push", "-q", "--dry-run", "origin", "HEAD:refs/heads/dry")
	m.git(at, "push", "-q", "--force", "origin", "HEAD~2:log")
	want["refs/heads/log"] = m.git(at, "rev-parse", "HEAD~2")
	got := w.delivered()
	for ref, id := range want {
		if got[ref] != id {
			t.Errorf("%s is %q, want %s", ref, got[ref], id)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	if st := w.state(); st.Generation != before.Generation+1 || st.Refs["refs/heads/log"] != "" { // the member
		t.Errorf("generation %d, refs %v", st.Generation, st.Refs)
	}
	m.clean(at)
	// What it noted says nothing to who has its disk and not its key.
	must(t, filepath.WalkDir(m.path("vexa", "state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), "refs/heads") {
			t.Errorf("%s names refs", path)
		}
		return err
	}))
}

// TestKilledDelivery: a delivery that is killed at any step is there whole or not at
// all, and the next push makes it good.
func TestKilledDelivery(t *testing.T) {
	t.Parallel()
	for who, kill := range victims {
		for _, p := range inbox.Failpoints() {
			t.Run(fmt.Sprintf("%s, %s", who, p), func(t *testing.T) {
				t.Parallel()
				w, kim := newWorld(t), newWorld(t)
				w.machine("a").seeded("notes")
				m := w.blind("kim", kim)
				at := m.init("own")
				m.commit(at, "a", "1\n")
				m.git(at, "push", "-q", "origin", "HEAD:log")
				id := m.commit(at, "a", "2\n")
				if !m.killed(p, kill, at, "push", "-q", "origin", "HEAD:log") {
					t.Fatalf("no push came to %s", p)
				}
				w.delivered() // each that is there is whole
				m.git(at, "push", "-q", "origin", "HEAD:log")
				if got := w.delivered(); got["refs/heads/log"] != id {
					t.Errorf("%v", got)
				}
				m.clean(at)
				m.sound(at)
			})
		}
	}
}

// TestDeliverAtOnce: machines of one member that deliver at the same time lose nothing.
func TestDeliverAtOnce(t *testing.T) {
	t.Parallel()
	w, kim := newWorld(t), newWorld(t)
	w.machine("a").seeded("notes")
	const n = 8
	var machines []*machine
	for i := range n {
		machines = append(machines, w.blind(fmt.Sprintf("kim%d", i), kim))
	}
	want := map[string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, m := range machines {
		all.Go(func() {
			at := m.init("own")
			for k := range 3 {
				id := m.commit(at, "a", fmt.Sprintf("%d %d\n", i, k))
				ref := fmt.Sprintf("refs/heads/log-%d-%d", i, k)
				if r := m.try(at, "push", "-q", "origin", "HEAD:"+ref); r.code == 0 {
					mu.Lock()
					want[ref] = id
					mu.Unlock()
				} else {
					t.Errorf("%s", r.err)
				}
			}
		})
	}
	all.Wait()
	got := w.delivered()
	for ref, id := range want {
		if got[ref] != id {
			t.Errorf("%s is %q, want %s", ref, got[ref], id)
		}
	}
	if len(want) != 3*n {
		t.Errorf("%d pushes were acknowledged", len(want))
	}
}

// BenchmarkDeliver delivers a commit of one line; its floor is git's own push of the
// same to a bare repository.
func BenchmarkDeliver(b *testing.B) {
	m := newBenched(b)
	m.seeded("notes")
	kim := newWorldIn(b, "")
	k := m.blind("kim", kim)
	at := k.init("own")
	k.git(at, "remote", "add", "plain", m.plain)
	var ours, floor []time.Duration
	for n := 0; b.Loop(); n++ {
		k.commit(at, "a", fmt.Sprintf("line %d\n", n))
		floor = append(floor, took(func() { k.git(at, "push", "-q", "plain", "main") }))
		ours = append(ours, took(func() { k.git(at, "push", "-q", "origin", "main") }))
	}
	report(b, "push", ours, floor)
}
