// Package transcript keeps what left this machine for the providers of models,
// and what came back, where the person has switched that on (see Setting).
//
// A transcript is for the person alone: it rests in a topic of its own for each
// dispatch, encrypted as every topic is, and nothing that serves a container
// reads it. It holds bodies as they were sent, after any translation, and of the
// headers those that the agent chose. A provider's key that is in a body all the same is left out, and that
// is said.
//
// What goes out is recorded before it does, whole, and durably: where it cannot
// be, Writer.Begin fails, and whoever calls it sends nothing. What comes back is
// recorded as it comes, up to a bound; where that fails, or where the process
// ends, the transcript says that an answer is not whole, and keeps nobody from
// having it.
package transcript

import (
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/retention"
	"github.com/vexa-ai/vexa/pkg/stream"
)

// Sent is a request that is about to be sent.
type Sent struct {
	Turn     string
	Provider string
	Model    string // the provider's name for it
	Protocol string // that it is sent in
	Client   string // that the agent spoke; another one where it was translated
	URL      string
	Headers  map[string]string // that the agent chose; never the one with the key
	Body     []byte            // as it is sent; it is not changed
	Secret   []byte            // the provider's key, which is never kept; may be empty
}

// Ended says how a request ended. Tokens are as they were metered.
type Ended struct {
	Outcome      string // as the audit log has it: answered, failed, client-gone
	Status       int    // of the last attempt; 0: there was no answer
	Error        string // why the last attempt failed
	InputTokens  int64
	OutputTokens int64
	Estimated    bool // the provider did not say how many
}

// Body is one side of an exchange.
type Body struct {
	Data     []byte // what is kept
	Bytes    int64  // how many there were, before anything was left out
	Cut      bool   // Data is its beginning alone
	Redacted bool   // the provider's key was in it and is not in Data
}

// Attempt is one time that a request was sent.
type Attempt struct {
	At     time.Time
	Status int    // of the answer; 0: there was none, or nothing says so
	Error  string // why it failed; empty: it did not, or nothing says so
}

// Exchange is a request and what became of it, as it was recorded.
type Exchange struct {
	Number   int // in the dispatch, from 1, in the order of sending
	Turn     string
	Provider string
	Model    string
	Protocol string
	Client   string
	URL      string
	Headers  map[string]string
	Request  Body
	Attempts []Attempt // at least one
	Answer   Body      // of the last attempt

	EndedAt time.Time // zero: nothing says that it ended, and Ended is empty
	Ended   Ended
}

// Setting says whether the person wants transcripts. It is asked for each
// request.
type Setting interface {
	On() (bool, error)
}

// Options configure a Log. All are required.
type Options struct {
	Streams stream.Sized
	Setting Setting
	Limits  retention.Inference
	Now     func() time.Time
}

// Log is the transcripts of an installation. It is safe for concurrent use.
type Log struct{ o Options }

// Open returns the transcripts that the streams hold.
func Open(o Options) *Log { return &Log{o: o} }

// The topic of a unit's transcript is between these.
const topicBegin, topicEnd = "unit:", ":inference"

// Topic is the topic of a unit's transcript.
func Topic(unit string) string { return topicBegin + unit + topicEnd }

// unitOf is the inverse of Topic.
func unitOf(topic string) (unit string, ok bool) {
	unit, ok = strings.CutSuffix(topic, topicEnd)
	if !ok {
		return "", false
	}
	return strings.CutPrefix(unit, topicBegin)
}
