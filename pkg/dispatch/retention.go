package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/transcript"
)

// RetainEvery is how often what is kept too long is looked for, besides at the
// start and whenever enough dispatches have ended.
const RetainEvery = time.Hour

const (
	removeBatch = 64 // dispatches that one record says are gone
	countSlack  = 64 // a 64th above the limit is removed at once rather than one by one
)

// retainer is what a manager needs to forget ended dispatches.
type retainer struct {
	policy retention.Policy
	every  time.Duration
	gap    uint64 // carryGap; tests make it smaller
	also   func(ctx context.Context, now time.Time) error
	clock  *retention.Clock
	nudged chan struct{} // holds one: enough has ended

	running sync.Mutex // held by the one who removes

	// accepting is read-locked from before the first record of a unit, or of a
	// new owner of one, until the table shows it. Who holds it knows that no
	// other unit needs the records up to the newest, and that none is accepted
	// any more that Manager.closed was not asked for.
	accepting sync.RWMutex

	// Guarded by Manager.mu.
	leaving map[string]*entry // not in the table any more, and not removed yet
	bytes   int64             // of the frames of the ended dispatches in the table
	newest  string            // greatest id of those removed
	noted   uint64            // record that says so; 0: none does
	seen    uint64            // newest record
}

// Retain removes what the policy does not keep: ended dispatches with their
// frames and records, sessions, branches of dispatches that are over and that
// main holds, and the start of the audit log. It never touches a dispatch that
// is live or that could not be saved. Killed at any instant it is finished by
// the next call.
func (m *Manager) Retain(ctx context.Context) error {
	err := m.forget(ctx)
	err = errors.Join(err,
		m.workspaces.Sweep(ctx, m.unfinished),
		m.sessions.Trim(ctx, m.retain.policy.Sessions, m.retain.clock.Now(), m.guardSession(ctx)))
	if m.retain.also != nil {
		err = errors.Join(err, m.retain.also(ctx, m.retain.clock.Now()))
	}
	return err
}

// keepRetaining calls Retain at the start, at intervals, and as much of it as
// is needed when enough dispatches have ended.
func (m *Manager) keepRetaining(ctx context.Context) {
	tick := time.NewTicker(m.retain.every)
	defer tick.Stop()
	what := m.Retain
	for {
		if err := what(ctx); err != nil && ctx.Err() == nil {
			m.log.ErrorContext(ctx, "remove what is kept too long; it is tried again", "error", err)
		}
		select {
		case <-m.retain.nudged:
			what = m.forget
		case <-tick.C:
			what = m.Retain
		case <-ctx.Done():
			return
		}
	}
}

// countEnded notes that a dispatch has ended and been saved. The caller holds
// mu.
func (m *Manager) countEnded(e *entry) {
	m.retain.bytes += e.bytes
	p := m.retain.policy.Dispatches
	ended := len(m.units) - len(m.runs)
	if p.Count > 0 && ended > p.Count+p.Count/countSlack || p.Bytes > 0 && m.retain.bytes > p.Bytes {
		select {
		case m.retain.nudged <- struct{}{}:
		default:
		}
	}
}

// forget removes the dispatches that the policy does not keep.
func (m *Manager) forget(ctx context.Context) error {
	m.retain.running.Lock()
	defer m.retain.running.Unlock()
	leaving := m.expire()
	for batch := range slices.Chunk(leaving, removeBatch) {
		if err := m.remove(ctx, batch); err != nil {
			return err
		}
	}
	return m.trimRecords(ctx)
}

// expire takes what is not kept out of the table, and returns the ids of it
// and of what could not be removed the last time, the oldest first.
func (m *Manager) expire() []string {
	p, now := m.retain.policy.Dispatches, m.retain.clock.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	ended := make([]string, 0, len(m.units))
	for id, e := range m.units {
		if e.endedAt != nil && m.runs[id] == nil {
			ended = append(ended, id)
		}
	}
	slices.SortFunc(ended, func(a, b string) int { // the newest first
		return cmp.Compare(m.units[b].order.Ended, m.units[a].order.Ended)
	})
	keep, bytes, full := 0, int64(0), false
	for _, id := range ended {
		e := m.units[id]
		full = full || p.Count > 0 && keep >= p.Count || p.Bytes > 0 && bytes+e.bytes > p.Bytes && keep > 0
		if !full && (p.Age == 0 || now.Sub(*e.endedAt) <= p.Age) {
			keep, bytes = keep+1, bytes+e.bytes
			continue
		}
		m.retain.bytes -= e.bytes
		m.retain.leaving[id] = e
		delete(m.units, id)
	}
	if keep < len(ended) {
		m.order = slices.DeleteFunc(m.order, func(id string) bool { return m.units[id] == nil })
	}
	leaving := make([]string, 0, len(m.retain.leaving))
	for id := range m.retain.leaving {
		leaving = append(leaving, id)
	}
	slices.Sort(leaving)
	return leaving
}

// remove drops the topics of dispatches that left the table, and then says so
// in the records. Until it is said a restarted daemon shows them again, and
// removes them again: no topic is ever left without a record that leads to it.
func (m *Manager) remove(ctx context.Context, ids []string) error {
	for _, id := range ids {
		for _, topic := range []string{OutTopic(id), InTopic(id), transcript.Topic(id)} {
			if err := m.streams.Remove(ctx, topic); err != nil {
				return fmt.Errorf("remove the frames of unit %s: %w", id, err)
			}
		}
	}
	m.at(ctx, pointRemoved)
	m.mu.Lock()
	newest := max(m.retain.newest, slices.Max(ids))
	m.mu.Unlock()
	seq, err := m.append(ctx, record{Type: recordRemoved, Units: ids, Newest: newest})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retain.newest, m.retain.noted = newest, seq
	for _, id := range ids {
		delete(m.retain.leaving, id)
	}
	return nil
}

// unfinished reports whether a dispatch may still use what it was given.
func (m *Manager) unfinished(unit string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.units[unit]
	return m.runs[unit] != nil || e != nil && e.endedAt == nil
}

// guardSession keeps a session that a dispatch holds, or is about to.
func (m *Manager) guardSession(ctx context.Context) func(subject, session string, drop func() error) error {
	return func(subject, session string, drop func() error) error {
		release, err := m.alone(ctx, "session "+subject+" "+session)
		if err != nil {
			return err
		}
		defer release()
		if m.holder(subject, session) != nil || m.standing(subject, session) != nil {
			return nil
		}
		return drop()
	}
}

// goneHint says what may have become of a unit that the table does not have.
// The caller holds mu.
func (m *Manager) goneHint(id string) string {
	if len(id) != ulidLen || id > m.retain.newest {
		return "see: vexa ps -a"
	}
	return "if there was one it has been removed: ended dispatches are kept for a while only (" + retention.File + "); see vexa ps -a"
}

// ulidLen is the length of a whole id.
const ulidLen = 26

func newRetainer(o Options, t *table) retainer {
	ticks := o.Ticks
	if ticks == nil {
		ticks = time.Now
	}
	return retainer{
		clock:  retention.NewClock(o.Now, ticks, t.trail.Last()),
		policy: o.Retention, every: cmp.Or(o.RetainEvery, RetainEvery), gap: carryGap, also: o.AlsoRetain, nudged: make(chan struct{}, 1),
		leaving: map[string]*entry{}, bytes: t.bytes, newest: t.newest, noted: t.noted, seen: t.seen,
	}
}
