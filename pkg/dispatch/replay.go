package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/retention"
)

// The record journal is trimmed from its start. A unit that needs its records
// for long after the others of its time are gone has them carried: written
// once more, at the end, as one record.
const (
	carryGap = 1024     // records to be trimmed for each one carried
	carryMax = 32 << 20 // bytes; a unit with more keeps its place
	readPage = 512
)

// table is what the records say.
type table struct {
	units  map[string]*entry
	order  []string // as they were accepted
	bytes  int64    // of the frames of those that have ended
	newest string   // see retainer
	noted  uint64
	seen   uint64
	trail  retention.Trail
}

// replay rebuilds the table of units from the records, oldest first.
func replay(records Records) (*table, error) {
	t := &table{units: map[string]*entry{}}
	err := walk(records, 1, func(seq uint64, r record) error { return t.apply(seq, r) })
	if err != nil {
		return nil, err
	}
	for id, e := range t.units {
		t.order = append(t.order, id)
		if e.endedAt != nil {
			t.bytes += e.bytes
		}
	}
	slices.SortFunc(t.order, func(a, b string) int {
		return cmp.Compare(t.units[a].order.Accepted, t.units[b].order.Accepted)
	})
	return t, nil
}

// walk calls fn for each record from the given one on, or from the oldest that
// is left.
func walk(records Records, from uint64, fn func(seq uint64, r record) error) error {
	for {
		batch, err := records.Read(from, readPage)
		if gone, ok := errors.AsType[*journal.TrimmedError](err); ok && gone.First > from {
			from = gone.First
			continue
		}
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return nil
		}
		for _, rec := range batch {
			var r record
			if err := json.Unmarshal(rec.Payload, &r); err != nil {
				return fmt.Errorf("dispatch record %d: %w", rec.Seq, err)
			}
			r.raw = rec.Payload
			if err := fn(rec.Seq, r); err != nil {
				return err
			}
			from = rec.Seq + 1
		}
	}
}

func (t *table) apply(seq uint64, r record) error {
	t.seen = seq
	t.trail.Add(r.At)
	if r.Type == recordRemoved {
		for _, id := range r.Units {
			delete(t.units, id)
		}
		t.newest, t.noted = max(t.newest, r.Newest), seq
		return nil
	}
	if r.Type == recordAccepted || r.Type == recordCarried {
		t.units[r.Unit] = &entry{first: seq, order: order{Accepted: seq, Turn: seq}}
	}
	e := t.units[r.Unit]
	if e == nil {
		return nil // what is left of a unit that was removed
	}
	e.apply(r)
	e.order.note(r.Type, seq)
	if r.Order != nil {
		e.order = *r.Order
	}
	for _, raw := range r.Records {
		var old record
		if err := json.Unmarshal(raw, &old); err != nil {
			return fmt.Errorf("dispatch record %d: %w", seq, err)
		}
		e.apply(old)
	}
	return nil
}

// append writes a record and returns its number.
func (m *Manager) append(ctx context.Context, r record) (uint64, error) {
	r.At = m.now().UTC()
	data, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	// The end of a turn is not waited for on the disk: the end of the machine
	// takes the container with it, and what was to be sealed. The turn's next
	// record flushes it.
	var seq uint64
	if r.Type == recordTurnEnd {
		seq, err = m.records.Write(data)
	} else {
		seq, err = m.records.Append(ctx, data)
	}
	if err != nil {
		err = m.explain(fmt.Errorf("record %s of unit %s: %w", r.Type, r.Unit, err))
		m.ifDead(err)
		return 0, err
	}
	m.mu.Lock()
	m.retain.seen = max(m.retain.seen, seq)
	if e := m.units[r.Unit]; e != nil {
		e.order.note(r.Type, seq)
	}
	m.mu.Unlock()
	return seq, nil
}

// pin is a record that has to stay, with all after it: the first of a unit, or
// with unit "" the one that says what was removed.
type pin struct {
	seq  uint64
	unit string
}

// trimRecords drops the records that nothing needs any longer. The caller is
// the one who removes.
func (m *Manager) trimRecords(ctx context.Context) error {
	pins, end := m.pins()
	carried := 0
	for i := range pins {
		next := end
		if i+1 < len(pins) {
			next = pins[i+1].seq
		}
		if next-pins[0].seq > m.retain.gap*uint64(i+1) {
			carried = i + 1
		}
	}
	for _, p := range pins[:carried] {
		if err := m.carry(ctx, p); err != nil {
			return err
		}
	}
	pins, end = m.pins()
	if len(pins) > 0 {
		end = pins[0].seq
	}
	if end == 0 {
		return nil
	}
	return m.records.TrimBefore(end)
}

// pins returns the records that have to stay, in order, and the newest record:
// all that come after it stay too.
func (m *Manager) pins() (pins []pin, newest uint64) {
	m.retain.accepting.Lock()
	defer m.retain.accepting.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, units := range []map[string]*entry{m.units, m.retain.leaving} {
		for id, e := range units {
			pins = append(pins, pin{e.first, id})
		}
	}
	if m.retain.noted > 0 {
		pins = append(pins, pin{seq: m.retain.noted})
	}
	slices.SortFunc(pins, func(a, b pin) int { return cmp.Compare(a.seq, b.seq) })
	return pins, m.retain.seen
}

// carry writes the records of a unit once more. It is done by the unit's
// owner, or while it can get none, so that no record comes in between.
func (m *Manager) carry(ctx context.Context, p pin) error {
	if p.unit == "" {
		m.mu.Lock()
		newest := m.retain.newest
		m.mu.Unlock()
		seq, err := m.append(ctx, record{Type: recordRemoved, Newest: newest})
		if err != nil {
			return err
		}
		m.mu.Lock()
		m.retain.noted = seq
		m.mu.Unlock()
		return nil
	}
	r, e, err := m.carryAlone(ctx, p)
	if r == nil || err != nil {
		return err
	}
	err = r.call(ctx, func(ctx context.Context) error { return m.rewrite(ctx, p, e) })
	if errors.Is(err, errLeft) {
		return nil // it ended meanwhile; the next time
	}
	return err
}

// carryAlone does it where the unit has no owner, and returns the one it has.
func (m *Manager) carryAlone(ctx context.Context, p pin) (*run, *entry, error) {
	m.retain.accepting.Lock()
	defer m.retain.accepting.Unlock()
	m.mu.Lock()
	r, e := m.runs[p.unit], m.units[p.unit]
	m.mu.Unlock()
	if r != nil || e == nil { // without an entry it is about to be removed
		return r, e, nil
	}
	return nil, e, m.rewrite(ctx, p, e)
}

func (m *Manager) rewrite(ctx context.Context, p pin, e *entry) error {
	m.mu.Lock()
	at := e.order
	m.mu.Unlock()
	carried := record{Type: recordCarried, Unit: p.unit, Order: &at}
	size := 0
	err := walk(m.records, p.seq, func(_ uint64, r record) error {
		switch {
		case r.Unit != p.unit:
			return nil
		case r.Type == recordCarried:
			carried.Records = slices.Clone(r.Records)
		default:
			carried.Records = append(carried.Records, r.raw)
		}
		size += len(r.raw)
		return nil
	})
	if err != nil || size > carryMax {
		return err
	}
	seq, err := m.append(ctx, carried)
	if err != nil {
		return err
	}
	m.at(ctx, pointCarried)
	m.mu.Lock()
	e.first = seq
	m.mu.Unlock()
	return nil
}
