package wsv2

// Subscribe asks for the frames of topics; Unsubscribe ends that.
type Subscribe struct {
	Action string         `json:"action"` // subscribe | unsubscribe
	Topics []Subscription `json:"topics"`
}

// Subscription is one topic and where to begin: empty From means the start.
type Subscription struct {
	Topic string `json:"topic"` // unit:<id>:out
	From  string `json:"from,omitempty"`
}
