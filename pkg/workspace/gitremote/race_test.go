package gitremote_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// acknowledged are the commits for which git ended with success.
type acknowledged struct {
	mu  sync.Mutex
	ids []string
}

func (a *acknowledged) add(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids = append(a.ids, id)
}

// pushers clones the bucket n times, by as many machines, and lets all of them
// go at once.
func (w *world) pushers(n int, each func(m *machine, at string, i int)) {
	w.tb.Helper()
	type pusher struct {
		m  *machine
		at string
	}
	all := make([]pusher, n)
	for i := range all {
		m := w.machine(fmt.Sprintf("p%d", i))
		all[i] = pusher{m, m.clone("notes")}
	}
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i, p := range all {
		wg.Go(func() {
			<-start
			each(p.m, p.at, i)
		})
	}
	close(start)
	wg.Wait()
}

// holds checks that everything that was acknowledged is in a fresh clone.
func (w *world) holds(a *acknowledged, want int) {
	w.tb.Helper()
	m := w.machine("judge")
	at := m.clone("mirror", "--mirror")
	m.sound(at)
	there := map[string]bool{}
	for id := range strings.Lines(m.git(at, "rev-list", "--all") + "\n") {
		there[strings.TrimSpace(id)] = true
	}
	if len(a.ids) != want {
		w.tb.Errorf("%d pushes were acknowledged, want %d", len(a.ids), want)
	}
	for _, id := range a.ids {
		if !there[id] {
			w.tb.Errorf("%s was acknowledged and is not there", id)
		}
	}
}

// pushed pushes a commit to main, after whoever was faster, and returns how often
// it was not the first. again brings what the others did below the commit.
func (m *machine) pushed(at string, acks *acknowledged, again func()) (lost int) {
	for ; ; lost++ {
		r := m.try(at, "push", "origin", "HEAD:main")
		if r.code == 0 {
			acks.add(m.try(at, "rev-parse", "HEAD").out)
			return lost
		}
		// A fetch may have brought objects of a generation that came while it ran.
		rejected := strings.Contains(r.err, "(fetch first)") || strings.Contains(r.err, "(non-fast-forward)")
		if !rejected || strings.Contains(r.err, "vexa: ") || lost > 1000 {
			m.tb.Errorf("push: exit %d\n%s", r.code, r.err)
			return lost
		}
		again()
	}
}

// rebased is what a person does after a push that was rejected.
func (m *machine) rebased(at string) func() {
	return func() {
		if r := m.try(at, "pull", "-q", "--rebase", "origin", "main"); r.code != 0 {
			m.tb.Errorf("pull --rebase: exit %d\n%s", r.code, r.err)
		}
	}
}

// anew does the same with fewer processes: it makes another commit. Many who come
// back at once would be in each other's way again and again, so that it waits a
// while, as people do.
func (m *machine) anew(at string, others int) func() {
	return func() {
		<-time.After(rand.N(time.Duration(others) * 150 * time.Millisecond))
		if r := m.try(at, "fetch", "-q", "origin", "main"); r.code != 0 {
			m.tb.Errorf("fetch: exit %d\n%s", r.code, r.err)
		}
		id := m.try(at, "commit-tree", "-p", "FETCH_HEAD", "-m", m.home, "FETCH_HEAD^{tree}").out
		m.try(at, "update-ref", "HEAD", id)
	}
}

// TestSameRef: of those who push to one branch at once the others fetch and push
// again, and every commit that git said is pushed is there.
func TestSameRef(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 8, 32} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.machine("a")
			a.seeded("notes")
			var acks acknowledged
			rounds, losses := max(1, 8/n), make([]int, n)
			w.pushers(n, func(m *machine, at string, i int) {
				for round := range rounds {
					m.commit(at, fmt.Sprintf("f%d-%d", i, round), "x\n")
					again := m.rebased(at)
					if n > 8 {
						again = m.anew(at, n)
					}
					losses[i] += m.pushed(at, &acks, again)
				}
			})
			total := 0
			for _, l := range losses {
				total += l
			}
			t.Logf("%d pushes, %d were not the first", n*rounds, total)
			w.holds(&acks, n*rounds)
			if got := a.git(w.machine("count").clone("notes"), "rev-list", "--count", "HEAD"); got != fmt.Sprint(1+n*rounds) {
				t.Errorf("main has %s commits, want %d", got, 1+n*rounds)
			}
		})
	}
}

// TestOtherRefs: who pushes to a branch of their own is never in anybody's way.
func TestOtherRefs(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 8, 32} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.machine("a").seeded("notes")
			var acks acknowledged
			w.pushers(n, func(m *machine, at string, i int) {
				id := m.commit(at, fmt.Sprintf("f%d", i), "x\n")
				if r := m.try(at, "push", "origin", fmt.Sprintf("HEAD:refs/heads/p%d", i)); r.code != 0 {
					m.tb.Errorf("push: exit %d\n%s", r.code, r.err)
					return
				}
				acks.add(id)
			})
			w.holds(&acks, n)
			if got := len(w.state().Refs); got != n+1 {
				t.Errorf("%d refs, want %d", got, n+1)
			}
		})
	}
}

// TestOneMachine: clones of one installation share what it knows of the bucket,
// and push and fetch at once.
func TestOneMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.machine("a")
	a.seeded("notes")
	const n = 8
	clones := make([]string, n)
	for i := range clones {
		clones[i] = a.clone(fmt.Sprintf("c%d", i))
	}
	var acks acknowledged
	var wg sync.WaitGroup
	for i, at := range clones {
		wg.Go(func() {
			if i%2 == 0 {
				for range 4 {
					if r := a.try(at, "fetch", "-q"); r.code != 0 {
						t.Errorf("fetch: %s", r.err)
					}
				}
			}
			a.commit(at, fmt.Sprint(i), "x\n")
			a.pushed(at, &acks, a.rebased(at))
		})
	}
	wg.Wait()
	w.holds(&acks, n)
	for _, at := range clones {
		a.git(at, "pull", "-q", "--rebase", "origin", "main")
		a.sound(at)
	}
}
