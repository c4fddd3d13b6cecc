// Plant plants the hostile repository zoo from inside a container, and compares
// on the host what became of it.
//
//	plant outside DIR          make what lies beside the tree, on the host
//	plant zoo DIR OUTSIDE      plant every animal that lives in a container
//	plant check FRAMES REPO    compare the frames of the turn, and main of the
//	                           bare repository, with what the animals ask for
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vexa-ai/vexa/pkg/workspace/zootest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "outside":
		return zootest.Pen{Outside: args[1]}.MakeOutside()
	case len(args) == 3 && args[0] == "zoo":
		return zoo(zootest.Pen{Dir: args[1], Outside: args[2]})
	case len(args) == 3 && args[0] == "check":
		return check(args[1], args[2])
	default:
		return errors.New("usage: plant outside DIR | zoo DIR OUTSIDE | check FRAMES REPO")
	}
}

// zoo plants each animal in a directory of its own, and the worst of them where
// the checkout's own .git is.
func zoo(p zootest.Pen) error {
	for _, a := range zootest.Zoo(true) {
		at := zootest.Pen{Dir: filepath.Join(p.Dir, a.House), Outside: p.Outside}
		if err := errors.Join(os.Mkdir(at.Dir, 0o755), a.Plant(at)); err != nil {
			return fmt.Errorf("%s: %w", a.Name, err)
		}
	}
	fmt.Fprintln(os.Stdout, "planted")
	return zootest.Evil().Plant(p)
}

func check(frames, repo string) error {
	got := zootest.Outcome{Rejected: make(map[string]string)}
	f, err := os.Open(frames)
	if err != nil {
		return err
	}
	defer f.Close()
	for dec := json.NewDecoder(f); ; {
		var frame struct{ Type, Path, Reason string }
		if err := dec.Decode(&frame); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if frame.Type == "rejected" {
			got.Rejected[frame.Path] = frame.Reason
		}
	}
	out, err := exec.Command("git", "--git-dir="+repo, "ls-tree", "-r", "-z", "--name-only", "main").Output()
	if err != nil {
		return err
	}
	got.Committed = strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	all, err := exec.Command("git", "--git-dir="+repo, "cat-file", "--batch-all-objects", "--batch-check").Output()
	if err != nil {
		return err
	}
	own := zootest.Housed{Animal: zootest.Evil()}
	own.Kept = append(own.Kept, "plant", "README.md")
	wrong := zootest.Compare(append(zootest.Zoo(true), own), got)
	if strings.Contains(string(all), zootest.SecretBlob()) {
		wrong = append(wrong, "the repository holds what lies outside the tree")
	}
	fmt.Fprintf(os.Stdout, "%d refused, %d committed\n", len(got.Rejected), len(got.Committed))
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n"))
	}
	return nil
}
