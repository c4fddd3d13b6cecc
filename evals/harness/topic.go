package harness

import (
	"encoding/json"
	"fmt"
	"strings"
)

// topic is what a unit's frames say.
type topic struct {
	gap            int
	accepted, done map[string]int
	ok             map[string]bool
	commits        map[string]int
	stopped        int
}

func read(text string) topic {
	t := topic{accepted: map[string]int{}, done: map[string]int{}, ok: map[string]bool{}, commits: map[string]int{}}
	next := 1
	for line := range strings.Lines(text) {
		var frame struct {
			Seq             int
			Turn, Type, SHA string
			State           string
			OK              bool
		}
		if json.Unmarshal([]byte(line), &frame) != nil {
			continue
		}
		if frame.Seq != next && t.gap == 0 {
			t.gap = next
		}
		next++
		switch frame.Type {
		case "turn-accepted":
			t.accepted[frame.Turn]++
		case "turn-done":
			t.done[frame.Turn]++
			t.ok[frame.Turn] = frame.OK
		case "commit":
			t.commits[frame.SHA]++
		case "state":
			if frame.State == "stopped" {
				t.stopped++
			}
		}
	}
	return t
}

// wrong says what a topic must not be, "" for one that is whole and has the end
// of a turn.
func (t topic) wrong(turn string) string {
	if t.gap != 0 {
		return fmt.Sprintf("frame %d is not there, or not in its place", t.gap)
	}
	for turn, n := range t.done {
		if n != 1 || t.accepted[turn] > 1 {
			return fmt.Sprintf("turn %s was accepted %d times and done %d times", turn, t.accepted[turn], n)
		}
	}
	if t.stopped != 1 {
		return fmt.Sprintf("it says %d times that the dispatch stopped", t.stopped)
	}
	if turn != "" && t.done[turn] == 0 {
		return fmt.Sprintf("the topic does not say how turn %s ended", turn)
	}
	return ""
}

// last is the last frame of a command's output.
func last(text string) (frame struct{ Unit, Session string }) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	_ = json.Unmarshal([]byte(lines[len(lines)-1]), &frame)
	return frame
}
