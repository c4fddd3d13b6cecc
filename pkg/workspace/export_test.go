package workspace

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// SetStep makes s call fn between the durable steps of its changes.
func SetStep(s *Store, fn func(string)) { s.step = fn }

// SetMain moves a workspace's main as the store itself does.
func SetMain(s *Store, name, id, old string) error {
	r, err := s.open(context.Background(), name)
	if err != nil {
		return err
	}
	to, err := object.ParseID(id)
	if err != nil {
		return err
	}
	from, err := object.ParseID(old)
	if err != nil {
		return err
	}
	return r.setRef(refMain, to, from)
}
