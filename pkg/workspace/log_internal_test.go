package workspace

import (
	"strings"
	"testing"
)

// FuzzParseLog: whatever people and other programs wrote into a commit, the log
// is refused or has as many commits as it was given, and only a commit of
// Vexa's own has provenance.
func FuzzParseLog(f *testing.F) {
	sha := strings.Repeat("a", 40)
	ours := strings.Join([]string{sha, sha + " " + sha, "u_jane", "e", CommitterName, CommitterEmail, "1700000000", "s\n\nVexa-Dispatch: 01JD\nVexa-Launcher: user:u\n"}, "\x00")
	theirs := strings.Join([]string{sha, "", "a", "e", "c", "e", "5", "s\n\nVexa-Dispatch: 01JD\n"}, "\x00")
	for _, text := range []string{"", "\x00", ours + "\x00", theirs + "\x00", ours + "\x00" + theirs + "\x00", sha} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseLog(text)
		if err != nil {
			return
		}
		if fields := strings.Count(strings.TrimSuffix(text, "\x00"), "\x00") + 1; text != "" && text != "\x00" && len(list)*logFields != fields {
			t.Errorf("%d commits of %d fields", len(list), fields)
		}
		if !strings.Contains(text, "\x00"+CommitterName+"\x00"+CommitterEmail+"\x00") {
			for _, c := range list {
				if c.Unit != "" || c.Subject != "" || c.Launcher != "" || c.Session != "" {
					t.Errorf("a foreign commit has provenance: %+v", c)
				}
			}
		}
	})
}
