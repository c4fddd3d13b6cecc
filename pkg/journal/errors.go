package journal

import (
	"errors"
	"strconv"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Sentinels, to be matched with errors.Is.
var (
	ErrClosed  = errors.New("the journal is closed")
	ErrTrimmed = errors.New("the records were trimmed")
	ErrStopped = errors.New("it takes no more records until it is opened again")
)

// CorruptError says what of a journal does not verify.
type CorruptError struct {
	File   string
	Offset int64  // in the file, of the record or header
	Seq    uint64 // of the record, 0 where the damage is not in one
	Reason string
}

// Error implements error.
func (e *CorruptError) Error() string {
	text := e.File + ": offset " + strconv.FormatInt(e.Offset, 10)
	if e.Seq > 0 {
		text += ", record " + strconv.FormatUint(e.Seq, 10)
	}
	return text + ": " + e.Reason
}

// corrupt classifies a CorruptError.
func corrupt(e *CorruptError) error {
	return &fault.Error{
		Kind: fault.Internal,
		Msg:  "the journal is damaged; nothing was changed",
		Hint: "restore the journal and its checkpoint from a backup",
		Err:  e,
	}
}

// TrimmedError says that a record asked for is gone. It matches [ErrTrimmed].
type TrimmedError struct {
	First uint64 // the oldest record kept
}

// Error implements error.
func (e *TrimmedError) Error() string {
	return ErrTrimmed.Error() + ": the first one kept is " + strconv.FormatUint(e.First, 10)
}

// Is matches ErrTrimmed.
func (e *TrimmedError) Is(target error) bool { return target == ErrTrimmed }
