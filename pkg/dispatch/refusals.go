package dispatch

import (
	"context"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
)

// noteRefusals records what the kernel refused, whoever asked for it: whether a
// mount is allowed is decided there, and only the daemon can write the audit
// log. The kernel forgets what is recorded. A daemon that is killed in between
// records the last ones once more, with the same id.
func (m *Manager) noteRefusals(ctx context.Context) {
	recorded := ""
	for ctx.Err() == nil {
		list, err := m.runtime.Refusals(ctx, recorded)
		for _, refused := range list {
			err = m.audit.Record(ctx, audit.Event{
				Unit: refused.Unit, Boundary: audit.Runtime, Action: "create", Effect: audit.Deny, Reason: refused.Reason,
				Detail: map[string]string{"by": "kernel", "id": refused.ID, "at": refused.At.Format(time.RFC3339Nano)},
			})
			if err != nil {
				m.log.ErrorContext(ctx, "record what the kernel refused", "unit", refused.Unit, "error", err)
				break
			}
			recorded = refused.ID
		}
		if err == nil {
			continue
		}
		select {
		case <-time.After(eventsPause):
		case <-ctx.Done():
		}
	}
}
