// Package object knows the byte forms of Git objects and packs: it names
// objects, writes trees and commits, and writes packs with their index, so
// that a whole turn reaches the disk as one file.
//
// Names are SHA-1, computed with collision detection: bytes that carry a known
// SHA-1 collision attack are refused, as git itself refuses them.
package object

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pjbgf/sha1cd"
)

// Size is the length of an ID in bytes.
const Size = 20

// ID names an object.
type ID [Size]byte

// String returns the ID in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the ID names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// ParseID reads 40 hexadecimal digits.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*Size {
		return id, fmt.Errorf("not an object id: %q", s)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("not an object id: %q", s)
	}
	return id, nil
}

// EmptyTree is the id of the tree without entries.
const EmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// The most that is read of one commit and of one tree, in bytes.
const (
	MaxCommit = 16 << 20
	MaxTree   = 64 << 20
)

// Kind is the type of an object, with the number it has in packs.
type Kind byte

// The kinds.
const (
	KindCommit Kind = 1
	KindTree   Kind = 2
	KindBlob   Kind = 3
)

// String returns git's word for the kind.
func (k Kind) String() string {
	switch k {
	case KindCommit:
		return "commit"
	case KindTree:
		return "tree"
	case KindBlob:
		return "blob"
	default:
		return "unknown"
	}
}

// ErrCollision reports bytes made to collide in SHA-1.
var ErrCollision = errors.New("the content carries a SHA-1 collision attack")

// hasher names one object whose size is known beforehand.
type hasher struct{ h hash.Hash }

func newHasher(kind Kind, size int64) hasher {
	h := sha1cd.New()
	h.Write([]byte(kind.String() + " " + strconv.FormatInt(size, 10) + "\x00"))
	return hasher{h}
}

func (h hasher) Write(p []byte) (int, error) { return h.h.Write(p) }

func (h hasher) sum() (ID, error) {
	var id ID
	cr, ok := h.h.(sha1cd.CollisionResistantHash)
	if !ok {
		return id, errors.New("sha1cd lost its collision detection")
	}
	sum, collision := cr.CollisionResistantSum(nil)
	if collision {
		return id, ErrCollision
	}
	copy(id[:], sum)
	return id, nil
}

// Name returns the ID of an object.
func Name(kind Kind, data []byte) (ID, error) {
	h := newHasher(kind, int64(len(data)))
	if _, err := h.Write(data); err != nil {
		return ID{}, err
	}
	return h.sum()
}

// The modes of tree entries that Vexa knows.
const (
	ModeFile    uint32 = 0o100644
	ModeExec    uint32 = 0o100755
	ModeLink    uint32 = 0o120000
	ModeDir     uint32 = 0o040000
	ModeGitlink uint32 = 0o160000
)

// ParseMode reads a mode as git writes it.
func ParseMode(text string) (uint32, error) {
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil {
		return 0, fmt.Errorf("not a mode: %.20q", text)
	}
	return uint32(mode), nil
}

// TreeEntry is one entry of a tree.
type TreeEntry struct {
	Name string
	Mode uint32
	ID   ID
}

// EncodeTree returns the content of a tree, with the entries in git's order,
// which sorts a directory as if its name ended in a slash. It reorders entries.
func EncodeTree(entries []TreeEntry) []byte {
	slices.SortFunc(entries, compareEntries)
	size := 0
	for i := range entries {
		size += 7 + len(entries[i].Name) + 1 + Size
	}
	buf := make([]byte, 0, size)
	for i := range entries {
		e := &entries[i]
		buf = strconv.AppendUint(buf, uint64(e.Mode), 8)
		buf = append(buf, ' ')
		buf = append(buf, e.Name...)
		buf = append(buf, 0)
		buf = append(buf, e.ID[:]...)
	}
	return buf
}

func compareEntries(a, b TreeEntry) int {
	n := min(len(a.Name), len(b.Name))
	if c := strings.Compare(a.Name[:n], b.Name[:n]); c != 0 {
		return c
	}
	return int(after(a, n)) - int(after(b, n))
}

// after is the byte that follows the first n of the entry's name in the order.
func after(e TreeEntry, n int) byte {
	switch {
	case len(e.Name) > n:
		return e.Name[n]
	case e.Mode == ModeDir:
		return '/'
	default:
		return 0
	}
}

// Signature says who did something and when.
type Signature struct {
	Name  string
	Email string
	Time  time.Time
}

// append writes the signature in git's form, in UTC, with every character that
// would end a field left out.
func (s Signature) append(buf []byte) []byte {
	buf = append(buf, clean(s.Name, "Unknown")...)
	buf = append(buf, " <"...)
	buf = append(buf, clean(s.Email, "unknown@localhost")...)
	buf = append(buf, "> "...)
	buf = strconv.AppendInt(buf, max(s.Time.Unix(), 0), 10)
	return append(buf, " +0000"...)
}

func clean(s, fallback string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '<' || r == '>' || r == '\ufffd' {
			return -1
		}
		return r
	}, s)
	if s = strings.Trim(s, " .,:;\"'"); s == "" {
		return fallback
	}
	return s
}

// Commit is the content of a commit object.
type Commit struct {
	Tree      ID
	Parents   []ID
	Author    Signature
	Committer Signature
	Message   string // UTF-8, without NUL; a final newline is added where it lacks one
}

// Encode returns the commit's content.
func (c Commit) Encode() []byte {
	buf := []byte("tree " + c.Tree.String() + "\n")
	for _, p := range c.Parents {
		buf = append(buf, "parent "+p.String()+"\n"...)
	}
	buf = c.Author.append(append(buf, "author "...))
	buf = c.Committer.append(append(buf, "\ncommitter "...))
	buf = append(buf, "\n\n"...)
	msg := strings.ReplaceAll(strings.ToValidUTF8(c.Message, "\ufffd"), "\x00", "")
	buf = append(buf, msg...)
	if !bytes.HasSuffix(buf, []byte("\n")) {
		buf = append(buf, '\n')
	}
	return buf
}
