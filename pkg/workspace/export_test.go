package workspace

// SetStep makes s call fn between the durable steps of its changes.
func SetStep(s *Store, fn func(string)) { s.step = fn }
