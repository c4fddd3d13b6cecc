package object

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseCommit reads the content of a commit, also of one that another program
// made: headers that Vexa does not write are passed over. Of a signature only
// the time is certain to be there, in UTC.
func ParseCommit(data []byte) (Commit, error) {
	var c Commit
	bad := func(line string) (Commit, error) {
		return Commit{}, fmt.Errorf("a commit has the line %s", strconv.QuoteToASCII(line[:min(len(line), 80)]))
	}
	head, message, _ := strings.Cut(string(data), "\n\n")
	c.Message = message
	var err error
	for i, line := range strings.Split(strings.TrimSuffix(head, "\n"), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch {
		case i == 0 && key != "tree":
			return bad(line)
		case i == 0:
			c.Tree, err = ParseID(value)
		case key == "parent" && c.Author.Time.IsZero():
			var id ID
			id, err = ParseID(value)
			c.Parents = append(c.Parents, id)
		case key == "author" && c.Author.Time.IsZero():
			c.Author, err = parseSignature(value)
		case key == "committer" && c.Committer.Time.IsZero():
			c.Committer, err = parseSignature(value)
		}
		if err != nil {
			return bad(line)
		}
	}
	if c.Committer.Time.IsZero() {
		return Commit{}, errors.New("a commit has no committer")
	}
	return c, nil
}

// parseSignature reads "Name <email> seconds zone".
func parseSignature(s string) (Signature, error) {
	i := strings.LastIndexByte(s, '>')
	who, when := s[:max(i, 0)], strings.Fields(s[i+1:])
	if i < 0 || len(when) == 0 {
		return Signature{}, errors.New("not a signature")
	}
	sec, err := strconv.ParseInt(when[0], 10, 64)
	if err != nil {
		return Signature{}, err
	}
	name, email, _ := strings.Cut(who, "<")
	return Signature{Name: strings.TrimSpace(name), Email: email, Time: time.Unix(sec, 0).UTC()}, nil
}

// ParseTree reads the content of a tree. The names are as they are in it.
func ParseTree(data []byte) ([]TreeEntry, error) {
	entries := make([]TreeEntry, 0, len(data)/40)
	for len(data) > 0 {
		space := bytes.IndexByte(data, ' ')
		end := bytes.IndexByte(data, 0)
		if space < 0 || end < space || len(data) < end+1+Size {
			return nil, errors.New("a tree is cut short")
		}
		mode, err := strconv.ParseUint(string(data[:space]), 8, 32)
		if err != nil {
			return nil, fmt.Errorf("a tree has the mode %s", strconv.QuoteToASCII(string(data[:min(space, 20)])))
		}
		e := TreeEntry{Name: string(data[space+1 : end]), Mode: uint32(mode)}
		copy(e.ID[:], data[end+1:])
		entries = append(entries, e)
		data = data[end+1+Size:]
	}
	return entries, nil
}
