package git

import (
	"context"
	"os/exec"
	"strings"
)

// PersonBool reads one boolean setting as the person's own git would in their
// repository: their files, the repository's, and what the command line said. It
// is false where it is not set.
func (g *Git) PersonBool(ctx context.Context, gitDir string, env []string, key string) (bool, error) {
	if _, err := g.version(); err != nil {
		return false, err
	}
	cmd := Cmd{Args: []string{"config", "--type=bool", "--get", key}, OK: []int{1}}
	proc := exec.CommandContext(ctx, g.path, append([]string{"--git-dir=" + gitDir}, cmd.Args...)...) //nolint:gosec // reads a setting, and runs nothing
	proc.Dir = "/"
	proc.Env = env
	res, err := collect(ctx, proc, cmd)
	return strings.TrimSpace(string(res.Stdout)) == "true", err
}
