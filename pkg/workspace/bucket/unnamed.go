package bucket

// An object that is stored before a manifest names it looks like what a killed
// process left, and a collection removes that in time. Before it removes
// anything it makes a generation. So who stores objects after having read the
// newest generation, and makes the very next, finds them there; who was
// overtaken, and would use them again for a later one, may do so as long as no
// collection can have come to them.

// unnamed is when objects were stored that no manifest names yet.
type unnamed struct {
	after int64  // the newest generation then
	at    moment // before it
	epoch int    // whose key they are encrypted to
}

func unnamedAfter(st *State) unnamed {
	return unnamed{after: st.Generation, at: thisMoment(), epoch: st.manifest.Epoch}
}

// usable reports whether a manifest that follows st may name the objects. st was
// read after they were stored.
func (b *Bucket) usable(u unnamed, st *State) bool {
	return u.epoch == st.manifest.Epoch &&
		(u.after == st.Generation || u.at.age() < b.opt.Grace/2 && st.Generation-u.after < b.opt.Keep)
}
