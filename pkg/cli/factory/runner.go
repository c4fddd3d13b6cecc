package factory

import "time"

// RunnerBuild says how the image of a runner is made. At most one of Download,
// From and Containerfile is set.
type RunnerBuild struct {
	Name          string
	Arch          string   // "": this machine's; another one is for Download alone
	Debian        []string // addresses of mirrors
	NPM           string   // address of a registry
	Offline       bool     // take everything from the cache
	Import        string   // a directory that Download wrote
	Download      string   // make nothing, and write the inputs to this directory
	From          string   // an archive of an image
	Containerfile string

	// Notice tells of a step that may take long.
	Notice func(text string)
}

// RunnerImage is an image that was made, or its inputs that were downloaded.
type RunnerImage struct {
	Runner     string
	Image      string // the name by which dispatches find it; "" after a download
	Digest     string // of its manifest
	Arch       string
	Size       int64 // bytes of its files
	Downloaded int64 // bytes
	Cached     int64 // bytes of inputs that were there already
	Freed      int64 // bytes of inputs that no runner needs any more, which the cache had
	// How long the steps took: Fetch downloads and verifies, Make unpacks and
	// hashes, Load gives it to Podman, Warm copies its layers for containers.
	Fetch, Make, Load, Warm time.Duration
}
