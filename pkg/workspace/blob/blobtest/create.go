package blobtest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// create: what one store created the other has at once, and it stays as it is.
func create(f *fixture) {
	f.create(f.first, "log/1", "one")
	f.holds("log/1", "one", f.both()...)
	for _, other := range []string{"two", "on", "one and more", "onE", ""} {
		for _, s := range f.both() {
			f.fails(s.Create(f.ctx, "log/1", []byte(other)), blob.ErrExist, "log/1", "create")
		}
	}
	f.holds("log/1", "one", f.both()...)
	f.create(f.second, "log/2", "two")
	f.holds("log/2", "two", f.both()...)
}

// createAgain: an answer that was lost can be asked for again, by anybody.
func createAgain(f *fixture) {
	large := strings.Repeat("0123456789abcdef", 20_000)
	for name, data := range map[string]string{"small": "the same", "large": large, "none": ""} {
		f.create(f.first, name, data)
		for _, s := range f.both() {
			f.create(s, name, data)
		}
		f.holds(name, data, f.both()...)
	}
	f.fails(f.second.Create(f.ctx, "large", []byte(large[:len(large)-1]+"x")), blob.ErrExist, "large", "create")
	f.must(f.first.Remove(f.ctx, "small"), "remove")
	f.create(f.second, "small", "another")
	f.holds("small", "another", f.both()...)
}

// createOwnsItsBytes: the caller may use the slice again.
func createOwnsItsBytes(f *fixture) {
	data := []byte("before")
	f.must(f.first.Create(f.ctx, "a", data), "create")
	f.must(f.first.Replace(f.ctx, "b", data), "replace")
	st, err := f.first.Stage(f.ctx)
	f.must(err, "stage")
	_, err = st.Write(data)
	f.must(err, "write")
	copy(data, "after!")
	f.must(st.Commit(f.ctx, "c"), "commit")
	f.create(f.first, "last", "x")
	for _, name := range []string{"a", "b", "c"} {
		f.holds(name, "before", f.both()...)
	}
}

// atOnce calls fn n times at once and waits.
func atOnce(n int, fn func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

// createRace: of many who create a blob at once through both stores exactly one
// wins, and what is kept is the winner's.
func createRace(f *fixture) {
	for _, race := range []struct{ creators, rounds int }{{2, 12}, {8, 4}, {32, 2}} {
		for round := range race.rounds {
			name := fmt.Sprintf("race/%d/%d", race.creators, round)
			winners := raced(f, name, race.creators)
			if len(winners) != 1 {
				f.Errorf("%s: %d of %d won: %d", name, len(winners), race.creators, winners)
				continue
			}
			f.holds(name, claim(winners[0]), f.both()...)
		}
	}
}

// raced has so many create a blob at once, and returns who won.
func raced(f *fixture, name string, creators int) (winners []int) {
	var mu sync.Mutex
	atOnce(creators, func(i int) {
		err := f.both()[i%2].Create(f.ctx, name, []byte(claim(i)))
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			winners = append(winners, i)
		} else if !errors.Is(err, blob.ErrExist) {
			f.Errorf("creator %d of %s: %v", i, name, err)
		}
	})
	return winners
}

// claim is what a creator writes: as long for each, and for some in more than
// one piece of any storage's.
func claim(i int) string {
	return strings.Repeat("creator "+strconv.Itoa(1000+i)+"\n", 1+i%3*3000)
}

// createRaceOfEqualBytes: who creates the same has created it.
func createRaceOfEqualBytes(f *fixture) {
	for round := range 5 {
		name := "same/" + strconv.Itoa(round)
		atOnce(8, func(i int) {
			if err := f.both()[i%2].Create(f.ctx, name, []byte("agreed")); err != nil {
				f.Errorf("creator %d of %s: %v", i, name, err)
			}
		})
		f.holds(name, "agreed", f.both()...)
	}
}

// createRaceAfterCommit: each racer committed a blob before, as a push does. The
// winner's is there when it has won, and each loser's when it has created
// another blob.
func createRaceAfterCommit(f *fixture) {
	const racers = 8
	atOnce(racers, func(i int) {
		s, other := f.both()[i%2], f.both()[(i+1)%2]
		pack := fmt.Sprintf("pack/%d", i)
		st, err := s.Stage(f.ctx)
		if err == nil {
			_, err = st.Write([]byte(claim(i)))
		}
		if err == nil {
			err = st.Commit(f.ctx, pack)
		}
		for number := 1; err == nil && number <= racers; number++ {
			err = s.Create(f.ctx, fmt.Sprintf("log/%d", number), []byte(pack))
			if !errors.Is(err, blob.ErrExist) {
				break
			}
			err = nil
		}
		if err != nil {
			f.Errorf("racer %d: %v", i, err)
			return
		}
		f.holds(pack, claim(i), s, other)
	})
	if got := f.listed(f.first, "log/", ""); len(got) != racers {
		f.Errorf("the log is %q", got)
	}
}

// empty: a blob may have no bytes.
func empty(f *fixture) {
	f.create(f.first, "created", "")
	f.commit(f.first, "committed", "")
	f.must(f.first.Replace(f.ctx, "replaced", nil), "replace")
	f.must(f.first.Create(f.ctx, "nil", nil), "create")
	for _, name := range []string{"created", "committed", "replaced", "nil"} {
		f.holds(name, "", f.both()...)
	}
	f.fails(f.second.Create(f.ctx, "created", []byte("x")), blob.ErrExist, "created", "create")
}
