package workspace

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
	"github.com/vexa-ai/vexa/pkg/workspace/git"
)

// logFields are the fields of one commit in git's log, each ended by a NUL.
const (
	logFormat = "%H%x00%P%x00%an%x00%ae%x00%cn%x00%ce%x00%ct%x00%B"
	logFields = 8
)

// filterForm is what a dispatch or session to look for may be made of.
var filterForm = textform.Name{First: textform.Alnum, Rest: textform.Alnum + "_.:@-", Max: 128}

// Log returns commits of a workspace, newest first. A dispatch may be named by
// any case of its id.
func (s *Store) Log(ctx context.Context, id string, q LogQuery) ([]Commit, error) {
	r, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	from, err := r.resolve(ctx, q.Rev)
	if err != nil {
		return nil, err
	}
	return r.log(ctx, q, from.String())
}

// log runs git log over a range of ids and keeps what the query asks for.
func (r *repo) log(ctx context.Context, q LogQuery, revs ...string) ([]Commit, error) {
	args := []string{"log", "-z", "--no-color", "--no-show-signature", "--format=" + logFormat}
	filters := map[string]string{trailerUnit: q.Unit, trailerSession: q.Session, trailerSubject: q.Subject, trailerLauncher: q.Launcher}
	for trailer, value := range filters {
		if value == "" {
			continue
		}
		if !filterForm.MatchString(value) {
			return nil, fault.New(fault.Invalid, "not an id: "+strconv.Quote(value), "")
		}
		args = append(args, "--grep=^"+trailer+": "+strings.ReplaceAll(value, ".", "[.]")+"$")
	}
	if q.Unit+q.Session+q.Subject+q.Launcher != "" {
		args = append(args, "--all-match", "--regexp-ignore-case", "--basic-regexp")
	}
	if q.noWalk {
		args = append(args, "--no-walk=unsorted")
	}
	if q.mainline {
		args = append(args, "--first-parent")
	}
	if q.Limit > 0 {
		args = append(args, "--max-count="+strconv.Itoa(q.Limit))
	}
	args = append(append(args, "--end-of-options"), revs...)
	args = append(args, "--")
	if q.Path != "" {
		if err := git.CheckPath(q.Path); err != nil {
			return nil, err
		}
		args = append(args, q.Path)
	}
	res, err := r.Run(ctx, git.Cmd{Args: args, Limit: 1 << 28})
	if err != nil {
		return nil, err
	}
	all, err := parseLog(string(res.Stdout))
	if err != nil {
		return nil, err
	}
	out := make([]Commit, 0, len(all))
	for _, c := range all {
		if matches(q.Unit, c.Unit) && matches(q.Session, c.Session) && matches(q.Subject, c.Subject) && matches(q.Launcher, c.Launcher) {
			out = append(out, c)
		}
	}
	return out, nil
}

func matches(want, got string) bool { return want == "" || strings.EqualFold(want, got) }

// parseLog reads what logFormat prints.
func parseLog(text string) ([]Commit, error) {
	text = strings.TrimSuffix(text, "\x00")
	if text == "" {
		return nil, nil
	}
	fields := strings.Split(text, "\x00")
	if len(fields)%logFields != 0 {
		return nil, fmt.Errorf("git log printed %d fields, not a multiple of %d", len(fields), logFields)
	}
	out := make([]Commit, 0, len(fields)/logFields)
	for f := fields; len(f) > 0; f = f[logFields:] {
		sec, err := strconv.ParseInt(f[6], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("git log printed the time %q", f[6])
		}
		c := Commit{
			SHA: f[0], Parents: strings.Fields(f[1]), Author: f[2] + " <" + f[3] + ">",
			Time: time.Unix(sec, 0).UTC(), Message: strings.TrimRight(f[7], "\n"),
		}
		if f[4] == CommitterName && f[5] == CommitterEmail {
			c.readTrailers(f[2])
		}
		out = append(out, c)
	}
	return out, nil
}

// readTrailers takes the provenance out of the message of a commit of Vexa's.
func (c *Commit) readTrailers(author string) {
	c.Subject = author
	head, tail, ok := cutLast(c.Message, "\n\n")
	if !ok {
		return
	}
	values := make(map[string]string)
	var undoes []string
	for line := range strings.SplitSeq(tail, "\n") {
		key, value, ok := strings.Cut(line, ": ")
		if !ok || !strings.HasPrefix(key, "Vexa-") && key != trailerApproved {
			return
		}
		values[key] = value
		if key == trailerUndo {
			undoes = append(undoes, value)
		}
	}
	c.Message = head
	c.Unit, c.Launcher, c.Runner = values[trailerUnit], values[trailerLauncher], values[trailerRunner]
	c.Session, c.Turn, c.Undoes = values[trailerSession], values[trailerTurn], undoes
	if v := values[trailerSubject]; v != "" {
		c.Subject = v
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
