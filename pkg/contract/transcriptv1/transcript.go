// Package transcriptv1 holds the Go types of the contract transcript.v1, which
// is kept from the public predecessor: speech and chat of a meeting, and the
// envelopes that carry them. Its names on the wire are in snake_case, as they
// were there.
package transcriptv1

import (
	"encoding/json"
	"time"
)

// Source says how a speaker was found.
type Source string

// The sources.
const (
	GlowBound   Source = "glow-bound"             // the platform highlights who speaks
	Provisional Source = "provisional-cluster-id" // a voice cluster without a name yet
	Caption     Source = "caption"
	Merged      Source = "merged"
	Chat        Source = "chat" // the sender of a message in the meeting's chat
)

// Timestamp is a time as it was written, in the form of RFC 3339. It stays
// text so that a transcript passes through unchanged.
type Timestamp string

// Time returns the instant.
func (t Timestamp) Time() (time.Time, error) { return time.Parse(time.RFC3339, string(t)) }

// Word is one word; Start and End are seconds from the start of the session.
type Word struct {
	Word        string   `json:"word"`
	Start       float64  `json:"start"`
	End         float64  `json:"end"`
	Probability *float64 `json:"probability,omitempty"`
}

// TranscriptSegment is one utterance of one speaker. Start and End are seconds
// from the start of the session.
type TranscriptSegment struct {
	SegmentID         string    `json:"segment_id"` // {session_uid}:{speaker_key}:{startMs}
	Speaker           string    `json:"speaker"`    // a name to show, perhaps provisional
	SpeakerKey        string    `json:"speaker_key,omitempty"`
	Text              string    `json:"text"`
	Start             float64   `json:"start"`
	End               float64   `json:"end"`
	Language          Language  `json:"language,omitzero"`
	Completed         bool      `json:"completed"` // false: a draft that another segment with this id replaces
	AbsoluteStartTime Timestamp `json:"absolute_start_time,omitempty"`
	AbsoluteEndTime   Timestamp `json:"absolute_end_time,omitempty"`
	Source            Source    `json:"source,omitempty"`
	Confidence        *float64  `json:"confidence,omitempty"` // 0 to 1
	Words             []Word    `json:"words,omitzero"`
}

// Language is a language tag that may be absent, null or given.
type Language struct {
	Present bool
	Tag     *string // nil: null
}

// MarshalJSON writes the tag or null.
func (l Language) MarshalJSON() ([]byte, error) { return json.Marshal(l.Tag) }

// UnmarshalJSON reads a tag or null; either makes the language present.
func (l *Language) UnmarshalJSON(data []byte) error {
	l.Present = true
	return json.Unmarshal(data, &l.Tag)
}

// The values of the envelopes' Type.
const (
	TypeSessionStart  = "session_start"
	TypeTranscription = "transcription"
	TypeSessionEnd    = "session_end"
	TypeTranscript    = "transcript" // a MutableBundle
)

// SessionStart opens a session.
type SessionStart struct {
	Type       string    `json:"type"`
	SessionUID string    `json:"session_uid"`
	MeetingID  string    `json:"meeting_id"`
	Platform   string    `json:"platform"`
	StartTime  Timestamp `json:"start_time"`
}

// Transcription carries segments that will not change any more.
type Transcription struct {
	Type       string              `json:"type"`
	SessionUID string              `json:"session_uid"`
	MeetingID  string              `json:"meeting_id"`
	Segments   []TranscriptSegment `json:"segments"`
}

// SessionEnd ends a session.
type SessionEnd struct {
	Type       string `json:"type"`
	SessionUID string `json:"session_uid"`
}

// MutableBundle is what is known live.
type MutableBundle struct {
	Type      string              `json:"type"`
	Meeting   Meeting             `json:"meeting"`
	Speaker   string              `json:"speaker"`
	Confirmed []TranscriptSegment `json:"confirmed"`
	Pending   []TranscriptSegment `json:"pending"`
	TS        Timestamp           `json:"ts"`
}

// Meeting names a meeting by its row in the predecessor's database.
type Meeting struct {
	ID int64 `json:"id"`
}
