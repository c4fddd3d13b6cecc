package api

import "time"

// Web answers GET /v1/web: whether the pages of the browser are served.
type Web struct {
	Open     bool   `json:"open"`
	Address  string `json:"address"`  // as in http://NAME.localhost:PORT/; empty: they are not
	Sessions int    `json:"sessions"` // browsers that are signed in
	Waiting  int    `json:"waiting"`  // links that nobody has used, and that are still good
}

// WebLink answers POST /v1/web. The link signs in whoever uses it first.
type WebLink struct {
	URL       string    `json:"url"` // its fragment is a secret
	Address   string    `json:"address"`
	ExpiresAt time.Time `json:"expiresAt"`
}
