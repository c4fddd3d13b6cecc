package plugin

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The protocol speaks in the stanzas of an age header: a line of words, and a
// body in Base64 whose last line is shorter than the others.
const (
	maxLine = 64 << 10 // bytes of a line; a post-quantum key takes two thousand
	maxBody = 1 << 20  // bytes of a body
	columns = 64       // of a full line of a body
)

type stanza struct {
	kind string
	args []string
	body []byte
}

// encode renders s. Every word is printable ASCII without spaces, since what
// comes from elsewhere was parsed before.
func (s stanza) encode() []byte {
	var b bytes.Buffer
	b.WriteString("-> " + strings.Join(append([]string{s.kind}, s.args...), " ") + "\n")
	text := base64.RawStdEncoding.EncodeToString(s.body)
	for len(text) >= columns {
		b.WriteString(text[:columns] + "\n")
		text = text[columns:]
	}
	b.WriteString(text + "\n")
	return b.Bytes()
}

// readStanza reads what a plugin says. r has a buffer of maxLine bytes.
func readStanza(r *bufio.Reader) (stanza, error) {
	line, err := readLine(r)
	if err != nil {
		return stanza{}, err
	}
	words := strings.Split(line, " ")
	if len(words) < 2 || words[0] != "->" {
		return stanza{}, fmt.Errorf("it said %.40q", line)
	}
	for _, w := range words[1:] {
		if w == "" || strings.ContainsFunc(w, func(c rune) bool { return c < '!' || c > '~' }) {
			return stanza{}, fmt.Errorf("it said %.40q", line)
		}
	}
	s := stanza{kind: words[1], args: words[2:]}
	for {
		line, err := readLine(r)
		if err != nil {
			return stanza{}, err
		}
		part, err := base64.RawStdEncoding.Strict().DecodeString(line)
		if err != nil || len(line) > columns {
			return stanza{}, fmt.Errorf("the body of its %.40q is malformed", s.kind)
		}
		if s.body = append(s.body, part...); len(s.body) > maxBody {
			return stanza{}, fmt.Errorf("the body of its %.40q is too long", s.kind)
		}
		if len(line) < columns {
			return s, nil
		}
	}
}

// readLine returns the next line without its end. Base64 skips line ends of its
// own accord, which would give one body two spellings.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", errors.New("it said a line that is too long")
	case err != nil:
		return "", err
	case bytes.ContainsRune(line, '\r'):
		return "", errors.New("it said a carriage return")
	}
	return string(line[:len(line)-1]), nil
}
