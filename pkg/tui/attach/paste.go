package attach

import (
	"net/url"
	"os"
	"strings"

	"github.com/vexa-ai/vexa/pkg/tui/mention"
)

// Pasted returns what is put into a message for a pasted text. Where that is nothing but
// the path of a file, as terminals paste what is dropped onto them, it is the mention of
// it. Anything else stays what it is, but that a name in it which would attach a file has
// a backslash before it: who copies text from somewhere has not read each word.
//
// It looks at the disk, at nothing but whether a file is there.
func Pasted(text, home string) string {
	if path, ok := dropped(text, home); ok {
		return mention.Write(path) + " "
	}
	return Disarm(text)
}

// dropped returns the path that a text is, where a regular file is there.
func dropped(text, home string) (string, bool) {
	text = strings.TrimSpace(text)
	if text == "" || strings.Contains(text, "\n") {
		return "", false
	}
	for _, name := range []string{text, unquoted(text), unescaped(text), ofURL(text)} {
		if !Local(name) {
			continue
		}
		path, err := resolve(name, home)
		if err != nil {
			continue
		}
		if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
			return name, true
		}
	}
	return "", false
}

// unquoted is a text without single quotes around it, as shells take it.
func unquoted(s string) string {
	inner, ok := strings.CutPrefix(s, "'")
	if inner, ok2 := strings.CutSuffix(inner, "'"); ok && ok2 {
		return strings.ReplaceAll(inner, `'\''`, "'")
	}
	return ""
}

// unescaped is a text without a shell's backslashes.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// ofURL is the path of a file's URL on this machine.
func ofURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" {
		return ""
	}
	return u.Path
}

// Disarm returns a text that attaches nothing: a backslash stands before each @ in it that
// might name a file of this machine, whatever stands around the text. It is for what comes
// into a message and was not written there, such as one that was sent before, in which
// files stand that were attached to it.
func Disarm(text string) string {
	// By intent it knows less than mention.All: what is one mention by itself may be two
	// behind what stands before it.
	const long = 16 // bytes, longer than any way to begin such a name
	var b strings.Builder
	for i := range len(text) {
		if text[i] == '@' && (i == 0 || strings.IndexByte(" \t\n", text[i-1]) >= 0) && Local(strings.ReplaceAll(text[i+1:min(i+long, len(text))], `\`, "")) {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
