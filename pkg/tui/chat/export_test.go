package chat

// Armed reports whether the question that is open takes answers.
func (m *Model) Armed() bool { return m.question != nil && m.question.armed }
