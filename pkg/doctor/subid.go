package doctor

import (
	"fmt"
	"strconv"
	"strings"
)

// idRange is a range of subordinate ids, as subuid(5) has it.
type idRange struct {
	owner string // a name or a uid
	first int
	count int
}

// The subordinate ids of one user: as many as useradd gives, from where it
// begins.
const (
	firstSubID = 100000
	subIDs     = 65536
)

// parseSubIDs reads /etc/subuid or /etc/subgid. Lines that are none are skipped,
// as shadow does.
func parseSubIDs(text string) []idRange {
	var out []idRange
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 {
			continue
		}
		first, err1 := strconv.Atoi(fields[1])
		count, err2 := strconv.Atoi(fields[2])
		if err1 == nil && err2 == nil && count > 0 && first >= 0 {
			out = append(out, idRange{fields[0], first, count})
		}
	}
	return out
}

// subIDCount is how many subordinate ids a user has, by name or by uid.
func subIDCount(ranges []idRange, who person) int {
	n := 0
	for _, r := range ranges {
		if r.owner == who.name || r.owner == strconv.Itoa(who.uid) {
			n += r.count
		}
	}
	return n
}

// overlaps reports whether another user's range meets one of who's.
func overlaps(ranges []idRange, who person) (other string, found bool) {
	mine := func(r idRange) bool { return r.owner == who.name || r.owner == strconv.Itoa(who.uid) }
	for _, a := range ranges {
		for _, b := range ranges {
			if mine(a) && !mine(b) && a.first < b.first+b.count && b.first < a.first+a.count {
				return b.owner, true
			}
		}
	}
	return "", false
}

// freeSubIDs returns the first range that meets none of the given ones.
func freeSubIDs(ranges []idRange) (first, last int) {
	first = firstSubID
	for moved := true; moved; {
		moved = false
		for _, r := range ranges {
			if first < r.first+r.count && r.first < first+subIDs {
				first, moved = r.first+r.count, true
			}
		}
	}
	return first, first + subIDs - 1
}

// rangeText renders a range as usermod takes it.
func rangeText(first, last int) string { return fmt.Sprintf("%d-%d", first, last) }
