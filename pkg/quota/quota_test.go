package quota_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/quota"
)

const gigabyte = 1 << 30

func TestDefaultFollowsTheMemory(t *testing.T) {
	t.Parallel()
	for memory, want := range map[int64]int{0: 4, gigabyte: 6, 8 * gigabyte: 51, 512 * gigabyte: 128} {
		if got := quota.Default(memory).Containers; got != want {
			t.Errorf("%d GB: %d containers, want %d", memory/gigabyte, got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text    string
		want    quota.Policy
		refused string
	}{
		"no file":       {"", quota.Default(gigabyte), ""},
		"all":           {`{"version": 1, "containers": 2, "waiting": 3}`, quota.Policy{Containers: 2, Waiting: 3}, ""},
		"one":           {`{"version": 1, "containers": 0}`, quota.Policy{Containers: 0, Waiting: quota.Default(0).Waiting}, ""},
		"other version": {`{"version": 2}`, quota.Policy{}, "version"},
		"unknown":       {`{"version": 1, "container": 2}`, quota.Policy{}, "container"},
		"negative":      {`{"version": 1, "waiting": -1}`, quota.Policy{}, "/waiting"},
		"more":          {`{"version": 1} {}`, quota.Policy{}, "after its end"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if test.text != "" {
				if err := os.WriteFile(filepath.Join(dir, quota.File), []byte(test.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := quota.Load(dir, gigabyte)
			if test.refused != "" {
				if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.refused) || !strings.Contains(err.Error(), quota.File) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

func enter(t *testing.T, g *quota.Gate, owner string) *quota.Place {
	t.Helper()
	p, err := g.Enter(owner)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func admitted(p *quota.Place) bool {
	select {
	case <-p.Admitted():
		return true
	default:
		return false
	}
}

func TestQueueIsInOrderAndByOwner(t *testing.T) {
	t.Parallel()
	g := quota.NewGate(quota.Policy{Containers: 2, Waiting: 3})
	a, b := enter(t, g, "jane"), enter(t, g, "jane")
	c, d, e := enter(t, g, "jane"), enter(t, g, "jane"), enter(t, g, "jane")
	if !admitted(a) || !admitted(b) || admitted(c) || admitted(d) {
		t.Fatal("not the first two were admitted")
	}
	if other := enter(t, g, "john"); !admitted(other) {
		t.Error("another owner waits")
	}
	if n, ok := d.Ahead(); n != 1 || !ok {
		t.Errorf("%d ahead, %v", n, ok)
	}
	if _, err := g.Enter("jane"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "3 dispatches of jane wait") {
		t.Errorf("a full queue says %v", err)
	}
	d.Leave() // it gives up
	a.Leave()
	a.Leave() // once is enough
	if !admitted(c) || admitted(e) || admitted(d) {
		t.Error("not the next was admitted")
	}
	b.Leave()
	if !admitted(e) || g.Waiting("jane") != 0 {
		t.Error("the last was not admitted")
	}
}

func TestForcedCountsBeyondTheLimit(t *testing.T) {
	t.Parallel()
	g := quota.NewGate(quota.Policy{Containers: 1})
	first, second := g.Force("jane"), g.Force("jane")
	if !admitted(first) || !admitted(second) {
		t.Fatal("what runs waits")
	}
	waits := enter(t, g, "jane")
	first.Leave()
	if admitted(waits) {
		t.Error("two are inside, one more than there may be")
	}
	second.Leave()
	if !admitted(waits) {
		t.Error("nobody is inside and it waits")
	}
}

func TestManyAtOnceNeverExceed(t *testing.T) {
	t.Parallel()
	const limit, n = 3, 200
	g := quota.NewGate(quota.Policy{Containers: limit})
	var mu sync.Mutex
	inside, most := 0, 0
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			p, err := g.Enter("jane")
			if err != nil {
				t.Error(err)
				return
			}
			<-p.Admitted()
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			mu.Lock()
			inside--
			mu.Unlock()
			p.Leave()
		})
	}
	wg.Wait()
	if most == 0 || most > limit {
		t.Errorf("%d were inside at once, want at most %d", most, limit)
	}
}

// What was accepted before is not refused when it comes back, and has its place
// behind those that came back before it.
func TestReturnIsNeverRefused(t *testing.T) {
	t.Parallel()
	g := quota.NewGate(quota.Policy{Containers: 1, Waiting: 1})
	inside := g.Return("jane")
	first, second := g.Return("jane"), g.Return("jane")
	if !admitted(inside) || admitted(first) || admitted(second) || g.Waiting("jane") != 2 {
		t.Fatal("not the first alone is inside")
	}
	if _, err := g.Enter("jane"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a full queue says %v", err)
	}
	inside.Leave()
	if !admitted(first) || admitted(second) {
		t.Error("not the next was admitted")
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	g := quota.NewGate(quota.Policy{Containers: 1})
	short := func(want int) {
		t.Helper()
		if got := g.Short("jane"); got != want {
			t.Errorf("short of %d, want %d", got, want)
		}
	}
	short(0)
	first, second := g.Force("jane"), g.Force("jane")
	short(0) // nobody waits
	third, fourth := g.Return("jane"), g.Return("jane")
	short(3)
	first.Leave()
	short(2)
	second.Leave()
	short(1)
	if third.Leave(); !admitted(fourth) {
		t.Error("the last was not admitted")
	}
	short(0)
}
