package main

import (
	"runtime"
	"runtime/debug"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
)

// Set by .ci/build and goreleaser.yaml (-ldflags -X); go build leaves them empty.
var (
	releaseVersion = "" //nolint:gochecknoglobals // the linker's only way in
	releaseCommit  = "" //nolint:gochecknoglobals // likewise
	releaseDate    = "" //nolint:gochecknoglobals // likewise
)

func version() factory.Version {
	v := factory.Version{Version: releaseVersion, Commit: releaseCommit, Date: releaseDate, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && v.Commit == "":
			v.Commit = s.Value
		case s.Key == "vcs.time" && v.Date == "":
			v.Date = s.Value
		}
	}
	return v
}
