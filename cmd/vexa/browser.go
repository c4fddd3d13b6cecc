package main

import (
	"os"
	"os/exec"
	"syscall"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// openURL has the person's browser show a page, and does not wait for it.
func openURL(url string) error {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" && os.Getenv("BROWSER") == "" {
		return fault.New(fault.Unavailable, "no browser can be started here", "")
	}
	for _, name := range []string{os.Getenv("BROWSER"), "xdg-open", "x-www-browser"} {
		path, err := exec.LookPath(name)
		if name == "" || err != nil {
			continue
		}
		cmd := exec.Command(path, url) //nolint:gosec,noctx // the browser that the person chose, which outlives this program
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err == nil {
			return cmd.Process.Release()
		}
	}
	return fault.New(fault.Unavailable, "no browser was found", "")
}
