package dir

import (
	"errors"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/watch"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

var _ blob.Watcher = (*Store)(nil)

// Watch implements blob.Watcher where this machine's kernel makes every change: what
// others write to a share it does not tell. A program that brings files from other
// machines into a directory makes them here.
func (s *Store) Watch(prefix string) (changed <-chan struct{}, stop func(), err error) {
	if s.files == nil {
		return nil, nil, errors.ErrUnsupported
	}
	local, err := watch.Local(s.root.path)
	if err == nil && !local {
		err = errors.ErrUnsupported
	}
	if err != nil {
		return nil, nil, err
	}
	w, err := s.files.Dir(filepath.Join(s.root.path, prefix), watch.Options{})
	if err != nil {
		return nil, nil, err
	}
	return w.Changed(), w.Close, nil
}
