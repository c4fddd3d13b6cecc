package web

import (
	"net/http"
	"slices"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/web/door"
)

// Cookie is the name of the cookie that a browser is known by. It is host-only,
// HttpOnly and SameSite=Strict, and not Secure: see ADR 0035.
const Cookie = "vexa-session"

// HeaderToken is the header with the token of door.Token.
const HeaderToken = "Vexa-Token"

// headers are set on every answer. Nothing but the pages' own files runs or loads;
// what a script would make markup of is refused by the browser itself.
func headers(h http.Header, host string) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
		"connect-src 'self' ws://"+host+"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "+
		"require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), display-capture=(), usb=(), serial=(), payment=()")
	h.Set("Cache-Control", "no-store")
}

func denied(msg, hint string) error { return fault.New(fault.Denied, msg, hint) }

// safe reports whether a request changes nothing.
func safe(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// checkHost holds every request to the one name that this listener has: a page that
// had another name resolve to this machine does not know it.
func (s *serving) checkHost(r *http.Request) error {
	if r.Host != s.host {
		return denied("this host is not served here", "open the pages with: vexa web")
	}
	return nil
}

// checkOrigin refuses what another page asks for. Who has an Origin must have ours, and
// what changes something, or stays open, must have one. Where the browser says itself
// where a request is from, it must be from here.
func (s *serving) checkOrigin(r *http.Request) error {
	origins := r.Header.Values("Origin")
	needed := !safe(r) || r.Header.Get("Upgrade") != ""
	if len(origins) > 1 || (len(origins) == 0 && needed) || (len(origins) == 1 && origins[0] != s.origin) {
		return denied("another page asks for this", "")
	}
	if sites := r.Header.Values("Sec-Fetch-Site"); len(sites) > 1 || (len(sites) == 1 && sites[0] != "same-origin") {
		return denied("another page asks for this", "")
	}
	return nil
}

// checkDocument refuses a page that would be put into another. Whoever leads a person
// here by a link gets nothing by it: the page holds no data.
func checkDocument(r *http.Request) error {
	dest := r.Header.Get("Sec-Fetch-Dest")
	if dest != "" && !slices.Contains([]string{"document", "empty"}, dest) {
		return denied("the pages are not part of others", "")
	}
	return nil
}

// signedIn returns the cookie of a session, or refuses.
func (s *serving) signedIn(r *http.Request) (string, error) {
	for _, c := range r.CookiesNamed(Cookie) {
		if s.door.Enter(c.Value) {
			return c.Value, nil
		}
	}
	return "", fault.New(fault.Denied, "nobody is signed in", "open the pages with: vexa web")
}

// checkToken refuses what changes something without the session's token.
func checkToken(r *http.Request, cookie string) error {
	if safe(r) || door.SameToken(r.Header.Get(HeaderToken), door.Token(cookie)) {
		return nil
	}
	return denied("the request lacks the token of its page", "reload the page")
}
