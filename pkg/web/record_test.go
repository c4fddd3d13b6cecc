package web_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/web"
)

// Who came in and who was refused is recorded, and nothing of it signs in.
func TestRecords(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secret := f.open()
	v, res := f.signIn(secret)
	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	f.signIn(secret)                                     // once more
	f.signIn("a-guess-that-nobody-should-find-anywhere") // which is no link
	v.ask(http.MethodPost, "/session", `{"secret":"x"}`, with("Origin", "http://evil.example"))
	v.ask(http.MethodPost, "/session", "secret=x", with("Content-Type", "text/plain"))
	late := f.open()
	f.clock.pass(2 * time.Minute)
	f.signIn(late)
	v.ask(http.MethodDelete, "/session", "{}")
	other := f.visitor()
	if err := f.site.Shut(t.Context()); err != nil {
		t.Fatal(err)
	}
	events := f.trail.all()
	var got []string
	for _, e := range events {
		got = append(got, strings.TrimSpace(e.Action+" "+e.Refused))
	}
	want := []string{
		"link", "sign-in", "sign-in no such link", "sign-in no such link", "sign-in another page", "sign-in no sign-in",
		"link", "sign-in no such link", "sign-out", "link", "sign-in", "close",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("recorded is %q, want %q", got, want)
	}
	all := fmt.Sprint(events)
	for _, canary := range []string{secret, late, v.cookie, v.token, other.cookie, other.token, "a-guess", f.base.Hostname()} {
		if strings.Contains(all, canary) {
			t.Errorf("%q is recorded", canary)
		}
	}
	if in, out := events[1].Detail["session"], events[8].Detail["session"]; in == "" || in != out || in == events[10].Detail["session"] {
		t.Errorf("the session that came in is %q, the one that left %q", in, out)
	}
	if events[1].Detail["browser"] == "" || events[11].Detail["sessions"] != "1" {
		t.Errorf("there are no facts in %v", events)
	}
}

// A browser that signs in once more has one session: that of before ends with it, and is
// recorded. Where the link is none, or comes from another browser, it goes on.
func TestSignsInOnceMore(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	v, other := f.visitor(), f.visitor()
	again := func(secret string) reply {
		return v.ask(http.MethodPost, "/session", `{"secret":"`+secret+`"}`)
	}
	wantError(t, again("which-is-no-link"), http.StatusUnauthorized)
	if res := v.ask(http.MethodGet, "/api/status", ""); res.StatusCode != http.StatusOK {
		t.Fatalf("after a link that is none: %s", res.Status)
	}
	if res := again(f.open()); res.StatusCode != http.StatusOK || len(res.Cookies()) != 1 || res.Cookies()[0].Value == v.cookie {
		t.Fatalf("once more: %s", res.Status)
	}
	wantError(t, v.ask(http.MethodGet, "/api/status", ""), http.StatusUnauthorized)
	if res := other.ask(http.MethodGet, "/api/status", ""); res.StatusCode != http.StatusOK || f.site.Status().Sessions != 2 {
		t.Errorf("the other browser's: %s, of %d sessions", res.Status, f.site.Status().Sessions)
	}
	events := f.trail.all()
	last := events[len(events)-1]
	if in := events[1].Detail["session"]; last.Action != "sign-out" || last.Refused != "" || in == "" || last.Detail["session"] != in {
		t.Errorf("the last that is recorded is %+v, and %s came in", last, in)
	}
}

// Whoever is refused over and over fills no disk: of a minute some are recorded, and the
// next record says how many were not.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.open()
	const tries, most = 53, 20
	for range tries {
		_, res := f.signIn("a-guess")
		wantError(t, res, http.StatusUnauthorized)
	}
	var told, recorded int
	tell := func(e web.Event) {
		if e.Refused != "" {
			recorded++
		}
		n, _ := strconv.Atoi(e.Detail["leftOut"]) // none: it tells of itself alone
		told += n
	}
	for _, e := range f.trail.all()[1:] {
		tell(e)
	}
	if recorded != most || told != 0 {
		t.Fatalf("of %d, %d are recorded, and %d are told of", tries, recorded, told)
	}
	f.visitor() // who comes in is recorded however many did not
	f.clock.pass(time.Minute)
	f.signIn("a-guess")
	events := f.trail.all()
	if got := []string{events[most+1].Action, events[most+2].Action + events[most+2].Refused}; !slices.Equal(got, []string{"link", "sign-in"}) {
		t.Errorf("in the same minute %q is recorded", got)
	}
	if next := events[len(events)-1]; next.Detail["leftOut"] != strconv.Itoa(tries-most) || next.Detail["browser"] == "" {
		t.Errorf("the next record is %+v, want %d left out", next, tries-most)
	}
	// What no refusal tells of any more, the closing does.
	for range most {
		f.signIn("a-guess")
	}
	if err := f.site.Shut(t.Context()); err != nil {
		t.Fatal(err)
	}
	recorded, told = 0, 0
	for _, e := range f.trail.all()[1:] {
		tell(e)
	}
	if sum := recorded + told; sum != tries+1+most || recorded != 2*most {
		t.Errorf("%d are recorded and %d told of, of %d", recorded, told, tries+1+most)
	}
}

// A refusal whose record failed is told of by the next.
func TestRefusalThatCannotBeRecorded(t *testing.T) {
	t.Parallel()
	trail := &full{}
	f := newFixture(t, func(o *web.Options) { trail.Trail, o.Trail = o.Trail, trail })
	f.open()
	trail.action = "sign-in"
	for range 3 {
		_, res := f.signIn("a-guess")
		wantError(t, res, http.StatusUnauthorized)
	}
	trail.action = ""
	f.signIn("a-guess")
	events := f.trail.all()
	if last := events[len(events)-1]; len(events) != 2 || last.Detail["leftOut"] != "3" {
		t.Errorf("recorded is %+v", events)
	}
}

// What a browser says of itself is a line at most, and text.
func TestABrowsersNameIsCut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	secret := f.open()
	for name, want := range map[string]string{
		"x" + strings.Repeat("ü", 15<<10): "x" + strings.Repeat("ü", 99), // 199 bytes: the next is of two
		"a\xffb\xc3":                      "ab",
		strings.Repeat("y", 200):          strings.Repeat("y", 200),
	} {
		v := &visitor{f: f}
		v.ask(http.MethodPost, "/session", "{}", with("User-Agent", name))
		events := f.trail.all()
		if got := events[len(events)-1]; got.Refused == "" || got.Detail["browser"] != want {
			t.Errorf("a refused browser is %q, want %q", got.Detail["browser"], want)
		}
	}
	(&visitor{f: f}).ask(http.MethodPost, "/session", `{"secret":"`+secret+`"}`, with("User-Agent", strings.Repeat("y", 30<<10)))
	events := f.trail.all()
	if got := events[len(events)-1]; got.Refused != "" || got.Detail["browser"] != strings.Repeat("y", 200) {
		t.Errorf("who came in: %+v", got)
	}
}

// full is a trail that cannot be written from an action on.
type full struct {
	web.Trail

	action string
}

func (f *full) Record(ctx context.Context, e web.Event) error {
	if e.Action == f.action {
		return errors.New("the disk is full")
	}
	return f.Trail.Record(ctx, e)
}

// Who cannot be recorded does not come in.
func TestNobodyComesInUnrecorded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *web.Options) { o.Trail = &full{o.Trail, "sign-in"} })
	v, res := f.signIn(f.open())
	if res.StatusCode != http.StatusInternalServerError || v.cookie != "" || f.site.Status().Sessions != 0 {
		t.Errorf("unrecorded, the sign-in is %s, and there are %d sessions", res.Status, f.site.Status().Sessions)
	}
	var log strings.Builder
	trail := &full{}
	g := newFixture(t, func(o *web.Options) {
		trail.Trail, trail.action = o.Trail, "link"
		o.Trail, o.Log = trail, slog.New(slog.NewTextHandler(&log, nil))
	})
	if link, err := g.site.Open(t.Context(), g.backend); err == nil {
		t.Errorf("there is a link that nothing recorded: %v", link.ExpiresAt)
	}
	if st := g.site.Status(); st.Open || strings.Contains(log.String(), "port=") {
		t.Errorf("for nobody it is %+v: %s", st, log.String())
	}
	// Where it is open already, whoever is there stays.
	trail.action = ""
	in := g.visitor()
	trail.action = "link"
	if _, err := g.site.Open(t.Context(), g.backend); err == nil {
		t.Error("there is a second link that nothing recorded")
	}
	if res := in.ask(http.MethodGet, "/session", ""); res.StatusCode != http.StatusOK {
		t.Errorf("who is signed in gets %s", res.Status)
	}
}
