package reading

// Drawn is how many blocks are kept as they were drawn.
func (r *Reading) Drawn() int { return len(r.drawn) }
