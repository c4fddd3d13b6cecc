package conformance

import (
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
)

// busy is how many times as long as on an idle machine something takes on this one, at
// least 1: the processes that want to run, for each processor, as proc_loadavg(5) has them.
func busy(load func() string) float64 {
	if load == nil {
		return 1
	}
	minute, _, _ := strings.Cut(load(), " ")
	n, err := strconv.ParseFloat(minute, 64)
	if err != nil {
		return 1
	}
	return max(1, n/float64(goruntime.NumCPU()))
}

// MachineLoad is what this machine says of its load, "" where it says nothing.
func MachineLoad() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return string(data)
}
