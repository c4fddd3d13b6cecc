package audit

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/journal"
	"github.com/vexa-ai/vexa/pkg/retention"
)

// Trimmer is a journal whose oldest records can be dropped; *journal.Journal
// is one.
type Trimmer interface {
	Read(from uint64, limit int) ([]journal.Record, error)
	First() uint64
	TrimBefore(seq uint64) error
	TrimTo(bytes int64) error
}

// Trim drops the oldest entries of a log that the policy does not keep. The
// rest stays one unbroken chain.
func Trim(j Trimmer, p retention.Audit, now time.Time) error {
	if p.Bytes > 0 {
		if err := j.TrimTo(p.Bytes); err != nil {
			return fault.Wrap(fault.Internal, "trim the audit log", err)
		}
	}
	if p.Age <= 0 {
		return nil
	}
	keep, err := firstSince(j, now.Add(-p.Age))
	if err != nil {
		return fault.Wrap(fault.Internal, "trim the audit log", err)
	}
	return fault.Wrap(fault.Internal, "trim the audit log", j.TrimBefore(keep))
}

// firstSince returns the number of the first entry that is not older than
// oldest. It stops there: the clock may have been set back after it.
func firstSince(j Trimmer, oldest time.Time) (uint64, error) {
	const page = 256
	for from := j.First(); ; {
		records, err := j.Read(from, page)
		if errors.Is(err, journal.ErrTrimmed) {
			from = j.First()
			continue
		}
		if err != nil || len(records) == 0 {
			return from, err
		}
		for _, r := range records {
			var e struct {
				At time.Time `json:"at"`
			}
			if err := json.Unmarshal(r.Payload, &e); err != nil {
				return 0, fault.Newf(fault.Internal, "audit record %d does not decode: %w", r.Seq, err)
			}
			if !e.At.Before(oldest) {
				return r.Seq, nil
			}
			from = r.Seq + 1
		}
	}
}
