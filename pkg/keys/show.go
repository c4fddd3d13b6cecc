package keys

import (
	"os"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
)

// Info is what can be told of the keys without opening them. What is not known
// while they are locked is empty.
type Info struct {
	Protection  seal.Protection
	File        string        // where the identity rests
	Recipient   string        // age1…
	PostQuantum string        // age1pq1…; empty: there is no post-quantum identity yet
	Signing     signature.Key // the zero value: not known yet
	Added       []string      // recipients of the copies for other keys
	Copies      string        // the directory of the copies
	Recovery    *Recovery     // nil: there is none
}

// Show tells what there is. It is fault.NotFound where there is no identity.
func (s *Store) Show() (Info, error) {
	in := Info{File: s.File(), Copies: s.copies.Dir, PostQuantum: seal.PublicHalf(s.HybridFile())}
	var err error
	if in.Protection, err = s.Protection(); err != nil {
		return Info{}, err
	}
	switch in.Protection {
	case Missing:
		return Info{}, fault.New(fault.NotFound, "there is no key yet", "make one with: vexa init")
	case seal.Unprotected:
		id, err := seal.ReadKeyFile(s.File(), nil)
		if err != nil {
			return Info{}, err
		}
		in.Recipient = id.Recipient()
		s.publish(id)
	default:
		in.Recipient = seal.PublicHalf(s.File())
	}
	if line, err := os.ReadFile(s.path("signing.pub")); err == nil {
		if in.Signing, err = signature.ParseKey(string(line)); err != nil {
			return Info{}, err
		}
	}
	if in.Recovery, err = s.Recovery(); err != nil {
		return Info{}, err
	}
	list, err := s.copies.List()
	for _, c := range list {
		if in.Recovery == nil || c.Recipient != in.Recovery.Recipient {
			in.Added = append(in.Added, c.Recipient)
		}
	}
	return in, err
}
