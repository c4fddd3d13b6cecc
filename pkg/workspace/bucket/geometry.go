package bucket

import (
	"cmp"
	"slices"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
)

const (
	// factor is how many times as many objects as the next smaller one a pack has
	// at least that is left as it is.
	factor = 2
	// fewest is how many packs are worth joining.
	fewest = 8
)

// geometric returns the packs that are worth joining, as `git repack
// --geometric=2` chooses them: the largest, as long as each has twice the objects
// of the next one, stay as they are, and so do those for which limit, in bytes,
// leaves no room. So there are no more packs than the logarithm of the number of
// objects and a few, and each object is written again no more often than that.
func geometric(packs []manifestv1.Pack, limit int64) []manifestv1.Pack {
	packs = slices.Clone(packs)
	slices.SortStableFunc(packs, func(a, b manifestv1.Pack) int { return cmp.Compare(a.Objects, b.Objects) })
	chosen := packs[:progression(packs)]
	var out []manifestv1.Pack
	for _, p := range chosen {
		if p.Size <= limit {
			limit -= p.Size
			out = append(out, p)
		}
	}
	if len(out) < fewest {
		return nil
	}
	return out
}

// progression returns where in packs, in the order of their sizes, those begin
// that stay as they are once those before them are one.
func progression(packs []manifestv1.Pack) int {
	split := len(packs) - 1
	for split > 0 && packs[split].Objects >= factor*packs[split-1].Objects {
		split--
	}
	if split <= 0 {
		return 0
	}
	split++
	var joined int64
	for _, p := range packs[:split] {
		joined += p.Objects
	}
	for split < len(packs) && packs[split].Objects < factor*joined {
		joined += packs[split].Objects
		split++
	}
	return split
}

// newestOf returns the generation of a pack that holds what the packs hold.
func newestOf(packs []manifestv1.Pack) int64 {
	newest := int64(0)
	for _, p := range packs {
		newest = max(newest, p.Generation)
	}
	return newest
}

// sizeOf returns how many bytes packs and their indexes take.
func sizeOf(packs []manifestv1.Pack) int64 {
	size := int64(0)
	for _, p := range packs {
		size += p.Size
		if p.Index != nil {
			size += p.Index.Size
		}
	}
	return size
}
