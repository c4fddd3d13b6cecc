package web_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/vexa-ai/vexa/pkg/web"
	"github.com/vexa-ai/vexa/pkg/web/door"
)

// A page that had its own name resolve to this machine (DNS rebinding), and every other
// name of this machine, gets nothing: neither pages nor data nor a sign-in.
func TestOtherHosts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v := f.visitor()
	secret := f.open()
	port, name := f.base.Port(), f.base.Hostname()
	for _, h := range []string{
		"127.0.0.1:" + port, "localhost:" + port, "vexa", "vexa:" + port, "rebound.example:" + port, "evil.localhost:" + port, name, name + ":1", name + ".:" + port,
		"x." + name + ":" + port, strings.ToUpper(name) + ":" + port, "[::1]:" + port, name + ":" + port + "@evil.example", "evil.example#" + name + ":" + port,
	} {
		for _, path := range []string{"/", "/assets/main.js", "/session", "/api/status"} {
			wantError(t, v.ask(http.MethodGet, path, "", host(h)), http.StatusForbidden)
		}
		wantError(t, v.ask(http.MethodPost, "/api/dispatches", "{}", host(h)), http.StatusForbidden)
		wantError(t, v.ask(http.MethodPost, "/session", `{"secret":"`+secret+`"}`, host(h), with("Origin", "http://"+h)), http.StatusForbidden)
	}
	// The request line names a host, too, and then it counts.
	res := f.raw("GET http://evil.example/api/status HTTP/1.1\r\nHost: " + f.base.Host + "\r\nCookie: " + web.Cookie + "=" + v.cookie + "\r\n\r\n")
	wantError(t, res, http.StatusForbidden)
	if n := len(f.backend.reached()); n > 0 {
		t.Errorf("%d requests reached the daemon", n)
	}
	if _, res := f.signIn(secret); res.StatusCode != http.StatusOK {
		t.Errorf("the link was used up by who was refused: %s", res.Status)
	}
}

// A link signs in once, for a minute, by POST, with JSON that a page of ours sent.
func TestLinks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secret := f.open()
	v := &visitor{f: f}
	refused := []struct {
		why    string
		status int
		res    reply
	}{
		{"by GET", http.StatusUnauthorized, v.ask(http.MethodGet, "/session?secret="+secret, "")},
		{"as the cookie", http.StatusUnauthorized, (&visitor{f: f, cookie: secret}).ask(http.MethodGet, "/session", "")},
		{"as a form", http.StatusBadRequest, v.ask(http.MethodPost, "/session", "secret="+secret, with("Content-Type", "application/x-www-form-urlencoded"))},
		{"as text, which needs no preflight", http.StatusBadRequest, v.ask(http.MethodPost, "/session", `{"secret":"`+secret+`"}`, with("Content-Type", "text/plain"))},
		{"from another page", http.StatusForbidden, v.ask(http.MethodPost, "/session", `{"secret":"`+secret+`"}`, with("Origin", "http://evil.example"))},
		{"a guess", http.StatusUnauthorized, v.ask(http.MethodPost, "/session", `{"secret":"`+secret[:len(secret)-1]+`"}`)},
		{"nothing", http.StatusUnauthorized, v.ask(http.MethodPost, "/session", `{}`)},
		{"much", http.StatusBadRequest, v.ask(http.MethodPost, "/session", `{"secret":"`+strings.Repeat("x", 1<<16)+`"}`)},
	}
	for _, r := range refused {
		t.Log(r.why)
		wantError(t, r.res, r.status)
		if len(r.res.Cookies()) > 0 {
			t.Errorf("%s: got a cookie", r.why)
		}
	}
	if _, res := f.signIn(secret); res.StatusCode != http.StatusOK {
		t.Fatalf("the first use: %s", res.Status)
	}
	if again, res := f.signIn(secret); res.StatusCode != http.StatusUnauthorized || again.cookie != "" {
		t.Errorf("a link that was used: %s, cookie %q", res.Status, again.cookie)
	}
	late := f.open()
	f.clock.pass(door.LinkLife)
	if v, res := f.signIn(late); res.StatusCode != http.StatusUnauthorized || v.cookie != "" {
		t.Errorf("a link that is late: %s, cookie %q", res.Status, v.cookie)
	}
}

// The cookie goes to this host alone, with requests of its own pages alone, and no
// script reads it.
func TestCookie(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, res := f.signIn(f.open())
	line := res.Header.Get("Set-Cookie")
	for _, want := range []string{"; HttpOnly", "; SameSite=Strict", "; Path=/;", "; Max-Age="} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is not in the cookie", want)
		}
	}
	if strings.Contains(line, "Domain") {
		t.Error("the cookie is other hosts', too")
	}
	v := f.visitor()
	for name, change := range map[string]func(*http.Request){
		"absent": without("Cookie"), "empty": with("Cookie", web.Cookie+"="), "made up": with("Cookie", web.Cookie+"="+strings.Repeat("A", 43)),
		"under another name": with("Cookie", "session="+v.cookie), "as the token": with("Cookie", web.Cookie+"="+v.token),
	} {
		t.Log(name)
		wantError(t, v.ask(http.MethodGet, "/api/status", "", change), http.StatusUnauthorized)
		wantError(t, v.ask(http.MethodPost, "/api/dispatches", "{}", change), http.StatusUnauthorized)
	}
	if n := len(f.backend.reached()); n > 0 {
		t.Errorf("%d requests reached the daemon", n)
	}
	if res := v.ask(http.MethodDelete, "/session", "", without(web.HeaderToken)); res.StatusCode != http.StatusForbidden {
		t.Errorf("signed out without the token: %s", res.Status)
	}
	if res := v.ask(http.MethodDelete, "/session", ""); res.StatusCode != http.StatusNoContent {
		t.Errorf("sign out: %s", res.Status)
	}
	wantError(t, v.ask(http.MethodGet, "/api/status", ""), http.StatusUnauthorized)
	idle := f.visitor()
	f.clock.pass(door.IdleLife)
	wantError(t, idle.ask(http.MethodGet, "/api/status", ""), http.StatusUnauthorized)
}

// What another page has the browser ask for is refused, whatever cookie comes with it.
func TestForeignOrigins(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v := f.visitor()
	foreign := []string{"null", "http://evil.example", "https://" + f.base.Host, "http://" + f.base.Hostname(), "http://" + f.base.Hostname() + ":1", "http://localhost:" + f.base.Port(), f.origin() + "/", f.origin() + ".evil.example", ""}
	for _, o := range foreign {
		wantError(t, v.ask(http.MethodPost, "/api/dispatches", "{}", with("Origin", o)), http.StatusForbidden)
		wantError(t, v.ask(http.MethodGet, "/api/sessions", "", with("Origin", o)), http.StatusForbidden)
	}
	wantError(t, v.ask(http.MethodPost, "/api/dispatches", "{}", without("Origin")), http.StatusForbidden)
	wantError(t, v.ask(http.MethodPost, "/api/dispatches", "{}", with("Origin", f.origin(), "http://evil.example")), http.StatusForbidden)
	for _, site := range []string{"cross-site", "same-site", "none", ""} {
		wantError(t, v.ask(http.MethodPost, "/api/dispatches", "{}", with("Sec-Fetch-Site", site)), http.StatusForbidden)
		wantError(t, v.ask(http.MethodGet, "/api/sessions", "", with("Sec-Fetch-Site", site)), http.StatusForbidden)
		wantError(t, v.ask(http.MethodGet, "/session", "", with("Sec-Fetch-Site", site)), http.StatusForbidden)
		wantError(t, v.ask(http.MethodGet, "/assets/main.js", "", with("Sec-Fetch-Site", site)), http.StatusForbidden)
	}
	for _, dest := range []string{"iframe", "frame", "embed", "object", "script", "image"} {
		wantError(t, v.ask(http.MethodGet, "/", "", with("Sec-Fetch-Dest", dest), with("Sec-Fetch-Site", "cross-site")), http.StatusForbidden)
	}
	if n := len(f.backend.reached()); n > 0 {
		t.Fatalf("%d requests reached the daemon", n)
	}
	// Without them it works, also where a browser says nothing of sites.
	for _, res := range []reply{v.ask(http.MethodPost, "/api/dispatches", "{}"), v.ask(http.MethodPost, "/api/dispatches", "{}", without("Sec-Fetch-Site")), v.ask(http.MethodGet, "/api/sessions", "", without("Sec-Fetch-Site"))} {
		if res.StatusCode != http.StatusOK {
			t.Errorf("our own page got %s", res.Status)
		}
	}
}

// Who changes something needs the token of the same session, and sends JSON.
func TestToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v, other := f.visitor(), f.visitor()
	for name, change := range map[string]func(*http.Request){
		"none": without(web.HeaderToken), "empty": with(web.HeaderToken, ""), "another session's": with(web.HeaderToken, other.token), "the cookie": with(web.HeaderToken, v.cookie), "cut": with(web.HeaderToken, v.token[:20]),
	} {
		t.Log(name)
		wantError(t, v.ask(http.MethodPost, "/api/dispatches", "{}", change), http.StatusForbidden)
	}
	wantError(t, v.ask(http.MethodPost, "/api/dispatches", "{}", with("Content-Type", "text/plain")), http.StatusBadRequest)
	wantError(t, v.ask(http.MethodPost, "/api/dispatches", "{}", without("Content-Type")), http.StatusBadRequest)
	if n := len(f.backend.reached()); n > 0 {
		t.Errorf("%d requests reached the daemon", n)
	}
}

// A WebSocket of another page is not opened: browsers let it be tried, with the cookie.
func TestForeignWebSockets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v := f.visitor()
	dial := func(h http.Header) error {
		c, res, err := websocket.Dial(t.Context(), "ws://"+f.base.Host+"/api/subscribe", &websocket.DialOptions{HTTPHeader: h, HTTPClient: client()})
		if res != nil && res.Body != nil {
			defer res.Body.Close()
		}
		if err != nil {
			return err
		}
		defer c.CloseNow() //nolint:errcheck // the test is over
		_, data, err := c.Read(t.Context())
		if string(data) != "hello" {
			return fmt.Errorf("it says %q: %w", data, err)
		}
		return nil
	}
	cookie := web.Cookie + "=" + v.cookie
	for name, h := range map[string]http.Header{
		"no origin": {"Cookie": {cookie}}, "another page": {"Cookie": {cookie}, "Origin": {"http://evil.example"}}, "a file": {"Cookie": {cookie}, "Origin": {"null"}},
		"another port": {"Cookie": {cookie}, "Origin": {"http://" + f.base.Hostname() + ":1"}}, "no cookie": {"Origin": {f.origin()}},
		"cross-site": {"Cookie": {cookie}, "Origin": {f.origin()}, "Sec-Fetch-Site": {"cross-site"}},
	} {
		if err := dial(h); err == nil {
			t.Errorf("%s: it was opened", name)
		}
	}
	if n := len(f.backend.reached()); n > 0 {
		t.Fatalf("%d upgrades reached the daemon", n)
	}
	if err := dial(http.Header{"Cookie": {cookie}, "Origin": {f.origin()}}); err != nil {
		t.Errorf("our own page: %v", err)
	}
}

// What another tab still reads ends when the person signs out: a session that is over has
// nothing that goes on.
func TestAStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v, other := f.visitor(), f.visitor()
	open := func(v *visitor) *websocket.Conn {
		c, res, err := websocket.Dial(t.Context(), "ws://"+f.base.Host+"/api/subscribe",
			&websocket.DialOptions{HTTPHeader: http.Header{"Cookie": {web.Cookie + "=" + v.cookie}, "Origin": {f.origin()}}, HTTPClient: client()})
		if res != nil && res.Body != nil {
			defer res.Body.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.CloseNow() })
		if _, data, err := c.Read(t.Context()); string(data) != "hello" {
			t.Fatalf("it says %q: %v", data, err)
		}
		return c
	}
	mine, others := open(v), open(other)
	if got := v.ask(http.MethodDelete, "/session", ""); got.StatusCode != http.StatusNoContent {
		t.Fatalf("%+v", got)
	}
	if _, data, err := mine.Read(t.Context()); err == nil {
		t.Errorf("it goes on: %q", data)
	}
	others.CloseRead(t.Context()) // which hears the answer
	if err := others.Ping(t.Context()); err != nil {
		t.Errorf("another one's has ended, too: %v", err)
	}
}

// What the pages do not need of the daemon they cannot reach, by any spelling, and no
// address is a path of this machine.
func TestPaths(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v := f.visitor()
	for _, path := range []string{
		"/v1/status", "/api/v1/status", "/api/keys/sign", "/api/keys/open", "/api/keys", "/api/unlock", "/api/lock", "/api/shutdown", "/api/runtime/start", "/api/recording", "/api/web",
		"/api/dispatches/x/inference", "/api/workspaces/x/members/remove", "/api/workspaces/x/backup", "/api/workspaces/x/restore", "/api/workspaces/x/invite",
		"/api/models/x/test", "/api/runners/x", "/api/", "/api/workspaces/x/..%2f..%2fkeys%2fsign", "/api/workspaces/%2e%2e/keys/sign", "/api/dispatches/%2e%2e/unlock",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
			if res := v.ask(method, path, "{}"); res.StatusCode < 400 {
				t.Errorf("%s %s: %s", method, path, res.Status)
			}
		}
	}
	wantError(t, v.ask(http.MethodPost, "/api/workspaces/join", "{}"), http.StatusNotFound)
	wantError(t, v.ask(http.MethodPost, "/api/workspaces/add", "{}"), http.StatusNotFound)
	for _, path := range []string{"/assets/../../../etc/passwd", "/assets/..%2f..%2f..%2fetc%2fpasswd", "/assets/%2e%2e/pages.go", "/assets/pages.go", "/assets/", "/assets", "/assets/index.html%00.js", "/../etc/passwd", "//etc/passwd", "/etc/passwd", "/assets/./main.js/x"} {
		res := f.raw("GET " + path + " HTTP/1.1\r\nHost: " + f.base.Host + "\r\n\r\n")
		if res.StatusCode == http.StatusOK || strings.Contains(string(res.body), "root:") {
			t.Errorf("%s: %s\n%s", path, res.Status, res.body)
		}
		if to := res.Header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
			t.Errorf("%s: leads to %s", path, to)
		}
	}
	for _, r := range f.backend.reached() {
		t.Errorf("the daemon got %s %s", r.Method, r.URL)
	}
}

// Nothing that a browser says of itself goes on to the daemon, whose socket believes
// that no page can speak to it.
func TestWhatGoesInward(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v := f.visitor()
	if res := v.ask(http.MethodPost, "/api/workspaces/a%2Fb/undo?x=1", `{"to":"y"}`, with("Referer", f.origin()), with("X-Forwarded-For", "1.2.3.4")); res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	got := f.backend.reached()[0]
	if got.Host != "vexa" || got.URL.String() != "/v1/workspaces/a%2Fb/undo?x=1" || got.RequestURI != got.URL.String() {
		t.Errorf("host %q, %q, %q", got.Host, got.URL, got.RequestURI)
	}
	for name := range got.Header {
		if name != "Content-Type" && name != "Accept" {
			t.Errorf("%s went on", name)
		}
	}
}

// Every answer, refusals included, says what the browser is to hold to.
func TestHeaders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v := f.visitor()
	answers := map[string]reply{
		"page": v.ask(http.MethodGet, "/", ""), "file": v.ask(http.MethodGet, "/assets/main.js", ""), "data": v.ask(http.MethodGet, "/api/status", ""), "nothing": v.ask(http.MethodGet, "/none", ""),
		"refusal": v.ask(http.MethodGet, "/api/status", "", without("Cookie")), "foreign": v.ask(http.MethodGet, "/", "", host("evil.example")),
	}
	for name, res := range answers {
		csp := res.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "connect-src 'self' ws://" + f.base.Host} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: no %s", name, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || strings.Contains(csp, "data:") {
			t.Errorf("%s: %s", name, csp)
		}
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp", "X-Frame-Options": "DENY",
		} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		for header := range res.Header {
			if strings.HasPrefix(header, "Access-Control-") {
				t.Errorf("%s: %s", name, header)
			}
		}
	}
}

// Lines that are smuggled into a request become no header of an answer, and no second
// request.
func TestInjection(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v := f.visitor()
	for _, path := range []string{"/x%0d%0aSet-Cookie:%20a=b", "/assets/x%0aX-Bad:%201", "/api/dispatches/%0d%0aX-Bad:1", "/api//dispatches%0d%0aX-Bad:1", "/workspaces/a%0d%0aX-Bad:%201"} {
		res := v.ask(http.MethodGet, path, "")
		if res.Header.Get("X-Bad") != "" || res.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
	for _, bad := range []string{
		"GET / HTTP/1.1\r\nHost: " + f.base.Host + "\r\nHost: evil.example\r\n\r\n",
		"POST /session HTTP/1.1\r\nHost: " + f.base.Host + "\r\nContent-Length: 4\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nGET /api/status HTTP/1.1\r\n\r\n",
		"GET /\x00 HTTP/1.1\r\nHost: " + f.base.Host + "\r\n\r\n",
	} {
		if res := f.raw(bad); res.StatusCode < 400 {
			t.Errorf("%q: %s", bad, res.Status)
		}
	}
	before := len(f.backend.reached())
	for _, r := range f.backend.reached() {
		if strings.ContainsAny(r.RequestURI, "\r\n") {
			t.Errorf("the daemon got %q", r.RequestURI)
		}
	}
	if before > 2 { // those whose names are odd, and are names nevertheless
		t.Errorf("%d requests reached the daemon", before)
	}
}

// A port is everybody's who is on the machine: another user's process is not answered.
func TestOtherUsersOfTheMachine(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *web.Options) { o.Users = []int{otherUser()} }) // for it, this process is another user's
	f.open()
	conn, err := net.Dial("tcp", "127.0.0.1:"+f.base.Port())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+f.base.Host+"\r\n\r\n") // it may be closed already
	if data, _ := io.ReadAll(conn); len(data) > 0 {
		t.Errorf("it was answered: %s", data)
	}
}
