package runner

import (
	"fmt"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// LocalImages begins the name of every image that is made here.
const LocalImages = "localhost/"

// isBuiltin reports whether a repository is that of an image that Vexa makes itself.
func isBuiltin(repository string) bool {
	return repository == "localhost/vexa/empty" || repository == "localhost/vexa/shell"
}

// CheckImage is fault.Conflict where the image of a person's own runner would take
// the place of another's when it is made.
func (c *Catalog) CheckImage(name string) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.own[name] {
		return nil
	}
	return c.imageFree(c.manifests[name])
}

// imageFree refuses an own manifest whose image has a name that is another's. An
// image that has its name is used unseen, so that who may make it would be in
// every dispatch of the other runner. Of a runner that ships the whole
// repository is its own: the tags of later versions can be guessed, and the
// image outlives an own runner that was removed.
func (c *Catalog) imageFree(m runnerv2.Manifest) error {
	repository, tag, made := localImage(m.Image.Ref)
	if !made {
		return nil
	}
	if isBuiltin(repository) {
		return imageTaken(m, "one that is built in")
	}
	for name, other := range c.shipped {
		if theirs, _, _ := localImage(other.Image.Ref); theirs == repository {
			return imageTaken(m, "that of runner "+name+", which comes with Vexa")
		}
	}
	for name := range c.own {
		theirs, its, _ := localImage(c.manifests[name].Image.Ref)
		if name != m.Name && theirs == repository && its == tag {
			return imageTaken(m, "that of runner "+name)
		}
	}
	return nil
}

func imageTaken(m runnerv2.Manifest, whose string) error {
	return fault.New(fault.Conflict, fmt.Sprintf("the image %s of runner %s has the name of %s, and would take its place", m.Image.Ref, m.Name, whose),
		"in its manifest name another one, such as "+LocalImages+"my-"+m.Name+":1, then: vexa runner add DIR --replace")
}

// localImage is the repository and the tag of an image that is made here. One
// that is named by digest, or of a registry, is not.
func localImage(ref string) (repository, tag string, made bool) {
	if !strings.HasPrefix(ref, LocalImages) || strings.Contains(ref, "@") {
		return "", "", false
	}
	repository, tag, _ = strings.Cut(ref, ":")
	if tag == "" {
		tag = "latest"
	}
	return repository, tag, true
}
