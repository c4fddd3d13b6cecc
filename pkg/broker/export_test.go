package broker

// Arrived counts the connections that have said hello.
func (s *Socket) Arrived() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived
}
