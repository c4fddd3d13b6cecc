package dir

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// rivals is how many make one file at once in a probe.
const rivals = 4

// Probe implements blob.Store. It makes files in a directory of its own below
// .tmp, as names are given from one directory to another, and removes .tmp where
// nothing else is in it.
func (s *Store) Probe(ctx context.Context) error {
	return s.do(ctx, "try out", "", func() error {
		err := s.probe()
		_ = unix.Unlinkat(s.root.fd, tempDir, unix.AT_REMOVEDIR) // refused where it is in use
		return err
	})
}

func (s *Store) probe() error {
	name := rand.Text()
	return s.inTempDir(func(dir int) error {
		if err := unix.Mkdirat(dir, name, dirMode); err != nil {
			return err
		}
		defer unix.Unlinkat(dir, name, unix.AT_REMOVEDIR) //nolint:errcheck // what stays is swept
		s.sys.step()
		own, err := openAt(dir, name, dirOnly)
		if err != nil {
			return err
		}
		defer unix.Close(own) //nolint:errcheck // it was only looked at
		return s.race(own)
	})
}

// race has rivals make one file in an open directory, and one more when it is
// made: exactly one of them may.
func (s *Store) race(dir int) error {
	base := rand.Text()
	made := make([]*temp, rivals+1)
	defer func() {
		_ = unix.Unlinkat(dir, base, 0)
		for _, t := range made {
			if t != nil {
				t.drop()
			}
		}
	}()
	for i := range made {
		t, err := s.newTemp()
		if err != nil {
			return err
		}
		made[i] = t
		if err := s.write(t, []byte(t.name)); err != nil {
			return err
		}
	}
	outcome := make([]error, len(made))
	var wg sync.WaitGroup
	for i := range rivals {
		wg.Go(func() { outcome[i] = s.name(made[i], dir, base) })
	}
	wg.Wait()
	outcome[rivals] = s.name(made[rivals], dir, base)
	winner := slices.Index(outcome, nil)
	for i, err := range outcome {
		switch {
		case err == nil && i != winner:
			return notCreateOnly("two made a file of one name")
		case err != nil && !errors.Is(err, unix.EEXIST):
			return err
		}
	}
	fd, err := openAt(dir, base, unix.O_RDONLY)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), base)
	defer f.Close()
	said, err := io.ReadAll(io.LimitReader(f, tempName+1))
	if err == nil && (winner < 0 || string(said) != made[winner].name) {
		err = notCreateOnly("the file is not that of who made it")
	}
	return err
}
