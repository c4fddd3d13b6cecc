package workspace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
	"github.com/vexa-ai/vexa/pkg/workspace/object"
)

// refDeliveries are the refs with the records of what was delivered, one for each
// member that did.
const refDeliveries = "refs/vexa/deliveries/"

// The trailers of a record.
const (
	trailerDelivery = "Vexa-Delivery" // its id
	trailerOutcome  = "Vexa-Outcome"  // a ref, and what became of what was delivered for it; one for each
)

// deliveriesOf is the ref with the record of what a member delivered.
func deliveriesOf(member string) string {
	ref := refDeliveries + member
	if bucket.CheckRef(ref) != nil {
		sum := sha256.Sum256([]byte(member))
		ref = refDeliveries + hex.EncodeToString(sum[:])
	}
	return ref
}

// record adds a commit to what is recorded of the member's deliveries: the delivery and
// its signature as files, what became of it in the message, and what it brought as
// parents, so that it is kept, and later deliveries may build on it.
func (t *taking) record(ctx context.Context) (move, error) {
	r, s := t.repo, t.repo.store
	q, drop, err := r.quarantine()
	if err != nil {
		return move{}, err
	}
	defer drop()
	m := move{ref: deliveriesOf(t.who.ID)}
	if m.from, err = r.ref(m.ref); err != nil {
		return m, err
	}
	var before, parents []object.ID
	var root object.ID
	if !m.from.IsZero() {
		if root, err = r.treeOf(ctx, m.from); err != nil {
			return m, err
		}
		before, parents = append(before, root), append(parents, m.from)
	}
	path := recordPath(t.delivery.ID)
	var files []treeChange
	for _, f := range []struct {
		name string
		data []byte
	}{{path, append(t.delivery.Line, '\n')}, {path + ".sig", t.delivery.Signature}} {
		id, err := object.WriteLoose(q, object.KindBlob, f.data)
		if err != nil {
			return m, err
		}
		files = append(files, treeChange{path: f.name, id: id, mode: object.ModeFile})
	}
	if root, err = r.editTree(ctx, q, root, files); err != nil {
		return m, err
	}
	pack := object.NewPack(r.packDir(), nil)
	defer pack.Abort()
	if m.from.IsZero() { // the first parents of a record are records alone
		none, err := pack.Add(object.KindTree, nil)
		if err != nil {
			return m, err
		}
		first, err := pack.Add(object.KindCommit, s.commit(t.author(), none, nil, message{subject: "What " + t.who.Name + " delivers"}))
		if err != nil {
			return m, err
		}
		parents = append(parents, first)
	}
	if err := r.addNew(ctx, q, pack, root, before...); err != nil {
		return m, err
	}
	for _, id := range t.tips {
		if !slices.Contains(parents, id) {
			parents = append(parents, id)
		}
	}
	msg := message{subject: "Take up what " + t.who.Name + " delivered", trailers: [][2]string{{trailerDelivery, t.delivery.ID}, {trailerSubject, t.who.ID}}}
	for _, o := range t.outcomes {
		msg.trailers = append(msg.trailers, [2]string{trailerOutcome, o})
	}
	if m.to, err = pack.Add(object.KindCommit, s.commit(t.author(), root, parents, msg)); err != nil {
		return m, err
	}
	_, err = pack.Finish()
	return m, err
}

// recordPath is where the tree of a record has a delivery: in a directory for each
// three days or so, by the time in its id, so that none grows large.
func recordPath(id string) string { return id[:4] + "/" + id + ".json" }

// recorded reports whether a delivery was taken up, whoever delivered it: what was
// removed from the inbox somebody may put there again.
func (r *repo) recorded(ctx context.Context, id string) (bool, error) {
	refs, err := r.refsBelow(refDeliveries)
	if err != nil {
		return false, err
	}
	for _, tip := range refs {
		e, err := r.entry(ctx, tip, recordPath(id))
		if err != nil || !e.ID.IsZero() {
			return err == nil, err
		}
	}
	return false, nil
}
