package unixhttp

// ServeOnly makes another user the one who may connect.
func (l *Listener) ServeOnly(uid int) { l.uid = uid }
