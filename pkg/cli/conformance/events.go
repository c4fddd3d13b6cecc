package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// printer is the name of the runner that AsPrinted makes of a runner, in the installation
// that it is tried in.
func printer(name string) string {
	if name == "as-printed" {
		return "as-it-is-printed"
	}
	return "as-printed"
}

// AsPrinted is a runner that runs the same program in the same way, whose output is taken
// as text: what the program printed arrives as it was printed.
func AsPrinted(m runnerv2.Manifest) runnerv2.Manifest {
	m.Name = printer(m.Name)
	m.Stream = runnerv2.Stream{Dialect: dialect.Text, Deltas: true}
	m.Argv.Probe, m.Package = nil, nil // the version was asked for once
	return m
}

// Events are the types of the events that a runner printed, as dialect.Types names them,
// beside those that were recorded of it.
type Events struct {
	Unknown []string `json:"unknown"` // the dialect could not use them
	New     []string `json:"new"`     // the dialect knows them, and no recording has them
	Gone    []string `json:"gone"`    // the recordings have them, and they were not printed
}

// The names of the recordings.
const (
	RecordNote   = "note"   // it writes a file
	RecordFailed = "failed" // its model refuses
	RecordTools  = "tools"  // it calls a tool that it was granted
)

// record has the program say what it said in the checks, and keeps what it prints.
func (r *run) record(ctx context.Context) error {
	says := map[string]saying{RecordNote: {text: r.script.write}, RecordFailed: {text: r.script.fail}}
	if r.givenTools() {
		says[RecordTools] = saying{text: r.script.echo, tools: []string{tool}}
	}
	r.report.Recorded = map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(says)) {
		if err := r.fresh(ctx); err != nil {
			return err
		}
		what := says[name]
		what.runner = printer(r.Manifest.Name)
		t, err := r.say(ctx, what)
		switch {
		case err != nil:
			return err
		case name != RecordFailed && t.done.Outcome != wsv2.OutcomeCompleted:
			return fmt.Errorf("%s: the turn ended as %s: %s", name, t.done.Outcome, t.errors())
		}
		r.report.Recorded[name] = t.text()
	}
	return r.fresh(ctx)
}

// events: it prints no event that the dialect does not know, by its type or by what it
// holds; and what it prints is compared with what was recorded of it. An event that the
// dialect knows is used, whether it was recorded or not: it is named, and not held against
// the runner. Neither is a line that is no event, such as a warning. One that is no longer
// printed is missed by whoever relied on it.
func (r *run) events(ctx context.Context) verdict {
	if d := r.Manifest.Stream.Dialect; d == dialect.Text {
		return pass("all of dialect %s", d)
	}
	if err := r.record(ctx); err != nil {
		return fail("what it prints could not be recorded: %s", err)
	}
	return r.drift()
}

// drift is the verdict on what was recorded.
func (r *run) drift() verdict {
	if err := r.compare(); err != nil {
		return fail("%s", err)
	}
	d, e := r.Manifest.Stream.Dialect, r.report.Events
	if len(e.Unknown) > 0 {
		return fail("it prints events that dialect %s does not know: %s", d, strings.Join(e.Unknown, ", "))
	}
	more := "as they were recorded"
	switch {
	case len(r.Golden) == 0:
		more = "none were recorded to compare with"
	case len(e.New) > 0:
		more = "new since they were recorded: " + strings.Join(e.New, ", ")
	}
	if len(e.Gone) > 0 {
		return fail("it no longer prints events that were recorded of it: %s; %s", strings.Join(e.Gone, ", "), more)
	}
	return pass("all of dialect %s; %s", d, more)
}

// compare says how the types that were printed differ from those that were recorded.
func (r *run) compare() error {
	printed, recorded := map[string]bool{}, map[string]bool{}
	for name, text := range r.report.Recorded {
		types := map[string]bool{}
		if err := r.types(types, []byte(text)); err != nil {
			return err
		}
		if len(types) == 0 {
			return fmt.Errorf("it prints no event of dialect %s where %q is recorded", r.Manifest.Stream.Dialect, name)
		}
		maps.Copy(printed, types)
		if err := r.types(recorded, r.Golden[name]); err != nil {
			return err
		}
	}
	here := maps.Clone(recorded) // of what was tried here
	for _, data := range r.Golden {
		if err := r.types(recorded, data); err != nil {
			return err
		}
	}
	e := &r.report.Events
	e.Unknown = without(r.unknown, nil)
	if len(r.Golden) > 0 {
		e.New, e.Gone = without(printed, recorded), without(here, printed)
	}
	return nil
}

// types notes the types in an output.
func (r *run) types(of map[string]bool, output []byte) error {
	list, err := dialect.Types(r.Manifest.Stream, output)
	for _, name := range list {
		of[name] = true
	}
	return err
}

// without are those of a set that another has not, sorted; not nil, for scripts.
func without(set, other map[string]bool) []string {
	out := []string{}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !other[name] {
			out = append(out, name)
		}
	}
	return out
}
