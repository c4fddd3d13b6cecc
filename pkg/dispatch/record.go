package dispatch

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/runtimev1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/quota"
)

// Records keeps what happened to dispatches; *journal.Journal is one.
type Records interface {
	// Write survives the end of the process, Append that of the machine.
	Write(payload []byte) (uint64, error)
	Append(ctx context.Context, payload []byte) (uint64, error)
	Read(from uint64, limit int) ([]journal.Record, error)
	TrimBefore(seq uint64) error
}

type recordType string

const (
	recordAccepted recordType = "accepted" // before anything is done for the unit
	recordStarted  recordType = "started"  // its container runs
	recordTurn     recordType = "turn"     // a turn was taken
	recordTurnEnd  recordType = "turn-end" // the worker said how it ended; not sealed yet; only written, see append
	recordTurnDone recordType = "turn-done"
	recordSealed   recordType = "sealed" // the last seal found something that the turn's had not
	recordEnded    recordType = "ended"  // nothing of it is left but its topics

	recordCarried recordType = "carried" // the records of a unit so far, written again
	recordRemoved recordType = "removed" // nothing of these units is left
)

// record is one entry of the record journal. The members after Unit belong to
// the type they are named for.
type record struct {
	Type recordType `json:"type"`
	At   time.Time  `json:"at"`
	Unit string     `json:"unit"`

	Accepted *accepted `json:"accepted,omitempty"`

	Container string `json:"container,omitempty"` // started
	Detail    string `json:"detail,omitempty"`    // started, ended

	Turn     string         `json:"turn,omitempty"` // turn, turn-end, turn-done
	Text     string         `json:"text,omitempty"` // turn
	Key      string         `json:"key,omitempty"`  // turn: the idempotency key it was asked with
	End      *wsv2.TurnEnd  `json:"end,omitempty"`  // turn-end
	Done     *wsv2.TurnDone `json:"done,omitempty"` // turn-done
	AgentSeq uint64         `json:"agentSeq,omitempty"`
	Commits  []wsv2.Commit  `json:"commits,omitempty"`
	Usage    *wsv2.Usage    `json:"usage,omitempty"`

	StopReason runtimev1.StopReason `json:"stopReason,omitempty"` // ended
	Bytes      int64                `json:"bytes,omitempty"`      // ended: of the frames it leaves

	Records []json.RawMessage `json:"records,omitempty"` // carried
	Order   *order            `json:"order,omitempty"`   // carried
	Units   []string          `json:"units,omitempty"`   // removed
	Newest  string            `json:"newest,omitempty"`  // removed: the greatest id so far

	raw json.RawMessage // as it was read
}

// accepted is everything that a restarted daemon needs to know of a unit.
type accepted struct {
	Unit       unitv1.Unit       `json:"unit"`
	Session    string            `json:"session"`
	SessionRef string            `json:"sessionRef,omitempty"`
	Resumed    bool              `json:"resumed"`
	Protocol   string            `json:"protocol,omitempty"`
	Model      string            `json:"model,omitempty"`
	Names      map[string]string `json:"names"` // workspace id to name, as it was then
}

// entry is what the records say about one unit.
type entry struct {
	accepted
	startedAt  time.Time
	endedAt    *time.Time
	container  string
	detail     string
	stopReason runtimev1.StopReason
	turns      int
	last       turn              // the newest taken
	keys       map[string]string // idempotency key to turn
	open       []turn            // taken and not done, oldest first
	end        *wsv2.TurnEnd     // how the worker said the first of them ended
	quietSince time.Time         // when the newest turn's end was heard
	agentSeq   uint64            // newest of the worker's numbers in a turn-end record
	commits    []wsv2.Commit
	requests   int
	tokens     int64
	cost       *float64             // USD; nil while no priced model was asked
	usage      wsv2.Usage           // of the running turn, as its last owner left it
	asked      runtimev1.StopReason // why that one was to end it
	first      uint64               // number of its oldest record
	order      order
	bytes      int64        // of its frames, once it has ended
	out        *publisher   // of its last owner, while it has none; not changed meanwhile
	place      *quota.Place // while it has no owner and may have a container, or waits for one
}

// order is when the things happened that units are sorted by, as numbers of
// records: the time of day may be set. It outlives that the records are carried.
type order struct {
	Accepted uint64 `json:"accepted"`
	Turn     uint64 `json:"turn"` // the newest was taken
	Ended    uint64 `json:"ended,omitempty"`
}

func (o *order) note(t recordType, seq uint64) {
	switch t {
	case recordAccepted:
		o.Accepted = seq
	case recordTurn:
		o.Turn = seq
	case recordEnded:
		o.Ended = seq
	default:
	}
}

func (m *Manager) write(ctx context.Context, r record) error {
	_, err := m.append(ctx, r)
	return err
}

// spend adds the cost of a turn, where it is known.
func (e *entry) spend(cost *float64) {
	if cost == nil {
		return
	}
	sum := *cost
	if e.cost != nil {
		sum += *e.cost
	}
	e.cost = &sum
}

func (e *entry) apply(r record) {
	switch r.Type {
	case recordAccepted:
		if r.Accepted != nil {
			e.accepted = *r.Accepted
		}
		e.startedAt = r.At
	case recordStarted:
		e.container, e.detail = r.Container, r.Detail
	case recordTurn:
		e.turns++
		e.last = turn{id: r.Turn, text: r.Text}
		e.open = append(e.open, turn{id: r.Turn, text: r.Text})
		if r.Key != "" {
			if e.keys == nil {
				e.keys = map[string]string{}
			}
			e.keys[r.Key] = r.Turn
		}
	case recordTurnEnd:
		e.end, e.quietSince = r.End, r.At
		e.agentSeq = max(e.agentSeq, r.AgentSeq)
	case recordTurnDone:
		e.open = slices.DeleteFunc(e.open, func(t turn) bool { return t.id == r.Turn })
		e.end = nil
		e.commits = append(e.commits, r.Commits...)
		if r.Usage != nil {
			e.requests += r.Usage.Requests
			e.tokens += r.Usage.InputTokens + r.Usage.OutputTokens
			e.spend(r.Usage.CostUSD)
		}
	case recordSealed:
		e.commits = append(e.commits, r.Commits...)
	case recordEnded:
		at := r.At
		e.endedAt, e.stopReason, e.bytes = &at, r.StopReason, r.Bytes
		if r.Detail != "" {
			e.detail = r.Detail
		}
	case recordCarried, recordRemoved: // about the table: see table.apply
	}
}
