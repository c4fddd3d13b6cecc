package watch

import (
	"maps"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// Watched lists the directories that are watched for x.
func Watched(x *Watch) []string {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	return slices.Sorted(maps.Keys(x.dirs))
}

// Added counts the directories that are watched for anybody.
func Added(w *Watcher) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.added)
}

// Start returns a Watcher of events that a test makes.
func Start(s source, events <-chan fsnotify.Event, errs <-chan error) *Watcher {
	return start(s, events, errs)
}
