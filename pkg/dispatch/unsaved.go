package dispatch

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/journal"
)

// SaveAgain is how often a dispatch is taken up again that could not be saved,
// or whose records or frames could not be written.
const SaveAgain = 10 * time.Second

// fail notes that a record or a frame of the dispatch could not be written. Its
// owner stops there, as if the daemon had been killed: what comes later is not
// said before what comes first. The manager takes it up again.
func (r *run) fail(ctx context.Context, doing string, err error) {
	err = r.m.explain(err)
	r.m.log.ErrorContext(ctx, "a dispatch stands still", "unit", r.id(), "doing", doing, "error", err)
	r.m.ifDead(err)
	if r.broken == nil {
		r.broken = err
	}
}

// leaveUnsaved notes that a dispatch has no owner any more and has not ended,
// and sees to it that it gets another one. The caller holds mu.
func (m *Manager) leaveUnsaved(id string, why error) {
	m.unsaved[id] = why
	m.wait.Go(func() {
		for wait := true; wait; wait = m.open() != nil { // Close does it, unless it then refuses
			select {
			case <-time.After(m.saveAgain):
			case <-m.life.Done():
				return
			}
		}
		if err := m.adoptLater(m.adopt(m.life, id), id); err != nil && m.life.Err() == nil {
			m.log.ErrorContext(m.life, "take up a unit that could not be saved", "unit", id, "error", err)
		}
	})
}

// adoptLater takes the error of adopt; a dispatch that only found no room is
// tried again.
func (m *Manager) adoptLater(err error, id string) error {
	if !noRoom(err) {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leaveUnsaved(id, m.explain(err))
	return nil
}

// Unsaved returns why a dispatch that has not ended stands still, nil where it
// does not. It is taken up again at intervals.
func (m *Manager) Unsaved(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	why := m.unsaved[id]
	if why == nil {
		return nil
	}
	return &fault.Error{
		Kind: fault.KindOf(why), Msg: "unit " + id + " stands still, nothing of it is lost", Err: why,
		Hint: or(fault.HintOf(why), "see: vexa daemon logs") + "; it then goes on by itself, and vexa logs " + id + " --follow shows it",
	}
}

// standing returns the error of Unsaved where a dispatch stands still that holds
// the session: continued by another one the conversation would fork.
func (m *Manager) standing(subject, session string) error {
	m.mu.Lock()
	var id string
	for unit, e := range m.units {
		if e.endedAt == nil && m.runs[unit] == nil && e.Session == session && e.Unit.Identity.Subject == subject {
			id = unit
		}
	}
	m.mu.Unlock()
	if id == "" {
		return nil
	}
	return m.Unsaved(id)
}

// ifDead notes an error that says that a journal is dead.
func (m *Manager) ifDead(err error) {
	if !errors.Is(err, journal.ErrStopped) {
		return
	}
	select {
	case m.failed <- err:
	default:
	}
}

// Failed receives why the manager cannot go on: a journal takes no more records
// until it is opened again. What it owns is then to be left as it is, for the
// next one.
func (m *Manager) Failed() <-chan error { return m.failed }

// Gone returns a channel that is closed when the manager has been closed, or
// left.
func (m *Manager) Gone() <-chan struct{} { return m.life.Done() }

// Leave ends the manager and touches nothing: what its dispatches wrote is
// recovered by the next one.
func (m *Manager) Leave() {
	m.refuse()
	m.cancel()
	m.wait.Wait()
}

// lowOnRoom is how few bytes a full file system may have left.
const lowOnRoom = 1 << 20

// explain adds to an error that there was no room which file system is full,
// and what to do.
func (m *Manager) explain(err error) error {
	if !noRoom(err) {
		return err
	}
	hint := "free space on the disk of " + m.home.State
	if full(m.home.Units()) && !full(m.home.State) {
		hint = "free space in " + m.home.Units() + ", or set VEXA_PLAINTEXT_DIR to a directory with more of it and restart the daemon"
	}
	return &fault.Error{Kind: fault.KindOf(err), Err: err, Hint: hint}
}

// code is the class of an error in a frame. The contract has none for what
// merely failed, such as a storage that does not answer.
func code(err error) string {
	if kind := fault.KindOf(err); kind != fault.Failed {
		return string(kind)
	}
	return string(fault.Internal)
}

// noRoom reports whether a file system was full. Git says so in words only.
func noRoom(err error) bool {
	if err == nil {
		return false
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		strings.Contains(err.Error(), "No space left on device") || strings.Contains(err.Error(), "Out of diskspace")
}

func full(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && (st.Bavail*uint64(st.Bsize) < lowOnRoom || st.Files > 0 && st.Ffree == 0)
}
