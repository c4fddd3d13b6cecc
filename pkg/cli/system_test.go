package cli_test

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/vexa-ai/vexa/pkg/doctor"
)

// fakeSystem is a machine without anything; FAKE_SUDO gives it sudo and apt-get.
type fakeSystem struct{}

func (fakeSystem) Run(_ context.Context, c doctor.Command) ([]byte, error) {
	if c.Argv[0] == "getent" {
		return []byte("jane:x:1000:1000::/home/jane:/bin/bash\n"), nil
	}
	return nil, errors.New(c.Argv[0] + ": refused")
}

func (fakeSystem) LookPath(name string) (string, error) {
	if os.Getenv("FAKE_SUDO") != "" && (name == "sudo" || name == "apt-get") {
		return "/usr/bin/" + name, nil
	}
	return "", fs.ErrNotExist
}

func (fakeSystem) ReadFile(string) ([]byte, error)  { return nil, fs.ErrNotExist }
func (fakeSystem) ReadDir(string) ([]string, error) { return nil, fs.ErrNotExist }
func (fakeSystem) Stat(string) (doctor.File, error) { return doctor.File{}, fs.ErrNotExist }
func (fakeSystem) Disk(string) (doctor.Disk, error) { return doctor.Disk{}, fs.ErrNotExist }
