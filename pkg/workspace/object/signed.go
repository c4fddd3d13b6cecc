package object

import (
	"bytes"
	"errors"
)

// signatureHeader is the header of a commit that holds a signature over all the
// rest of it (git: Documentation/gitformat-signature).
const signatureHeader = "gpgsig"

// AddSignature returns a commit with an armoured signature over its content, as
// git commit -S writes it.
func AddSignature(commit, armoured []byte) ([]byte, error) {
	end := bytes.Index(commit, []byte("\n\n"))
	if end < 0 {
		return nil, errors.New("a commit has no end of its headers")
	}
	lines := bytes.ReplaceAll(bytes.TrimRight(armoured, "\n"), []byte("\n"), []byte("\n "))
	out := append(bytes.Clone(commit[:end]), "\n"+signatureHeader+" "...)
	return append(append(out, lines...), commit[end:]...), nil
}

// CutSignature returns a commit without its signature, and the signature; nil
// where there is none. A commit with two is an error: git and we could mean
// different ones.
func CutSignature(commit []byte) (content, armoured []byte, err error) {
	head, message, ok := bytes.Cut(commit, []byte("\n\n"))
	if !ok {
		return nil, nil, errors.New("a commit has no end of its headers")
	}
	content = make([]byte, 0, len(commit))
	within := false
	for line := range bytes.Lines(append(bytes.Clone(head), '\n')) {
		text, starts := bytes.CutPrefix(line, []byte(signatureHeader+" "))
		switch {
		case starts && armoured != nil:
			return nil, nil, errors.New("a commit has two signatures")
		case starts:
			armoured, within = bytes.Clone(text), true
		case within && line[0] == ' ':
			armoured = append(armoured, line[1:]...)
		default:
			within = false
			content = append(content, line...)
		}
	}
	return append(append(content, '\n'), message...), armoured, nil
}
