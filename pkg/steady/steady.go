// Package steady is a clock that the processes of an installation share and
// that nobody sets. What they date for each other, as tokens, keeps its meaning
// when the time of day is put right, by a minute or by ten years.
//
// It is the time of day when it was first opened after the machine had started,
// and goes on by the kernel's monotonic clock (CLOCK_MONOTONIC, the same in all
// processes), which stands still while the machine sleeps. It is for comparing,
// not for showing.
package steady

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
)

// Source is what a clock is made from.
type Source struct {
	Wall func() time.Time              // the time of day
	Mono func() (time.Duration, error) // since the machine started
	Boot func() (id string, err error) // of this start of the machine
}

// System is the machine's.
func System() Source { return Source{Wall: time.Now, Mono: monotonic, Boot: bootID} }

// tries is how often the clock is begun at most: another process that begins it
// at the same time may take the file away once.
const tries = 100

// Open returns the clock that is kept in the file at path, and begins it where
// there is none of this start of the machine.
func (s Source) Open(path string) (func() time.Time, error) {
	boot, err := s.Boot()
	if err != nil {
		return nil, fmt.Errorf("open the clock: %w", err)
	}
	began, err := read(path, boot)
	for range tries {
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		began, err = s.begin(path, boot)
	}
	if err != nil {
		return nil, fmt.Errorf("open the clock: %w", err)
	}
	return func() time.Time {
		mono, err := s.Mono()
		if err != nil { // it is there since Linux 2.6, and begin has asked it
			return time.Time{}
		}
		return began.Add(mono)
	}, nil
}

// begin notes when by the time of day the machine started. Of several that do
// so at once one wins.
func (s Source) begin(path, boot string) (time.Time, error) {
	mono, err := s.Mono()
	if err != nil {
		return time.Time{}, err
	}
	line := boot + " " + s.Wall().Add(-mono).UTC().Format(time.RFC3339Nano) + "\n"
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an earlier start of the machine
		return time.Time{}, err
	}
	if err := atomicfile.Create(path, []byte(line), 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return time.Time{}, err
	}
	return read(path, boot)
}

// read returns fs.ErrNotExist where the file does not say it of this start of
// the machine.
func read(path, boot string) (time.Time, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, err
	}
	rest, ok := strings.CutPrefix(string(data), boot+" ")
	began, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(rest))
	if !ok || err != nil {
		return time.Time{}, fs.ErrNotExist
	}
	return began, nil
}

func monotonic() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}
