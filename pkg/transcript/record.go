package transcript

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// kind is what a record of a transcript says.
type kind string

const (
	kindBody   kind = "body"   // a piece of the request, before kindSent
	kindSent   kind = "sent"   // the request is whole, and about to be sent
	kindAgain  kind = "again"  // it is about to be sent once more; how the attempt before ended
	kindAnswer kind = "answer" // a piece of the answer
	kindEnded  kind = "ended"
)

// pieceBytes is how much of a body one record holds, before it is compressed. A
// record fits an entry of any stream.
const (
	requestPiece = 16 << 20
	answerPiece  = 128 << 10
)

// record is one entry of a transcript's topic: a line of JSON, and after it what
// it holds of a body, compressed.
type record struct {
	Kind     kind      `json:"kind"`
	Number   int       `json:"number"`
	At       time.Time `json:"at,omitzero"`
	Turn     string    `json:"turn,omitempty"`
	Provider string    `json:"provider,omitempty"`
	Model    string    `json:"model,omitempty"`
	Protocol string    `json:"protocol,omitempty"`
	Client   string    `json:"client,omitempty"`
	URL      string    `json:"url,omitempty"`

	Headers map[string]string `json:"headers,omitempty"`

	Pieces   int    `json:"pieces,omitempty"` // sent: how many kindBody there are of it
	Bytes    int64  `json:"bytes,omitempty"`  // of the whole body
	Cut      bool   `json:"cut,omitempty"`
	Redacted bool   `json:"redacted,omitempty"`
	Status   int    `json:"status,omitempty"`
	Error    string `json:"error,omitempty"`
	Outcome  string `json:"outcome,omitempty"`
	Input    int64  `json:"inputTokens,omitempty"`
	Output   int64  `json:"outputTokens,omitempty"`
	Guessed  bool   `json:"estimated,omitempty"`
}

// encode returns the payload of a record with what squeeze returned for a piece
// of a body.
func (r record) encode(squeezed []byte) ([]byte, error) {
	head, err := json.Marshal(r)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "encode a record of a transcript", err)
	}
	return append(append(head, '\n'), squeezed...), nil
}

// decode reads the line of a record; expand reads what follows it.
func decode(payload []byte) (r record, squeezed []byte, err error) {
	head, squeezed, _ := bytes.Cut(payload, []byte("\n"))
	if err := json.Unmarshal(head, &r); err != nil {
		return record{}, nil, fault.Newf(fault.Internal, "a record of a transcript does not decode: %w", err)
	}
	return r, squeezed, nil
}

// squeezers holds compressors, each of which takes more memory than a request.
//
//nolint:gochecknoglobals // a pool; what it holds has no state between two uses
var squeezers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// squeeze compresses a piece of a body. Agents send their whole conversation
// again each time, and streams repeat themselves.
func squeeze(piece []byte) []byte {
	var out bytes.Buffer
	w, ok := squeezers.Get().(*flate.Writer)
	if !ok {
		return nil // the pool holds nothing else
	}
	defer squeezers.Put(w)
	w.Reset(&out)
	_, _ = w.Write(piece) // a buffer takes everything
	_ = w.Close()         // likewise
	return out.Bytes()
}

// expand appends what squeeze was given. A record is ours and was authenticated;
// a piece is bounded all the same.
func expand(dst, squeezed []byte) ([]byte, error) {
	if len(squeezed) == 0 {
		return dst, nil
	}
	out := bytes.NewBuffer(dst)
	n, err := io.Copy(out, io.LimitReader(flate.NewReader(bytes.NewReader(squeezed)), requestPiece+1))
	if err == nil && n > requestPiece {
		err = fmt.Errorf("it is larger than %d bytes", requestPiece)
	}
	return out.Bytes(), fault.Wrap(fault.Internal, "read a piece of a body in a transcript", err)
}
