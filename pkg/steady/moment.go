package steady

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Moment is an instant of one start of the machine. It can be kept where a clock
// file cannot, and is read by another process of the same start.
type Moment struct {
	Boot string        // of the start of the machine
	Up   time.Duration // since then, without the time in which it slept
}

// Moment is the present one.
func (s Source) Moment() (Moment, error) {
	boot, err := s.Boot()
	if err != nil {
		return Moment{}, fmt.Errorf("read the clock: %w", err)
	}
	up, err := s.Mono()
	if err != nil {
		return Moment{}, fmt.Errorf("read the clock: %w", err)
	}
	return Moment{Boot: boot, Up: up}, nil
}

// String is what ParseMoment reads.
func (m Moment) String() string { return m.Boot + " " + strconv.FormatInt(int64(m.Up), 10) }

// ParseMoment reads a moment. It reports whether it is one.
func ParseMoment(text string) (Moment, bool) {
	boot, rest, found := strings.Cut(text, " ")
	up, err := strconv.ParseInt(rest, 10, 64)
	m := Moment{Boot: boot, Up: time.Duration(up)}
	return m, found && err == nil && boot != "" && up >= 0 && m.String() == text
}

// Since returns how much later m is than an earlier moment. It reports false
// where the machine was started in between.
func (m Moment) Since(earlier Moment) (time.Duration, bool) {
	if m.Boot != earlier.Boot {
		return 0, false
	}
	return max(0, m.Up-earlier.Up), true
}
