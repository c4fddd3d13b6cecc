package bucket

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
)

func packsOf(objects ...int64) []manifestv1.Pack {
	var out []manifestv1.Pack
	for i, n := range objects {
		out = append(out, manifestv1.Pack{SHA256: fmt.Sprint(i), Size: 10 * n, Objects: n, Generation: int64(i + 1)})
	}
	return out
}

func TestGeometric(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		have  []int64
		limit int64
		want  []int64 // how many objects the chosen have
	}{
		"none":                   {nil, 1e6, nil},
		"one":                    {[]int64{5}, 1e6, nil},
		"a progression":          {[]int64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}, 1e6, nil},
		"few":                    {[]int64{1, 1, 1, 1, 1, 1, 1}, 1e6, nil},
		"enough":                 {[]int64{1, 1, 1, 1, 1, 1, 1, 1}, 1e6, []int64{1, 1, 1, 1, 1, 1, 1, 1}},
		"a large one stays":      {[]int64{1, 1, 1, 100, 1, 1, 1, 1, 1}, 1e6, []int64{1, 1, 1, 1, 1, 1, 1, 1}},
		"one that is not large":  {[]int64{1, 1, 1, 15, 1, 1, 1, 1, 1}, 1e6, []int64{1, 1, 1, 1, 1, 1, 1, 1, 15}},
		"what has no room stays": {[]int64{1, 1, 1, 15, 1, 1, 1, 1, 1}, 100, []int64{1, 1, 1, 1, 1, 1, 1, 1}},
		"no room":                {[]int64{9, 9, 9, 9, 9, 9, 9, 9}, 600, nil},
	} {
		var got []int64
		for _, p := range geometric(packsOf(c.have...), c.limit) {
			got = append(got, p.Objects)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: joins %v, want %v", name, got, c.want)
		}
	}
}

// However pushes and consolidations follow each other, packs are few and their
// objects are written again a few times.
func TestGeometricInTheLongRun(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var packs []manifestv1.Pack
	var pushed, written int64
	most := 0
	for i := range 20_000 {
		n := 3 + r.Int64N(4)
		if i%1000 == 0 {
			n = 5000
		}
		pushed += n
		packs = append(packs, manifestv1.Pack{SHA256: fmt.Sprint(i), Size: 100 * n, Objects: n})
		if i%8 != 0 {
			continue
		}
		if chosen := geometric(packs, 1<<40); len(chosen) > 0 {
			joined := manifestv1.Pack{SHA256: fmt.Sprint("j", i), Size: sizeOf(chosen)}
			drop := setOf(packNames(chosen))
			for _, p := range chosen {
				joined.Objects += p.Objects
			}
			written += joined.Objects
			packs = append(slices.DeleteFunc(packs, func(p manifestv1.Pack) bool { return drop[p.SHA256] }), joined)
		}
		most = max(most, len(packs))
	}
	if most > 17+8+8 || written > 17*pushed {
		t.Errorf("up to %d packs; %d objects were written for %d", most, written, pushed)
	}
}

func TestShowIndex(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("ab", 20)
	good := &entries{}
	for _, part := range []string{"12 " + id + " (0123", "4567)\n9", "9 " + id + "\n"} {
		if _, err := good.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if len(good.list) != 2 || good.list[0].offset != 12 || good.list[1].offset != 99 || good.digits != 40 {
		t.Errorf("%+v", good)
	}
	for _, bad := range []string{"\n", "x " + id + "\n", "1 zz\n", "1 " + strings.Repeat("ab", 33) + "\n"} {
		if _, err := (&entries{}).Write([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// Of what waits the newest 2,000 wait for the whole grace, the others an hour.
func TestHowLongThingsWait(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	s := &survey{b: &Bucket{opt: Options{Grace: 24 * time.Hour, Keep: 10}}, at: &State{Generation: 4001}, now: now, made: map[int64]time.Time{}}
	var retired []manifestv1.Retired
	for g := int64(4000); g > 0; g-- { // one each second, and the first thousand manifests are gone
		retired = append(retired, manifestv1.Retired{SHA256: fmt.Sprint(g), Generation: g})
		if g > 1000 {
			s.made[g] = now.Add(time.Duration(g-4000) * time.Second)
		}
	}
	if got := len(s.overdue(&State{Generation: 4001, retired: retired})); got != 1000 {
		t.Errorf("%d go in the first hour", got)
	}
	s.now = now.Add(time.Hour)
	if got := s.overdue(&State{Generation: 4001, retired: retired}); len(got) != 2000 || !got["2000"] || got["2001"] {
		t.Errorf("%d go in the second hour", len(got))
	}
	s.now = now.Add(23*time.Hour + 30*time.Minute)
	if got := s.overdue(&State{Generation: 4001, retired: retired}); len(got) != 2200 {
		t.Errorf("%d go after most of a day", len(got))
	}
	s.now = now.Add(24 * time.Hour)
	if got := s.overdue(&State{Generation: 4001, retired: retired}); len(got) != 4000 {
		t.Errorf("%d go after a day", len(got))
	}
	s.now = now.AddDate(-1, 0, 0) // the storage's clock was set back
	if got := s.overdue(&State{Generation: 4001, retired: retired}); len(got) != 1000 {
		t.Errorf("%d go a year before", len(got))
	}
	s.now = time.Time{}
	if got := s.overdue(&State{Generation: 4001, retired: retired}); len(got) != 3991 || got["3992"] {
		t.Errorf("%d go where there is no clock", len(got))
	}
}

// A change gives the same state whether it makes a snapshot or not, and what is
// collected is nowhere afterwards.
func TestCollectedIsForgotten(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	first := manifestv1.Manifest{Generation: 1, Head: "refs/heads/main"}
	st := newState(&signed{Manifest: first, sha256: "1"}, nil, manifestv1.Membership{})
	var retired []string
	snapshots := 0
	for i := range 2000 {
		c := change{set: map[string]string{fmt.Sprintf("refs/heads/%d", r.IntN(5)): fmt.Sprint(i)}}
		c.add = []manifestv1.Pack{{SHA256: fmt.Sprint("p", i), Kind: kindSegment, Generation: st.Generation + 1}}
		if i%20 == 19 {
			c.drop = packNames(st.Packs)
			retired = append(retired, c.drop...)
		}
		if i%33 == 32 {
			c.retire = []string{fmt.Sprint("log", i)}
			retired = append(retired, c.retire...)
		}
		if i%50 == 49 {
			c.collected = setOf(retired[:len(retired)/2])
			retired = retired[len(retired)/2:]
		}
		c.snapshot = r.IntN(100) == 0
		next, snap := st.apply(c)
		if snap == nil {
			snap = st.snapshot
		} else {
			snapshots++
			if st.manifest.Snapshot != nil {
				retired = append(retired, st.manifest.Snapshot.SHA256)
			}
			next.Snapshot = &manifestv1.Object{SHA256: fmt.Sprint("s", i)}
		}
		st = newState(&signed{Manifest: next, sha256: fmt.Sprint(i)}, snap, manifestv1.Membership{})
		var got []string
		for _, x := range st.retired {
			got = append(got, x.SHA256)
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(retired))
		if !slices.Equal(got, want) {
			t.Fatalf("change %d: retired are %v, want %v", i, got, want)
		}
		if n := len(next.Packs) + len(next.Dropped) + len(next.Retired); n > 100 {
			t.Fatalf("change %d: the manifest lists %d packs and objects", i, n)
		}
	}
	if snapshots < 20 || snapshots > 200 {
		t.Errorf("%d snapshots", snapshots)
	}
}
