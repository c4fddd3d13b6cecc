package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

// inspection is one verification under way, and what it found so far. It works
// with a bucket of its own, so that nothing it meets changes the caller's.
type inspection struct {
	b      *Bucket
	opt    VerifyOptions
	pin    pin
	report Report
	stop   bool // nothing more can be checked
	total  int64

	stored map[string]blob.Info // everything that is stored
	rings  []*ring              // the newest first
	links  map[int64]*link      // the manifests that are stored
	sums   map[string]int64     // where each of them is, by hash
	log    map[int64]string     // the hashes of those that were removed
	head   *signed              // the newest that is believed; nil: none
	good   []*signed            // those that are believed and follow from one another, head first
	holes  []hole               // generations that ought to be there
	state  *State               // the newest that can be read; nil: none
	bad    map[string]string    // kinds of finding, by object of the state
	known  map[string]*Finding  // packs that were read before; nil: nothing is wrong with them
}

// ring is one stored keyring.
type ring struct {
	name   string // empty: it is this installation's copy
	copyOf string // of which
	sum    string
	ids    []*seal.Identity // nil: it did not open
	err    error
}

// link is one stored manifest.
type link struct {
	sum    string
	signed *signed // nil: it is none of this place
	kind   string  // of what is wrong, else empty
	what   string
	stray  *signed // it is the manifest of another generation
	sealed bool    // no keyring opens it; whether one that is not here would, nothing says
}

// hole is a generation whose manifest is missing or not the one that was there.
type hole struct {
	generation int64
	sha256     string // of what was there, where that is known
}

func (b *Bucket) newInspection(opt VerifyOptions) (*inspection, error) {
	p, err := b.local.readPin()
	if err != nil {
		return nil, err
	}
	own, err := newBucket(b.opt, b.id)
	if err != nil {
		return nil, err
	}
	in := &inspection{
		b: own, opt: opt, pin: p, stored: map[string]blob.Info{}, links: map[int64]*link{},
		sums: map[string]int64{}, log: map[int64]string{}, bad: map[string]string{}, known: map[string]*Finding{},
	}
	in.report.Seen = p.Generation
	return in, nil
}

// find notes a finding, once for each object and kind.
func (in *inspection) find(f Finding) {
	same := func(g Finding) bool { return g.Object == f.Object && g.Kind == f.Kind }
	if !slices.ContainsFunc(in.report.Findings, same) {
		in.report.Findings = append(in.report.Findings, f)
	}
}

// read counts bytes that were read.
func (in *inspection) read(n int64) {
	in.report.Bytes += n
	if in.opt.Progress != nil {
		in.opt.Progress(in.report.Bytes, max(in.total, in.report.Bytes))
	}
}

// listing lists everything that is stored.
func (in *inspection) listing(ctx context.Context) error {
	err := in.b.store.List(ctx, "", "", func(i blob.Info) error {
		in.stored[i.Name] = i
		if g := generationOf(i.Name); g > 0 {
			in.report.Newest = max(in.report.Newest, g)
		}
		if !strings.HasPrefix(i.Name, objects) {
			in.total += i.Size
		}
		return nil
	})
	if err != nil {
		return unreadable("list "+in.b.store.URL(), err)
	}
	return nil
}

// format compares the bucket's first file with what it was opened as.
func (in *inspection) format(ctx context.Context) error {
	data, err := blob.ReadAll(ctx, in.b.store, formatName, maxSmall)
	in.read(int64(len(data)))
	f := Finding{Object: formatName, Readable: "everything, by an installation that knows the bucket's id", Repair: "vexa workspace repair NAME writes it again"}
	switch {
	case errors.Is(err, blob.ErrNotExist):
		f.Kind, f.What = KindMissing, "the bucket's first file is gone"
	case err != nil && !fault.Is(err, fault.Invalid):
		return unreadable("read "+formatName+" of "+in.b.store.URL(), err)
	case err != nil || !bytes.Equal(data, formatOf(in.b.id)):
		f.Kind, f.What = KindDamaged, "it does not say that this is bucket "+in.b.id
	default:
		return nil
	}
	in.find(f)
	return nil
}

// hint looks at what saves others a look. One that is behind, or absent, is
// what a push leaves that was cut short.
func (in *inspection) hint(ctx context.Context) error {
	data, err := blob.ReadAll(ctx, in.b.store, hintName, maxSmall)
	in.read(int64(len(data)))
	if errors.Is(err, blob.ErrNotExist) {
		return nil
	}
	if err != nil && !fault.Is(err, fault.Invalid) {
		return unreadable("read "+hintName+" of "+in.b.store.URL(), err)
	}
	g, perr := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	f := Finding{
		Object: hintName, Kind: KindDamaged, Readable: "everything: it only says where to look first",
		Repair: "the next push writes it again, and so does vexa workspace repair NAME",
	}
	switch {
	case err != nil || perr != nil || g < 1:
		f.What = "it names no generation"
	case in.stored[manifestName(g)].Name == "":
		f.What = fmt.Sprintf("it names generation %d, which is not there", g)
	default:
		return nil
	}
	in.find(f)
	return nil
}

// keyrings opens every keyring that is stored.
func (in *inspection) keyrings(ctx context.Context) error {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(in.stored)), func(n string) bool { return !strings.HasPrefix(n, keyrings) })
	opened := false
	for _, name := range slices.Backward(names) {
		stored, err := blob.ReadAll(ctx, in.b.store, name, maxKeyring)
		if errors.Is(err, blob.ErrNotExist) {
			continue
		}
		r := &ring{name: name, sum: sum(stored), err: err}
		if err == nil {
			r.ids, r.err = in.b.openKeyring(ctx, name, stored)
		}
		if kind := fault.KindOf(r.err); r.err != nil && kind != fault.Invalid && kind != fault.Denied {
			return r.err
		}
		in.read(int64(len(stored)))
		in.report.Keyrings++
		in.use(r)
		opened = opened || r.err == nil
	}
	if name, stored, err := in.b.local.keyring(); err == nil {
		if ids, err := in.b.openKeyring(ctx, name, stored); err == nil {
			in.use(&ring{copyOf: name, sum: sum(stored), ids: ids})
			opened = true
		}
	}
	if opened {
		return nil
	}
	in.stop = true
	f := Finding{Object: keyrings, Kind: KindMissing, What: "there is no keyring", Readable: "nothing of any generation", Repair: restores}
	for _, r := range in.rings {
		f = Finding{Object: r.name, Kind: kindOf(r.err), What: r.err.Error(), Readable: "nothing of any generation", Repair: fault.HintOf(r.err)}
		in.find(f)
	}
	in.find(f)
	return nil
}

func (in *inspection) use(r *ring) {
	in.rings = append(in.rings, r)
	in.b.epoch = append(in.b.epoch, r.ids...)
}

// kindOf is the kind of finding that an error of reading is.
func kindOf(err error) string {
	switch {
	case errors.Is(err, blob.ErrNotExist) || errors.Is(err, errGone):
		return KindMissing
	case fault.Is(err, fault.Denied):
		return KindLocked
	default:
		return KindDamaged
	}
}

// open opens a manifest with whatever keyring does.
func (in *inspection) open(g int64, stored []byte) *link {
	l := &link{sum: sum(stored)}
	err := errOtherKey
	var s *signed
	for _, r := range in.rings {
		if r.ids == nil {
			continue
		}
		if s, err = decodeManifest(stored, r.ids); !errors.Is(err, errOtherKey) {
			break
		}
	}
	switch {
	case errors.Is(err, errOtherKey):
		l.kind, l.what, l.sealed = KindDamaged, "no keyring opens it: its bytes are damaged, or its keyring is missing", true
		for _, r := range in.rings {
			if fault.Is(r.err, fault.Denied) {
				l.kind, l.what = KindLocked, "no keyring that opens here opens it; "+r.name+" does not: it is damaged, or for others"
			}
		}
	case err != nil:
		l.kind, l.what = KindDamaged, err.Error()
	case s.Bucket != in.b.id:
		l.kind, l.what = KindPlace, "it belongs to bucket "+s.Bucket
	case s.Generation != g:
		l.kind, l.what, l.stray = KindPlace, fmt.Sprintf("it is the manifest of generation %d", s.Generation), s
	default:
		l.signed = s
	}
	return l
}

// manifests opens every manifest that is stored.
func (in *inspection) manifests(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(in.stored)) {
		g := generationOf(name)
		if g == 0 {
			continue
		}
		stored, err := blob.ReadAll(ctx, in.b.store, name, maxManifest)
		switch {
		case errors.Is(err, blob.ErrNotExist):
			continue // collected meanwhile
		case fault.Is(err, fault.Invalid):
			in.links[g] = &link{kind: KindDamaged, what: err.Error()}
			continue
		case err != nil:
			return unreadable("read "+name+" of "+in.b.store.URL(), err)
		}
		in.read(int64(len(stored)))
		in.report.Manifests++
		l := in.open(g, stored)
		in.links[g], in.sums[l.sum] = l, g
		switch {
		case l.signed == nil:
		case l.signed.Membership != nil:
			in.b.anchors[l.sum] = l.signed
		default:
			l.signed.stored = nil // there may be many
		}
	}
	return nil
}

// anchors returns the manifests that say who the members are, the newest first.
func (in *inspection) anchors() []manifestv1.Anchor {
	var out []manifestv1.Anchor
	if in.head == nil {
		return nil
	}
	for at := anchorOf(in.head); ; {
		out = append(out, at)
		s := in.b.anchors[at.SHA256]
		if s == nil || s.Anchor == nil {
			return out
		}
		at = *s.Anchor
	}
}
