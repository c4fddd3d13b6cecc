// Package retention says how long an installation keeps what it needs no
// longer: ended dispatches, what they sent to models where that is recorded,
// sessions and the audit log. What is in a
// workspace is never removed by it.
//
// The defaults hold where config/retention.json says nothing else. It has the
// form
//
//	{
//	  "version": 1,
//	  "dispatches": {"days": 30, "count": 2000, "megabytes": 1024, "topicMegabytes": 128},
//	  "inference": {"days": 30, "megabytes": 1024, "dispatchMegabytes": 256, "answerMegabytes": 8},
//	  "sessions": {"days": 365, "count": 1000},
//	  "audit": {"days": 365, "megabytes": 256}
//	}
//
// in which a member that is missing keeps its default, and 0 is no limit.
package retention

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/internal/configfile"
)

// Dispatches bound what is kept of ended dispatches: their rows and their
// frames. Whichever limit is reached first counts, the oldest go first, and a
// zero limit is none.
type Dispatches struct {
	Age   time.Duration // since it ended
	Count int           // the newest
	Bytes int64         // of the frames of all of them together
	Topic int64         // bytes of frames that one dispatch keeps, a live one too
}

// Inference bounds the record of what dispatches sent to models, where a person
// has it made. It goes with its dispatch at the latest.
type Inference struct {
	Age      time.Duration // of a request
	Bytes    int64         // of all that have ended together; the oldest go first
	Dispatch int64         // bytes of one dispatch, beyond which nothing of it is sent
	Answer   int64         // bytes of one answer, beyond which it is cut
}

// Sessions bound the conversations that can be continued, likewise.
type Sessions struct {
	Age   time.Duration // since its last turn
	Count int           // the ones used last
}

// Audit bounds the audit log, likewise.
type Audit struct {
	Age   time.Duration
	Bytes int64 // on the disk; space is given back by whole segments
}

// Policy is everything that one installation keeps to.
type Policy struct {
	Dispatches Dispatches
	Inference  Inference
	Sessions   Sessions
	Audit      Audit
}

// File is the name of the file in the configuration's directory.
const File = "retention.json"

const (
	day      = 24 * time.Hour
	megabyte = 1 << 20

	fileVersion = 1
	maxDays     = 100 * 366
	maxCount    = 1_000_000_000
)

// Default returns the policy that holds where nothing else was said.
func Default() Policy {
	return Policy{
		Dispatches: Dispatches{Age: 30 * day, Count: 2000, Bytes: 1024 * megabyte, Topic: 128 * megabyte},
		Inference:  Inference{Age: 30 * day, Bytes: 1024 * megabyte, Dispatch: 256 * megabyte, Answer: 8 * megabyte},
		Sessions:   Sessions{Age: 365 * day, Count: 1000},
		Audit:      Audit{Age: 365 * day, Bytes: 256 * megabyte},
	}
}

// file is retention.json.
type file struct {
	Version    int `json:"version"`
	Dispatches struct {
		Days           *int `json:"days"`
		Count          *int `json:"count"`
		Megabytes      *int `json:"megabytes"`
		TopicMegabytes *int `json:"topicMegabytes"`
	} `json:"dispatches"`
	Inference struct {
		Days              *int `json:"days"`
		Megabytes         *int `json:"megabytes"`
		DispatchMegabytes *int `json:"dispatchMegabytes"`
		AnswerMegabytes   *int `json:"answerMegabytes"`
	} `json:"inference"`
	Sessions struct {
		Days  *int `json:"days"`
		Count *int `json:"count"`
	} `json:"sessions"`
	Audit struct {
		Days      *int `json:"days"`
		Megabytes *int `json:"megabytes"`
	} `json:"audit"`
}

// Load reads the policy from the configuration's directory. A file that is
// missing is the default; one that does not hold to its form is fault.Invalid,
// never the default.
func Load(dir string) (Policy, error) {
	p := Default()
	err := configfile.Read(filepath.Join(dir, File), func(data []byte) (err error) {
		p, err = Parse(data)
		return err
	})
	return p, err
}

// Parse reads the content of such a file.
func Parse(data []byte) (Policy, error) {
	var f file
	if err := configfile.Decode(data, &f); err != nil {
		return Policy{}, err
	}
	if f.Version != fileVersion {
		return Policy{}, errors.New("its version is not 1")
	}
	p := Default()
	err := errors.Join(
		days(&p.Dispatches.Age, "/dispatches/days", f.Dispatches.Days),
		count(&p.Dispatches.Count, "/dispatches/count", f.Dispatches.Count),
		megabytes(&p.Dispatches.Bytes, "/dispatches/megabytes", f.Dispatches.Megabytes),
		megabytes(&p.Dispatches.Topic, "/dispatches/topicMegabytes", f.Dispatches.TopicMegabytes),
		days(&p.Inference.Age, "/inference/days", f.Inference.Days),
		megabytes(&p.Inference.Bytes, "/inference/megabytes", f.Inference.Megabytes),
		megabytes(&p.Inference.Dispatch, "/inference/dispatchMegabytes", f.Inference.DispatchMegabytes),
		megabytes(&p.Inference.Answer, "/inference/answerMegabytes", f.Inference.AnswerMegabytes),
		days(&p.Sessions.Age, "/sessions/days", f.Sessions.Days),
		count(&p.Sessions.Count, "/sessions/count", f.Sessions.Count),
		days(&p.Audit.Age, "/audit/days", f.Audit.Days),
		megabytes(&p.Audit.Bytes, "/audit/megabytes", f.Audit.Megabytes),
	)
	return p, err
}

func days(to *time.Duration, where string, n *int) error {
	d := int(*to / day)
	err := configfile.Set(&d, where, n, maxDays)
	*to = time.Duration(d) * day
	return err
}

func count(to *int, where string, n *int) error { return configfile.Set(to, where, n, maxCount) }

func megabytes(to *int64, where string, n *int) error {
	mb := int(*to / megabyte)
	err := configfile.Set(&mb, where, n, maxCount)
	*to = int64(mb) * megabyte
	return err
}
