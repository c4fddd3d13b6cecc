package workspace

import (
	"bytes"
	"context"
	"errors"

	"github.com/vexa-ai/vexa/pkg/workspace/git"
	"github.com/vexa-ai/vexa/pkg/workspace/merge"
)

// MergePage merges three versions of a page, base, ours and theirs, as every merge of Vexa's does: the
// frontmatter by key, what follows by lines. Where that conflicts it is not clean, and
// merged has git's markers. The versions are files below a directory meanwhile. The
// error is git.ErrNoText where they are no text.
func MergePage(ctx context.Context, g *git.Git, below string, sides [3][]byte) (merged []byte, clean bool, err error) {
	for _, side := range sides {
		if bytes.IndexByte(side, 0) >= 0 || len(side) > maxPage {
			return nil, false, git.ErrNoText
		}
	}
	merged, broken, err := merge.Markdown(sides[0], sides[1], sides[2], bodyMerger(ctx, g, below))
	if err != nil || len(broken) == 0 {
		return merged, err == nil, err
	}
	merged, err = withMarkers(ctx, g, below, sides)
	return merged, false, err
}

// bodyMerger merges by lines, as git does.
func bodyMerger(ctx context.Context, g *git.Git, below string) merge.BodyMerger {
	return func(base, ours, theirs []byte) ([]byte, bool, error) {
		return g.MergeFile(ctx, below, [3][]byte{base, ours, theirs})
	}
}

// withMarkers merges the versions of a page, base, ours and theirs, by lines, with markers where that
// conflicts, or around the frontmatters where it is they that do.
func withMarkers(ctx context.Context, g *git.Git, below string, sides [3][]byte) ([]byte, error) {
	text, clean, err := g.MergeFile(ctx, below, sides, "--diff3")
	if errors.Is(err, git.ErrNoText) {
		return nil, err
	}
	if err != nil || !clean {
		return text, err
	}
	ourFront, ourBody := merge.Split(sides[1])
	theirFront, theirBody := merge.Split(sides[2])
	baseFront, baseBody := merge.Split(sides[0])
	if len(ourFront)+len(theirFront) == 0 {
		return text, nil
	}
	body, _, err := g.MergeFile(ctx, below, [3][]byte{baseBody, ourBody, theirBody}, "--diff3")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, part := range []struct {
		marker string
		text   []byte
	}{{markerOurs + "ours", ourFront}, {markerBase + "base", baseFront}, {markerSplit, theirFront}} {
		b.WriteString(part.marker + "\n")
		b.Write(part.text)
		if len(part.text) > 0 && !bytes.HasSuffix(part.text, []byte("\n")) {
			b.WriteByte('\n')
		}
	}
	b.WriteString(markerTheirs + "theirs\n")
	b.Write(body)
	return b.Bytes(), nil
}
