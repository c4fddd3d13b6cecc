package transcript

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vexa-ai/vexa/pkg/retention"
)

// Sentinels, to be matched with errors.Is.
var (
	ErrFull    = errors.New("the record of this dispatch is full (inference.dispatchMegabytes in config/" + retention.File + ")")
	ErrSetting = errors.New("config/" + File + " cannot be read")
)

// Writer writes the transcript of one dispatch. There is one at a time for each;
// it is safe for concurrent use.
type Writer struct {
	log   *Log
	topic string

	mu     sync.Mutex
	loaded bool
	last   int   // number of the newest exchange
	bytes  int64 // in the topic
}

// Writer returns the writer of a unit's transcript. It makes nothing until there
// is something to record.
func (l *Log) Writer(unit string) *Writer { return &Writer{log: l, topic: Topic(unit)} }

// Begin records a request that is about to be sent, and returns once that is
// durable. It returns nil where the person does not want a transcript, and from a
// nil Writer; a nil Recording takes everything and does nothing. After an error
// nothing may be sent.
func (w *Writer) Begin(ctx context.Context, s Sent) (*Recording, error) {
	if w == nil {
		return nil, nil //nolint:nilnil // see below
	}
	on, err := w.log.o.Setting.On()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSetting, err)
	}
	if !on {
		return nil, nil //nolint:nilnil // it is what the person asked for, and a Recording like any other
	}
	redactor := newRedactor(s.Secret)
	var pieces [][]byte
	size := int64(0)
	for piece := range slices.Chunk(redactor.clean(s.Body), requestPiece) {
		pieces = append(pieces, squeeze(piece))
		size += int64(len(pieces[len(pieces)-1]))
	}
	number, err := w.reserve(ctx, size)
	if err != nil {
		return nil, err
	}
	for _, p := range pieces {
		if err := w.write(ctx, record{Kind: kindBody, Number: number}, p); err != nil {
			w.recount()
			return nil, err
		}
	}
	err = w.write(ctx, record{
		Kind: kindSent, Number: number, At: w.log.o.Now().UTC(), Turn: s.Turn, Provider: s.Provider, Model: s.Model,
		Protocol: s.Protocol, Client: s.Client, URL: s.URL, Headers: redactor.header(s.Headers), Pieces: len(pieces), Bytes: int64(len(s.Body)), Redacted: redactor.found,
	}, nil)
	if err == nil {
		err = w.log.o.Streams.Sync(ctx, w.topic)
	}
	if err != nil {
		w.recount()
		return nil, err
	}
	return &Recording{writer: w, number: number, answer: newRedactor(s.Secret)}, nil
}

// reserve takes the next number and so many bytes for its body, where there is
// room for them.
func (w *Writer) reserve(ctx context.Context, size int64) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.loaded {
		last, err := w.log.newest(ctx, w.topic)
		if err != nil {
			return 0, err
		}
		last = max(last, w.last) // the number of one that could not be recorded is used up
		if w.bytes, err = w.log.o.Streams.Size(ctx, w.topic); err != nil {
			return 0, err
		}
		w.last, w.loaded = last, true
	}
	if most := w.log.o.Limits.Dispatch; most > 0 && w.bytes+size > most {
		return 0, ErrFull
	}
	w.last++
	w.bytes += size
	return w.last, nil
}

// recount has the size of the topic be read again: what could not be written is not in
// it.
func (w *Writer) recount() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loaded = false
}

// room reports whether so many bytes of an answer still fit.
func (w *Writer) room(size int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	most := w.log.o.Limits.Dispatch
	return most <= 0 || w.bytes+int64(size) <= most
}

func (w *Writer) write(ctx context.Context, r record, squeezed []byte) error {
	payload, err := r.encode(squeezed)
	if err != nil {
		return err
	}
	size := len(payload)
	if r.Kind == kindBody {
		size -= len(squeezed) // which is reserved
	}
	w.mu.Lock()
	w.bytes += int64(size)
	w.mu.Unlock()
	_, err = w.log.o.Streams.Append(ctx, w.topic, payload)
	return err
}

// Recording is the record of one request under way. Its methods are called by
// one goroutine at a time; all of them take a nil Recording.
type Recording struct {
	writer *Writer
	number int
	answer *redactor
	kept   int64 // bytes of the answer in the topic
	bytes  int64 // of the answer
	cut    bool
	failed error // why nothing more of the answer is kept
}

// Number is the request's in its dispatch; 0 where it is not recorded.
func (r *Recording) Number() int {
	if r == nil {
		return 0
	}
	return r.number
}

// Again records that the request is about to be sent once more, and how the
// attempt before ended. After an error it may not be sent.
func (r *Recording) Again(ctx context.Context, before Attempt) error {
	if r == nil {
		return nil
	}
	r.answer.pending, r.bytes = nil, 0 // of an attempt that failed its text is enough
	err := r.writer.write(ctx, record{
		Kind: kindAgain, Number: r.number, At: r.writer.log.o.Now().UTC(), Status: before.Status, Error: r.clean(before.Error),
	}, nil)
	if err == nil {
		err = r.writer.log.o.Streams.Sync(ctx, r.writer.topic)
	}
	return err
}

// Answer records a piece of what came back.
func (r *Recording) Answer(ctx context.Context, p []byte) {
	if r == nil {
		return
	}
	r.bytes += int64(len(p))
	if r.cut || r.failed != nil {
		return
	}
	r.answer.add(p)
	if len(r.answer.pending) >= answerPiece+r.answer.behind {
		r.keep(ctx, false)
	}
}

// keep writes what was added of the answer, as far as it may be kept.
func (r *Recording) keep(ctx context.Context, end bool) {
	sure := r.answer.take(end)
	if most := r.writer.log.o.Limits.Answer; most > 0 && r.kept+int64(len(sure)) > most {
		sure, r.cut = sure[:most-r.kept], true
	}
	for piece := range slices.Chunk(sure, answerPiece) {
		squeezed := squeeze(piece)
		if !r.writer.room(len(squeezed)) {
			r.cut = true
			return
		}
		if r.failed = r.writer.write(ctx, record{Kind: kindAnswer, Number: r.number}, squeezed); r.failed != nil {
			return
		}
		r.kept += int64(len(piece))
	}
}

// End records how the request ended, and returns once that is durable. The error
// says why the record of the answer is not whole.
func (r *Recording) End(ctx context.Context, e Ended) error {
	if r == nil {
		return nil
	}
	if !r.cut && r.failed == nil {
		r.keep(ctx, true)
	}
	failed := r.failed
	err := r.writer.write(ctx, record{
		Kind: kindEnded, Number: r.number, At: r.writer.log.o.Now().UTC(), Status: e.Status, Error: r.clean(e.Error), Outcome: e.Outcome,
		Input: e.InputTokens, Output: e.OutputTokens, Guessed: e.Estimated, Bytes: r.bytes, Cut: r.cut || failed != nil, Redacted: r.answer.found,
	}, nil)
	if err == nil {
		err = r.writer.log.o.Streams.Sync(ctx, r.writer.topic)
	}
	if failed != nil {
		return failed
	}
	return err
}

// clean takes the key out of a text.
func (r *Recording) clean(text string) string { return string(r.answer.clean([]byte(text))) }
