package broker

// holds reports whether a text has one of the words in it, in whatever case. They are of
// lower-case letters and digits, and as long as each other. It goes forward by as many bytes as the
// one at which a word may end allows for (Horspool, 1980), for most of a request has none.
func holds(text []byte, words ...string) bool {
	const lower = 0x20
	n := len(words[0])
	var skip [256]byte
	for i := range skip {
		skip[i] = byte(n)
	}
	for _, w := range words {
		for i := range n {
			c := w[i]
			s := min(skip[c], byte(n-1-i)) // 0 for the last: the text is looked at
			skip[c], skip[c-lower] = s, s
		}
	}
	for at := n - 1; at < len(text); {
		if s := skip[text[at]]; s > 0 {
			at += int(s)
			continue
		}
		for _, w := range words {
			i := 0
			for i < n && text[at-n+1+i]|lower == w[i] {
				i++
			}
			if i == n {
				return true
			}
		}
		at++
	}
	return false
}
