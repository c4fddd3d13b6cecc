package bucket

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Manifests of old generations are removed in time. Their hashes stay in a log,
// which the newest manifest names, so that whoever saw one of them last can
// still tell that the newest comes after it. A line of the log is a generation
// and a hash, separated by a space, in the order of generations.

// readLog returns the hashes of removed manifests, by generation.
func (b *Bucket) readLog(ctx context.Context, l *manifestv1.Log) (map[int64]string, error) {
	out := make(map[int64]string)
	if l == nil {
		return out, nil
	}
	text, err := b.smallObject(ctx, manifestv1.Object{SHA256: l.SHA256, Size: l.Size}, "the log of old generations",
		func() string { return "the newest generation can be read, and not be compared with an old one" })
	if err != nil {
		return nil, err
	}
	if out, err = decodeLog(text); err != nil {
		return nil, b.damaged(objectName(l.SHA256), "the log of old generations", "the newest generation can be read", err)
	}
	return out, nil
}

// decodeLog reads the text of a log.
func decodeLog(text []byte) (map[int64]string, error) {
	out := make(map[int64]string)
	for line := range strings.Lines(string(text)) {
		digits, hash, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		g, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil || g < 1 || !isHex(hash, 64) {
			return nil, broken("a line of the log is no line")
		}
		out[g] = hash
	}
	return out, nil
}

// encodeLog is the reverse of decodeLog.
func encodeLog(hashes map[int64]string) []byte {
	var text strings.Builder
	generations := make([]int64, 0, len(hashes))
	for g := range hashes {
		generations = append(generations, g)
	}
	slices.Sort(generations)
	for _, g := range generations {
		fmt.Fprintf(&text, "%d %s\n", g, hashes[g])
	}
	return []byte(text.String())
}

// inLog verifies that the log of a manifest has the pin, and a manifest that is
// missing on the way to it: else nobody said that it was removed.
func (b *Bucket) inLog(ctx context.Context, head *signed, gone manifestv1.Anchor, p pin) error {
	if head.Log == nil || head.Log.Generation < max(p.Generation, gone.Generation) {
		stored, err := b.readManifest(ctx, p.Generation)
		if err == nil && sum(stored) != p.SHA256 {
			return b.forked(p.Generation, sum(stored), p.SHA256)
		}
		return fault.New(fault.Invalid, fmt.Sprintf("manifests between %s and %s are missing at %s, %s first, so that nothing says whether the newest follows from what this installation has seen; generations up to %d can still be read",
			manifestName(p.Generation), manifestName(head.Generation), b.store.URL(), manifestName(gone.Generation), p.Generation), repairs)
	}
	hashes, err := b.readLog(ctx, head.Log)
	if err != nil {
		return err
	}
	for _, want := range []manifestv1.Anchor{gone, {Generation: p.Generation, SHA256: p.SHA256}} {
		got, listed := hashes[want.Generation]
		if !listed {
			return fault.New(fault.Denied, fmt.Sprintf("nothing at %s says any more what generation %d (%s) was, so that nothing says whether the newest follows from what this installation has seen: its log was lost once; generations up to %d can still be read",
				b.store.URL(), want.Generation, manifestName(want.Generation), head.Generation), "ask somebody who uses the bucket whether its newest generation is "+decimal(head.Generation)+"; "+accepts)
		}
		if got != want.SHA256 {
			return b.forked(want.Generation, got, want.SHA256)
		}
	}
	return nil
}
