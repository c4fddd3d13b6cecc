package git

import (
	"net"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

// maxURL is the longest URL of a remote, in bytes.
const maxURL = 2048

// scpForm is the short form of ssh: [user@]host:path.
var scpForm = textform.Regexp(`^(?:([A-Za-z0-9_][A-Za-z0-9._-]*)@)?([A-Za-z0-9][A-Za-z0-9.-]*):([^-: ][^: ]*)$`)

// address is where a remote is, checked.
type address struct {
	raw      string   // as git gets it; it may hold a password
	shown    string   // without who logs in; with ssh that is part of where it is
	secrets  []string // parts of raw that nobody is shown
	protocol string   // https | http | ssh | file
}

// parseAddress accepts https://, ssh:// and file:// URLs and the short form of
// ssh, and with plain also http:// to this machine itself. All else that git
// would take is fault.Invalid: other transports, helpers (ext::), options,
// paths.
func parseAddress(raw string, plain bool) (address, error) {
	bad := func(why string) (address, error) {
		return address{}, fault.New(fault.Invalid, "not the URL of a Git remote: "+why, "give https://HOST/REPO.git, ssh://USER@HOST/REPO.git or file:///DIR/REPO.git")
	}
	if raw == "" || len(raw) > maxURL || strings.ContainsFunc(raw, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\ufffd' }) {
		return bad("it is empty, too long, or holds a control character")
	}
	if strings.HasPrefix(raw, "-") || strings.Contains(raw, "::") && !strings.Contains(raw, "[") {
		return bad("it names an option or a transport helper")
	}
	if isSCP(raw) {
		return address{raw: raw, shown: raw, protocol: "ssh"}, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return bad("it cannot be read") // the error quotes the password
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return bad("it has a query or a fragment")
	}
	a := address{raw: raw, protocol: u.Scheme, secrets: secretsOf(u, raw)}
	a.shown = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
	host := u.Hostname()
	switch {
	case u.Path == "" || u.Path == "/":
		return bad("it names no repository")
	case u.Scheme == "file":
		if u.Host != "" || u.User != nil || path.Clean(u.Path) == "/" {
			return bad("a file URL has three slashes and the path of a directory")
		}
	case host == "" || strings.HasPrefix(host, "-") || u.User != nil && strings.HasPrefix(u.User.Username(), "-"):
		return bad("it names no host")
	case u.Scheme == "https":
	case u.Scheme == "ssh" && hasPassword(u):
		return bad("ssh takes no password from a URL")
	case u.Scheme == "ssh":
		a.shown, a.secrets = (&url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String(), nil
	case u.Scheme == "http" && plain && loopback(host):
	case u.Scheme == "http":
		return bad("http is not encrypted")
	default:
		return bad("Vexa does not speak " + quote(u.Scheme))
	}
	return a, nil
}

func isSCP(raw string) bool {
	m := scpForm.FindStringSubmatch(raw)
	return m != nil && !strings.Contains(raw, "://") && !slices.Contains([]string{"file", "http", "https", "ssh"}, m[2])
}

func hasPassword(u *url.URL) bool {
	_, ok := u.User.Password()
	return ok
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// secretsOf are the spellings of who logs in that git might quote.
func secretsOf(u *url.URL, raw string) []string {
	if u.User == nil {
		return nil
	}
	var list []string
	if _, rest, ok := strings.Cut(raw, "://"); ok {
		authority, _, _ := strings.Cut(rest, "/")
		if i := strings.LastIndexByte(authority, '@'); i >= 0 {
			list = append(list, authority[:i+1])
		}
	}
	list = append(list, u.User.String()+"@")
	if word, ok := u.User.Password(); ok && word != "" {
		list = append(list, word)
	}
	return list
}

// redact takes out of a text who logs in, and with what.
func (a address) redact(text string) string {
	for _, s := range a.secrets {
		text = strings.ReplaceAll(strings.ReplaceAll(text, s, ""), printable(s), "")
	}
	return text
}

// allowed are the protocols that git may speak on the way there: the person's
// url.<base>.insteadOf may turn https into ssh and back, but nothing into a
// directory of this machine, and a directory into nothing else.
func (a address) allowed() string {
	switch a.protocol {
	case "file":
		return "file"
	case "http":
		return "http:https:ssh"
	default:
		return "https:ssh"
	}
}
