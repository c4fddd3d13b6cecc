package worker

import (
	"os"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract"
	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runner"
)

// loadLaunch reads the dispatch file and checks all of it before anything
// starts.
func loadLaunch(path string) (runnerv2.Launch, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return runnerv2.Launch{}, fault.Wrap(fault.Invalid, "read the dispatch file", err)
	}
	launch, err := contract.Decode[runnerv2.Launch]("agent-runner.v2#Launch", data)
	if err != nil {
		return runnerv2.Launch{}, fault.Wrap(fault.Invalid, "dispatch file "+path, err)
	}
	if err := runner.Check(launch.Manifest); err != nil {
		return runnerv2.Launch{}, fault.Wrap(fault.Invalid, "dispatch file "+path, err)
	}
	return launch, nil
}

// warmUp compiles the contract of inputs, which takes as long as connecting
// does: the first turn of a container waits for the longer of both only.
func warmUp() {
	_ = contract.Validate("ws.v2#Input", []byte(`{"type":"turn","turn":"01","text":"-"}`)) // where it fails, the first input says so
}

func loadToken(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, "read the dispatch token", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", fault.New(fault.Invalid, "the dispatch token in "+path+" is empty", "")
	}
	return token, nil
}
